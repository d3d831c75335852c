import { EventEmitter } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { Network } from '../network/index.js'
import { Holding } from './holding.js'
import { otherHolders } from './other-holders.js'
import type { HoldingChange, HoldingStatus, SharedAddress, VrrpState } from './types.js'
import { VrrpFifo } from './vrrp-fifo.js'

/** Milliseconds in which addresses that come or go are told together: VRRP moves them one after the other. */
const TOGETHER = 50
/** Milliseconds: between two rounds of questions who else has the addresses, after they came, and until an answer is asked for again. */
const [ROUND, SETTLED, SURE] = [30_000, 3_000, 1_000]
/** Seconds until the kernel is asked again after it could not be, doubled each time up to the second. */
const [AGAIN, LATEST] = [0.5, 60]

/** Events of a {@link Holder}. */
interface HolderEvents {
  /** Other addresses are held. */
  change: [HoldingChange]
  /** keepalived has written a state into the FIFO. */
  vrrp: [VrrpState]
  /** keepalived has closed the FIFO, and not opened it again. */
  vrrpGone: []
  /** Other machines hold addresses that this one holds; or no more. */
  shared: [SharedAddress]
  /** The kernel could not be asked, or the FIFO not be read. */
  failed: [{ error: unknown, retryIn: number }]
}

/**
 * Tells whether this machine has the addresses that move between directors: the kernel says so. What keepalived writes into its FIFO is
 * passed on besides. Which of them come is told within a moment; whether another machine has them too is asked on the link, now and then.
 */
export class Holder extends EventEmitter<HolderEvents> {
  readonly #holding = new Holding()
  readonly #netns: number | undefined
  readonly #fifoPath: string | undefined
  readonly #stop = new AbortController()
  readonly #vrrp = new Map<string, VrrpState>()
  readonly #shared = new Map<string, string[]>()
  #network: Network | undefined
  #fifo: VrrpFifo | undefined
  #started: Promise<void> | undefined
  #running: Promise<void> = Promise.resolve()
  #asking: Promise<void> = Promise.resolve()
  #telling: NodeJS.Timeout | undefined
  #asks: NodeJS.Timeout | undefined
  /** When the next round of questions begins, as of `performance.now()`. */
  #nextRound = Infinity

  /**
   * @param netns descriptor of the network namespace; the process's own by default
   * @param fifo path of keepalived's FIFO
   */
  constructor(netns: number | undefined, fifo: string | undefined) {
    super()
    this.#netns = netns
    this.#fifoPath = fifo
  }

  /** Begins to look. Fulfilled when it is known which addresses the machine has, or that they cannot be asked for at present. */
  start(): Promise<void> {
    return this.#started ??= new Promise((resolve) => {
      if (this.#fifoPath !== undefined) this.#read(this.#fifoPath)
      this.#running = this.#run(resolve)
    })
  }

  #read(path: string): void {
    this.#fifo = new VrrpFifo(path, {
      state: (state) => {
        this.#vrrp.set(`${state.type} ${state.name}`, state)
        this.emit('vrrp', state)
      },
      gone: () => {
        this.#vrrp.clear()
        this.emit('vrrpGone')
        this.#askIn(SETTLED)
      },
      trouble: (error) => void this.emit('failed', { error, retryIn: 1 }),
    })
  }

  async #run(ready: () => void): Promise<void> {
    const { signal } = this.#stop
    for (let pause = AGAIN; !signal.aborted; pause = Math.min(LATEST, pause * 2)) {
      try {
        this.#network ??= await Network.open(this.#netns === undefined ? {} : { netns: { fd: this.#netns } })
        for await (const event of this.#network.addressEvents({ signal })) {
          pause = AGAIN
          this.#holding.take(event)
          if (event.type === 'list') this.#tell()
          else this.#tellSoon()
          ready()
        }
      } catch (error) {
        if (!signal.aborted) this.emit('failed', { error, retryIn: pause })
      }
      ready()
      if (!signal.aborted) await wait(pause * 1_000, undefined, { signal }).catch(() => {})
    }
  }

  /** Looks for these addresses from now on. */
  watch(addresses: Iterable<string>): void {
    this.#holding.watch(addresses)
    this.#tell()
  }

  #tellSoon(): void {
    this.#telling ??= setTimeout(() => this.#tell(), TOGETHER)
  }

  #tell(): void {
    clearTimeout(this.#telling)
    this.#telling = undefined
    const change = this.#holding.news()
    if (change === undefined) return
    for (const address of change.went) this.#tellShared(address, [])
    this.#askIn(change.came.length > 0 ? SETTLED : ROUND)
    this.emit('change', change)
  }

  /** Asks soon who else has the addresses, and then again and again. */
  #askIn(milliseconds: number): void {
    const at = performance.now() + milliseconds
    if (this.#stop.signal.aborted || this.#asks !== undefined && this.#nextRound <= at) return
    clearTimeout(this.#asks)
    this.#nextRound = at
    this.#asks = setTimeout(() => {
      this.#asking = this.#asking.then(() => this.#ask()).finally(() => {
        this.#asks = undefined
        this.#askIn(ROUND)
      })
    }, milliseconds)
  }

  /** Never rejects. */
  async #ask(): Promise<void> {
    const { signal } = this.#stop
    for (const { address } of this.#holding.addresses) {
      const network = this.#network
      const place = this.#holding.placeOf(address)
      if (place === undefined) continue
      if (signal.aborted || network === undefined) return
      const links = await network.links().catch(() => [])
      let others = await otherHolders(network, links, place.index, address)
      // While the address moves, both answer for a moment.
      if (others !== undefined && others.length > 0 && !this.#shared.has(address)) {
        await wait(SURE, undefined, { signal }).catch(() => {})
        if (signal.aborted) return
        others = await otherHolders(network, links, place.index, address)
      }
      if (others !== undefined && this.#holding.has(address) === true) this.#tellShared(address, others)
    }
  }

  #tellShared(address: string, others: string[]): void {
    const hardware = [...others].sort()
    if ((this.#shared.get(address) ?? []).join() === hardware.join()) return
    if (hardware.length > 0) this.#shared.set(address, hardware)
    else this.#shared.delete(address)
    const place = this.#holding.placeOf(address)
    this.emit('shared', { address, ...place !== undefined && { interface: place.interface }, hardware })
  }

  /** Whether the machine has an address; `undefined` while the kernel cannot be asked. */
  has(address: string): boolean | undefined {
    return this.#holding.has(address)
  }

  /** How it stands; `undefined` where no address is looked for. */
  status(): HoldingStatus | undefined {
    const { addresses, held, since } = this.#holding
    if (addresses.length === 0) return undefined
    return {
      held,
      since,
      addresses: addresses.map((one) => {
        const shared = this.#shared.get(one.address)
        return { ...one, ...shared !== undefined && { sharedWith: [...shared] } }
      }),
      vrrp: [...this.#vrrp.values()],
    }
  }

  async close(): Promise<void> {
    this.#stop.abort()
    clearTimeout(this.#telling)
    clearTimeout(this.#asks)
    this.#fifo?.close()
    await this.#asking
    await this.#running
    await this.#network?.close()
  }
}
