import { setTimeout as wait } from 'node:timers/promises'
import { Holding } from '../../director/holding.js'
import { otherHolders } from '../../director/other-holders.js'
import { FAULT, TrackFile } from '../../director/track-file.js'
import { canAsk, whoHas } from '../../host/who-has.js'
import { canonicalAddress } from '../../model/address.js'
import { Network, type Link } from '../../network/index.js'
import { readOptions, secondsOf, UsageError, withOptions, type NewOptions } from '../new-options.js'
import { newStatus } from '../new-status.js'
import { complain, print } from '../output.js'
import { refusal } from '../refusals.js'

const OPTIONS = {
  'track-file': { argument: 'text' },
  vip: { argument: 'texts' },
  timeout: { argument: 'text' },
  netns: { argument: 'text' },
} as const satisfies NewOptions

/** Seconds. */
const TIMEOUT = 10
/** Milliseconds between two questions who answers. */
const AGAIN = 50

interface HandOverCommand {
  file: TrackFile
  addresses: string[]
  /** Seconds. */
  timeout: number
  netns?: string
}

/** @throws UsageError */
function readHandOver(args: readonly string[]): HandOverCommand {
  const given = readOptions(args, OPTIONS)
  const path = given['track-file']
  if (path === undefined) throw new UsageError('which file does keepalived follow? Give --track-file FILE, as vrrp_track_file of keepalived.conf names it')
  if (given.vip === undefined) throw new UsageError('which address is handed over? Give --vip ADDRESS')
  const addresses = given.vip.map((text) => {
    const address = canonicalAddress(text)
    if (address === undefined) throw new UsageError(`--vip '${text}'; expected an IPv4 or IPv6 address`)
    return address
  })
  return {
    file: new TrackFile(path),
    addresses: [...new Set(addresses)],
    timeout: given.timeout === undefined ? TIMEOUT : secondsOf('--timeout', given.timeout, { min: 1, max: 3_600 }),
    ...given.netns !== undefined && { netns: given.netns },
  }
}

/** An end with this exit status. */
class Ended extends Error {
  constructor(readonly status: number, message: string) {
    super(message)
  }
}

const no = (message: string): Ended => new Ended(newStatus.no, message)
const listed = (addresses: readonly string[]): string => addresses.join(', ')
/** What one does, or several do: 'is' or 'are'. */
const doing = (addresses: readonly string[], one: string, several: string): string => `${listed(addresses)} ${addresses.length === 1 ? one : several}`
const seconds = (from: number): string => `${((performance.now() - from) / 1_000).toFixed(1)} s`

/** An address, and the link that it is asked for on; none where nobody can be asked. */
interface Asked {
  address: string
  link?: Link
}

class HandOver {
  readonly #network: Network
  readonly #command: HandOverCommand
  readonly #stop: AbortSignal

  constructor(network: Network, command: HandOverCommand, stop: AbortSignal) {
    this.#network = network
    this.#command = command
    this.#stop = stop
  }

  /** @throws Ended */
  async run(): Promise<void> {
    const { file, addresses, timeout } = this.#command
    const before = file.read()
    if (before === undefined) {
      throw no(`${file.path} is not there, so keepalived does not follow it. Write 0 into it, name it in vrrp_track_file, and that in the track_file of the vrrp_instance`)
    }
    const asked = await this.#places()
    const isOut = before === FAULT
    const here = (await this.#network.addresses()).filter(({ address }) => addresses.includes(address))
    if (here.length === 0 && !isOut) throw no(`${doing(addresses, 'is', 'are')} not on this machine: nothing is handed over, and ${file.path} is left at ${before}`)
    await this.#ask(asked)
    const signal = AbortSignal.any([this.#stop, AbortSignal.timeout(timeout * 1_000)])
    const begun = performance.now()
    print(isOut ? `${file.path} says ${FAULT} already\n` : `${file.path} says ${FAULT} instead of ${before} now\n`)
    file.write(FAULT)
    try {
      await this.#gone(signal)
      if (here.length > 0) print(`${doing(addresses, 'has', 'have')} left this machine after ${seconds(begun)}\n`)
      await this.#answered(asked, signal, begun)
    } catch (error) {
      if (!isOut) file.write(before)
      const after = isOut ? `${file.path} stays at ${FAULT}, as it was` : `${file.path} says ${before} again, so this machine takes part as before`
      throw no(`${(error as Error).message}. ${after}`)
    }
    print(`This machine stays out until ${file.path} says 0 again, or a director with --track-file starts here\n`)
  }

  /** Where each address is asked for: on the interface that has it, or would reach it. */
  async #places(): Promise<Asked[]> {
    const links = await this.#network.links()
    const own = await this.#network.addresses()
    return Promise.all(this.#command.addresses.map(async (address) => {
      const place = own.find((one) => one.address === address)
      const route = place === undefined ? await this.#network.route(address) : undefined
      const link = links.find(({ index, name }) => place === undefined ? name === route?.interface : index === place.index)
      const isNear = (route?.gateway ?? null) === null
      return link !== undefined && isNear && canAsk(link, address, own) ? { address, link } : { address }
    }))
  }

