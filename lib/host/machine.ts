import { setTimeout } from 'node:timers/promises'
import type { InterfaceAddress, Link, Neighbour, Network, Route, RouteOptions } from '../network/index.js'
import { parseCounters, parseCounters6, type Counters } from './counters.js'
import { readRuleset, Untold } from './firewall/read.js'
import type { Ruleset } from './firewall/ruleset.js'
import { contains } from './subnet.js'
import type { NotLooked } from './types.js'
import { canAsk, whoHas } from './who-has.js'

/** Milliseconds. */
const LONGEST_RESOLUTION = 4_000
const STEP = 100

const COUNTERS = ['/proc/thread-self/net/snmp', '/proc/thread-self/net/netstat']
/** Is not there on a kernel without IPv6. */
const COUNTERS6 = '/proc/thread-self/net/snmp6'

/** What a machine tells of itself. Everything is read when it is asked for, and once. */
export class Machine {
  readonly #network: Network
  readonly #routes = new Map<string, Promise<Route>>()
  readonly #settings = new Map<string, Promise<string | undefined>>()
  readonly #questions = new Map<string, Promise<string[] | undefined>>()
  #ruleset: Promise<Ruleset | undefined> | undefined
  readonly #counted: Counters
  /** The counters at the last look. */
  #now: Counters = new Map()

  private constructor(
    network: Network,
    readonly links: readonly Link[],
    readonly addresses: readonly InterfaceAddress[],
    counted: Counters,
    /** Ends the examination: nothing more is asked of others then. */
    private readonly signal: AbortSignal | undefined,
  ) {
    this.#network = network
    this.#counted = counted
  }

  /** What could not be looked at. */
  readonly notLooked: NotLooked[] = []

  static async lookAt(network: Network, signal?: AbortSignal): Promise<Machine> {
    return new Machine(network, await network.links(), await network.addresses(), await readCounters(network), signal)
  }

  /** Reads the counters again, and the links and addresses too: the machine as it is by now. */
  async lookAgain(): Promise<Machine> {
    const machine = new Machine(this.#network, await this.#network.links(), await this.#network.addresses(), this.#counted, this.signal)
    machine.#now = await readCounters(this.#network)
    return machine
  }

  /** What a counter has come to since the network namespace is there: 'Icmp.OutRedirects'. */
  counted(name: string): number {
    return this.#now.get(name) ?? 0
  }

  /** How much a counter grew from the first look to the last. */
  grown(name: string): number {
    return this.counted(name) - (this.#counted.get(name) ?? 0)
  }

  link(name: string | null): Link | undefined {
    return this.links.find((link) => link.name === name)
  }

  route(address: string, options: RouteOptions = {}): Promise<Route> {
    const key = `${address} ${options.from ?? ''} ${options.mark ?? ''}`
    let route = this.#routes.get(key)
    if (!route) this.#routes.set(key, (route = this.#network.route(address, options)))
    return route
  }

  neighbour(address: string, link: Link): Promise<Neighbour | undefined> {
    return this.#network.neighbour(address, link.index)
  }

  /** A neighbour, when it is known whether it answers: the kernel asks three times, a second apart. */
  async resolvedNeighbour(address: string, link: Link): Promise<Neighbour | undefined> {
    let neighbour = await this.neighbour(address, link)
    for (let waited = 0; neighbour?.state === 'incomplete' && waited < LONGEST_RESOLUTION; waited += STEP) {
      await setTimeout(STEP)
      this.signal?.throwIfAborted()
      neighbour = await this.neighbour(address, link)
    }
    return neighbour
  }

  /** Who answers for an address on a link; `undefined` where that could not be looked at, which is noted. */
  async answersOn(link: Link, address: string): Promise<string[] | undefined> {
    if (!link.arp || link.hardwareAddress === null) return undefined
    this.signal?.throwIfAborted()
    try {
      if (canAsk(link, address, this.addresses)) return await whoHas(this.#network.namespace, link, address, this.addresses)
      this.#notAsked(address, `${link.name} has no other IPv6 address that the question could come from`)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      this.#notAsked(address, code === 'EPERM' ? 'the question needs a packet socket, which needs CAP_NET_RAW' : message)
    }
    return undefined
  }

  #notAsked(address: string, why: string): void {
    const what = address.includes(':') ? `who answers neighbour solicitations for ${address}` : `who answers ARP for ${address}`
    this.notLooked.push({ what, why })
  }

  /** A setting under /proc/sys/net, such as 'ipv4/ip_forward'; `undefined` where this kernel has none. */
  setting(name: string): Promise<string | undefined> {
    let value = this.#settings.get(name)
    if (!value) {
      const path = `/proc/sys/net/${name}`
      value = this.#network.readFile(path).then(
        (text) => text.trim(),
        (error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOENT') this.notLooked.push({ what: path, why: error.message })
          return undefined
        },
      )
      this.#settings.set(name, value)
    }
    return value
  }

  /** The rules of its firewall; `undefined` where the kernel has no nf_tables, or does not tell them, which is noted. */
  ruleset(): Promise<Ruleset | undefined> {
    return this.#ruleset ??= readRuleset(this.#network.namespace).catch((error: unknown) => {
      if (!(error instanceof Untold)) throw error
      this.notLooked.push({ what: 'the rules of the firewall', why: error.message })
      return undefined
    })
  }

  /** Those addresses of this machine whose network an address is in, or which are that address. */
  neighbourhood(address: string): InterfaceAddress[] {
    return this.addresses.filter((own) => contains(own, address))
  }

  /** The links on which others may ask for an address: those that have it, or that have an address of its network. */
  linksThatAsk(address: string): Link[] {
    const names = new Set(this.neighbourhood(address).map((own) => own.interface))
    return this.links.filter((link) => names.has(link.name) && link.arp && link.running && link.hardwareAddress !== null)
  }

  /** Who, of the other machines, answers for an address; `undefined` where that could not be looked at, which is noted. */
  whoElseHas(address: string): Promise<string[] | undefined> {
    let answer = this.#questions.get(address)
    if (!answer) this.#questions.set(address, (answer = this.#ask(address)))
    return answer
  }

  async #ask(address: string): Promise<string[] | undefined> {
    const own = new Set(this.links.map(({ hardwareAddress }) => hardwareAddress))
    const answers = await Promise.all(this.linksThatAsk(address).map((link) => this.answersOn(link, address)))
    if (answers.includes(undefined)) return undefined
    return [...new Set(answers.flat() as string[])].filter((hardware) => !own.has(hardware))
  }
}

async function readCounters(network: Network): Promise<Counters> {
  const texts = await Promise.all(COUNTERS.map((path) => network.readFile(path)))
  const text6 = await network.readFile(COUNTERS6).catch(() => '')
  return new Map([...texts.flatMap((text) => [...parseCounters(text)]), ...parseCounters6(text6)])
}
