import { setTimeout as wait } from 'node:timers/promises'
import type { Director, DirectorStatus } from '../../director/index.js'
import { examineDirector, type Finding } from '../../host/index.js'
import type { Ipvs } from '../../ipvs.js'
import { fullDestinationId, serviceId } from '../../model/keys.js'
import { Bird } from './bird.js'
import type { Log } from './log.js'

/** How addresses are announced. */
export interface Announcing {
  /** bird's control socket. */
  socket: string
  /** The protocol of bird that has the addresses. */
  protocol: string
}

/** Seconds between two examinations of the machine. */
const INTERVAL = 15
/** Milliseconds that bird is waited for at the end: a director that dies is withdrawn by BFD anyway. */
const PATIENCE = 2_000

/** Virtual addresses that are examined, at most. */
const SAMPLE = 16

/**
 * Rows of the doctor that are about this machine alone. What is wrong with a server would be so at every director, and if all of them
 * withdrew, nobody would serve.
 */
const OWN_ROWS: ReadonlySet<string> = new Set(['ip-forward', 'vip-not-here', 'vip-link', 'link-to-destination', 'no-route'])

type Stands = Pick<DirectorStatus['services'][number], 'service' | 'destinations'>

/**
 * What of an examination is a reason not to be announced: what is certain, and breaks every service that was examined. What breaks one of
 * them would be no better if no director served the others, and a service that no director can serve must not end all of them.
 */
export function reasonsIn(findings: readonly Finding[], examined: readonly Stands[]): Finding[] {
  const reasons = findings.filter(({ severity, certainty, row }) => severity === 'fault' && certainty === 'certain' && OWN_ROWS.has(row))
  const whole = new Set<string>()
  const parts = new Set<string>()
  for (const { service, destination, address } of reasons.flatMap(({ breaks }) => breaks)) {
    if (service === undefined) whole.add(address!)
    else if (destination === undefined) whole.add(serviceId(service))
    else parts.add(fullDestinationId(service, destination))
  }
  const isBroken = ({ service, destinations }: Stands): boolean => {
    const serving = destinations.filter(({ weight = 0 }) => weight > 0)
    return whole.has(serviceId(service)) || 'address' in service && whole.has(service.address)
      || serving.length > 0 && serving.every(({ destination }) => parts.has(fullDestinationId(service, destination)))
  }
  return examined.length > 0 && examined.every(isBroken) ? reasons : []
}

/**
 * Has routers send clients to this director while it is ready and the doctor finds nothing certain that is wrong with the machine. That
 * etcd is away is no reason: the table is as good as it was.
 */
export class Announcer implements AsyncDisposable {
  readonly #bird: Bird
  readonly #place: Announcing
  readonly #ipvs: Ipvs
  readonly #director: Director
  readonly #log: Log
  readonly #stop = new AbortController()
  #isAnnounced: boolean | undefined
  readonly #examining: Promise<void>

  constructor(place: Announcing, director: Director, ipvs: Ipvs, log: Log) {
    this.#place = place
    this.#director = director
    this.#ipvs = ipvs
    this.#log = log
    this.#bird = new Bird(place.socket, place.protocol)
    this.#bird.on('told', ({ announced }) => log({
      level: 'info', event: announced ? 'announced' : 'withdrawn',
      message: `bird ${announced ? 'announces' : 'does not announce'} ${place.protocol}`, protocol: place.protocol,
    }))
    this.#bird.on('failed', ({ error }) => {
      log({ level: 'error', event: 'bird', message: `bird cannot be told about ${place.protocol}: ${error.message}` })
    })
    this.#examining = this.#examine()
  }

  #announce(isWanted: boolean): Promise<void> {
    if (this.#isAnnounced === isWanted) return Promise.resolve()
    this.#isAnnounced = isWanted
    return this.#bird.announce(isWanted)
  }

  /** Services of a few virtual addresses. */
  #sample(): Stands[] {
    const addresses = new Set<string>()
    return this.#director.status().services.filter(({ service }) => {
      if (!('address' in service)) return false
      if (addresses.size < SAMPLE) addresses.add(service.address)
      return addresses.has(service.address)
    })
  }

  async #examine(): Promise<void> {
    const { signal } = this.#stop
    let told = ''
    while (!signal.aborted) {
      let reasons: Finding[] | undefined
      try {
        const examined = this.#sample()
        const vips = [...new Set(examined.flatMap(({ service }) => 'address' in service ? service.address : []))]
        reasons = vips.length === 0 ? [] : reasonsIn((await examineDirector(this.#ipvs, { vips, signal })).findings, examined)
      } catch (error) {
        if (signal.aborted) break
        this.#log({ level: 'warning', event: 'examination', message: `this machine could not be examined: ${(error as Error).message}` })
      }
      const words = reasons?.map(({ missing, row }) => `${missing} [${row}]`).join('; ') ?? told
      if (words !== told) {
        this.#log(words === ''
          ? { level: 'info', event: 'well', message: 'the doctor finds nothing any more that keeps this director from being announced' }
          : { level: 'error', event: 'fault-found', message: `the doctor has found what makes this director useless, so it is withdrawn: ${words}` })
      }
      told = words
      void this.#announce(words === '')
      await wait(INTERVAL * 1_000, undefined, { signal }).catch(() => {})
    }
  }

  /** Withdraws, and ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    await this.#examining
    const late = new AbortController()
    const timer = wait(PATIENCE, 'late' as const, { signal: late.signal }).catch(() => 'late' as const)
    const how = await Promise.race([this.#announce(false), timer])
    late.abort()
    if (how === 'late') this.#log({ level: 'error', event: 'bird', message: `bird could not be told to withdraw ${this.#place.protocol} within ${PATIENCE / 1_000} s` })
    await this.#bird[Symbol.asyncDispose]()
  }
}
