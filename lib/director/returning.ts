import { setTimeout as wait } from 'node:timers/promises'
import type { Ipvs } from '../ipvs.js'
import type { Network } from '../network/index.js'
import { otherHolders } from './other-holders.js'
import { FAULT, type TrackFile } from './track-file.js'

/** Refresh periods without another synced entry after which all are here. */
const QUIET = 3
/** Seconds between two looks, and of a refresh period at least: the kernel sends what it has for the others after two at the latest. */
const LOOK = 2

/** States of connections that have ended. Those of short requests are told of for as long as anybody asks, and miss nothing. */
const OVER: ReadonlySet<string> = new Set(['FIN_WAIT', 'TIME_WAIT', 'CLOSE', 'CLOSE_WAIT', 'LAST_ACK'])

/** What {@link Returning} is told. */
export interface ReturningOptions {
  ipvs: Ipvs
  network: Network
  /** The file that keepalived follows. */
  file: TrackFile
  /** The addresses that move between directors, and the interface that each is put on, where that is known. */
  places: readonly { address: string, interface?: string }[]
  /** Seconds after which this machine takes part again at the latest. */
  after: number
}

/** How many connections a machine knows, and how many that live on it was told of. */
interface Known {
  all: number
  synced: number
}

/**
 * Keeps a machine that has come back out of VRRP until it knows the connections of the one that holds the addresses: to take them before
 * would cut every connection that is older than itself.
 */
export class Returning {
  readonly #options: ReturningOptions
  readonly #stop = new AbortController()

  constructor(options: ReturningOptions) {
    this.#options = options
  }

  async #known(): Promise<Known> {
    const known = { all: 0, synced: 0 }
    for await (const { origin, state } of this.#options.ipvs.connections()) {
      known.all++
      if (origin === 'sync' && !OVER.has(state)) known.synced++
    }
    return known
  }

  /** Whether another machine holds an address; `undefined` where it cannot be asked of any. */
  async #isHeldElsewhere(): Promise<boolean | undefined> {
    const { network, places } = this.#options
    const links = await network.links()
    let isAsked = false
    for (const { address, interface: name } of places) {
      const route = name === undefined ? await network.route(address) : undefined
      if (route?.type === 'local') return false
      const link = links.find((one) => one.name === (name ?? (route?.gateway === null ? route.interface : undefined)))
      const others = link === undefined ? undefined : await otherHolders(network, links, link.index, address)
      if (others === undefined) continue
      if (others.length > 0) return true
      isAsked = true
    }
    return isAsked ? false : undefined
  }

  /**
   * Looks whether this machine has to wait, and keeps it out of VRRP if so. To be called before keepalived may take the addresses, and
   * before the sync daemons run.
   *
   * @returns why it waits, in words; `undefined` where it does not
   */
  async begin(): Promise<string | undefined> {
    const { file, network, places } = this.#options
    const before = file.read()
    const { all } = await this.#known()
    const own = new Set((await network.addresses()).map(({ address }) => address))
    if (all > 0 && before !== FAULT || places.some(({ address }) => own.has(address))) return undefined
    const isHeld = await this.#isHeldElsewhere()
    if (isHeld === false) return undefined
    file.write(FAULT)
    const why = isHeld === undefined ? 'who holds the addresses cannot be asked' : 'another director holds the addresses'
    return `${why}, and this machine knows ${all === 0 ? 'none' : 'only some'} of its connections`
  }

  /**
   * Waits until no more connections are told of, nobody holds the addresses, or its time is over. To be called when the table is there and
   * the sync daemons run.
   *
   * @returns why it waits no more, in words; `undefined` where it was closed
   */
  async ready(): Promise<string | undefined> {
    const { ipvs, after } = this.#options
    const { signal } = this.#stop
    const begun = performance.now()
    const refresh = await ipvs.sysctl.get('sync_refresh_period').catch(() => 0)
    const enough = QUIET * Math.max(refresh, LOOK)
    let most = 0
    const told = (why: string): string => `${why}; ${most} connections of the other director are known`
    for (let grown = begun; ;) {
      const now = performance.now()
      if (now - begun >= after * 1_000) return told(`${after} s are over`)
      if (now - grown >= enough * 1_000) return told(`no more came in ${enough} s`)
      await wait(Math.min(LOOK * 1_000, begun + after * 1_000 - now), undefined, { signal }).catch(() => {})
      if (signal.aborted) return undefined
      const { synced } = await this.#known()
      if (synced > most) [most, grown] = [synced, performance.now()]
      // One answer may have been lost.
      if (await this.#isHeldElsewhere() === false && await this.#isHeldElsewhere() === false) return told('nobody holds the addresses')
    }
  }

  /** Lets this machine take part in VRRP again. */
  takePart(): void {
    this.#options.file.write(0)
  }

  /** Ends the waiting. The file stays as it is. */
  close(): void {
    this.#stop.abort()
  }
}