  /** Finds out before anything is done whether the question can be asked, and who answers already. */
  async #ask(asked: readonly Asked[]): Promise<void> {
    for (const { address, link } of asked) {
      if (link === undefined || !link.running) continue
      let others: string[]
      try {
        others = await whoHas(this.#network.namespace, link, address, await this.#network.addresses())
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        const why = code === 'EPERM' ? 'it needs CAP_NET_RAW' : code
        throw new Ended(newStatus.unreachable, `who answers for ${address} cannot be asked on ${link.name}: ${why}. Nothing was changed`)
      }
      if (others.length > 0) print(`${address} is answered for by ${others.join(', ')} on ${link.name} already\n`)
    }
  }

  async #gone(signal: AbortSignal): Promise<void> {
    const holding = new Holding()
    holding.watch(this.#command.addresses)
    for await (const event of this.#network.addressEvents({ signal })) {
      holding.take(event)
      if (holding.held === 'none') return
    }
    const left = holding.addresses.filter(({ held }) => held).map(({ address }) => address)
    throw new Error(this.#stop.aborted
      ? 'It was interrupted'
      : `${doing(left, 'is', 'are')} still here after ${this.#command.timeout} s: does keepalived run, and does its vrrp_instance follow the file with weight 1?`)
  }

  /** Waits until every address is answered for. They are asked for at the same time, because a question takes most of a second. */
  async #answered(asked: readonly Asked[], signal: AbortSignal, begun: number): Promise<void> {
    const outcomes = await Promise.allSettled(asked.map((one) => this.#isAnswered(one, signal, begun)))
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    if (failed !== undefined) throw failed.reason as Error
  }

  async #isAnswered({ address, link }: Asked, signal: AbortSignal, begun: number): Promise<void> {
    if (link === undefined) {
      print(`Who answers for ${address} was not asked: its interface has no ARP${address.includes(':') ? ', or no other IPv6 address' : ''}\n`)
      return
    }
    while (!signal.aborted) {
      const others = await otherHolders(this.#network, await this.#network.links(), link.index, address) ?? []
      if (others.length > 0) {
        print(`${address} is answered for by ${others.join(', ')} on ${link.name} after ${seconds(begun)}\n`)
        return
      }
      await wait(AGAIN)
    }
    throw new Error(this.#stop.aborted
      ? 'It was interrupted'
      : `${address} has left this machine, and after ${this.#command.timeout} s nobody else answers for it on ${link.name}: does keepalived run on the other director?`)
  }
}

/** `ipvs director hand-over`. Returns the exit status. */
export const handOver = (args: readonly string[]): Promise<number> => withOptions('director hand-over', args, handOverHelp, async (given) => {
  const command = readHandOver(given)
  const stop = new AbortController()
  const interrupt = (): void => stop.abort()
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  let network: Network | undefined
  try {
    network = await Network.open(command.netns === undefined ? {} : { netns: command.netns })
    await new HandOver(network, command, stop.signal).run()
    return newStatus.done
  } catch (error) {
    complain(`ipvs director hand-over: ${error instanceof Ended ? error.message : refusal(error)}`)
    return error instanceof Ended ? error.status : newStatus.unreachable
  } finally {
    await network?.close()
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
})

export const handOverHelp = `Usage: ipvs director hand-over --track-file FILE --vip ADDRESS… [options]

Hands the addresses of this machine over to the other director: writes ${FAULT} into the file that keepalived follows, waits until the
addresses are gone here and answered for elsewhere, and says so. Where that does not happen in time, the file says again what it said.

  --track-file FILE    the file that vrrp_track_file names, and that the vrrp_instance follows with weight 1
  --vip ADDRESS…       the addresses that are handed over
  --timeout SECONDS    how long that may take in all (default: ${TIMEOUT})
  --netns NAME         the network namespace that has the addresses: a name of \`ip netns\` or a path

  -h, --help           this text

Exit status: 0 handed over, 1 not handed over, and nothing is different from before, 2 the command line was not understood,
3 no permission: who answers for an address is asked on its link, which needs CAP_NET_RAW.
`
