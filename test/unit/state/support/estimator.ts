import type { Rates, Statistics } from '../../../../lib/model/types.js'

const names = ['connections', 'inPackets', 'outPackets', 'inBytes', 'outBytes'] as const
type Counts = Record<(typeof names)[number], bigint>
const each = (value: (name: (typeof names)[number]) => bigint): Counts =>
  Object.fromEntries(names.map((name) => [name, value(name)])) as Counts

/** Connections and packets are kept in 1024ths, bytes in 32nds. */
const scale = (name: keyof Counts): bigint => name.endsWith('Bytes') ? 32n : 1024n

/** The kernel's counting of one service or destination, in whole numbers as it does it: net/netfilter/ipvs/ip_vs_est.c. */
export class Estimator {
  /** What has passed. */
  #passed = each(() => 0n)
  /** What was added up last, and what of it was zeroed. */
  #added = each(() => 0n)
  #zero = each(() => 0n)
  #average = each(() => 0n)

  pass(packets: number, bytesEach = 100): void {
    const more: Counts = {
      connections: BigInt(packets),
      inPackets: BigInt(packets * 5),
      outPackets: 0n,
      inBytes: BigInt(packets * 5 * bytesEach),
      outBytes: 0n,
    }
    this.#passed = each((name) => this.#passed[name] + more[name])
  }

  /** What happens every two seconds. */
  addUp(): void {
    this.#average = each((name) => {
      const rate = (this.#passed[name] - this.#added[name]) * scale(name) / 2n
      return this.#average[name] + ((rate - this.#average[name]) >> 2n)
    })
    this.#added = { ...this.#passed }
  }

  zero(): void {
    this.#zero = { ...this.#added }
    this.#average = each(() => 0n)
  }

  list(): { stats: Statistics, rates: Rates } {
    const rate = (name: keyof Counts): number => Number((this.#average[name] + scale(name) / 2n - 1n) / scale(name))
    return {
      stats: each((name) => this.#added[name] - this.#zero[name]),
      rates: Object.fromEntries(names.map((name) => [name, rate(name)])) as unknown as Rates,
    }
  }
}

/** What happens at a moment, in milliseconds. */
export interface Event { at: number, happens: (kernel: Estimator) => void }

/** Moments from a first one to an end, a step apart. */
export function* every(step: number, from: number, until: number): Generator<number> {
  for (let i = 0; from + i * step <= until; i++) yield from + i * step
}

/** Lets everything happen in order of time; what happens at the same time in the order given. */
export function live(kernel: Estimator, events: Iterable<Event>): void {
  for (const { happens } of [...events].sort((a, b) => a.at - b.at)) happens(kernel)
}
