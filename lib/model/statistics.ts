import type { Rates, Statistics } from './types.js'

/** The names of the five counters, in the kernel's order. */
export const COUNTERS = ['connections', 'inPackets', 'outPackets', 'inBytes', 'outBytes'] as const satisfies (keyof Statistics)[]

export type Counter = keyof Statistics

/**
 * `JSON.stringify` has no words for a bigint. Statistics bring their own, each counter as decimal text, which keeps all 64 bits: an own property, but not an
 * enumerable one, so that copies, clones and comparisons see plain objects.
 */
export const STATISTICS_TO_JSON: PropertyDescriptor = {
  value(this: Statistics): Record<Counter, string> {
    return {
      connections: String(this.connections),
      inPackets: String(this.inPackets),
      outPackets: String(this.outPackets),
      inBytes: String(this.inBytes),
      outBytes: String(this.outBytes),
    }
  },
  enumerable: false,
  configurable: true,
  writable: true,
}

/** Statistics made of a value for each counter. */
export function statisticsOf(value: (name: Counter) => bigint): Statistics {
  const stats: Statistics = {
    connections: value('connections'), inPackets: value('inPackets'), outPackets: value('outPackets'), inBytes: value('inBytes'), outBytes: value('outBytes'),
  }
  return Object.defineProperty(stats, 'toJSON', STATISTICS_TO_JSON)
}

/** Rates made of a value for each counter. */
export const ratesOf = (value: (name: Counter) => number): Rates => ({
  connections: value('connections'), inPackets: value('inPackets'), outPackets: value('outPackets'), inBytes: value('inBytes'), outBytes: value('outBytes'),
})
