import type { RecordName } from '../native/addon.js'
import { index } from '../native/layout.js'
import type { Rates, Statistics } from '../types.js'
import type { Reply } from './reply.js'

/** Where a kind of record has its counters: 64-bit ones in units of eight bytes, rates in units of four. */
export interface CounterLayout {
  connections: number
  inPackets: number
  outPackets: number
  inBytes: number
  outBytes: number
  rateConnections: number
  rateInPackets: number
  rateOutPackets: number
  rateInBytes: number
  rateOutBytes: number
}

export function counterLayout(record: RecordName): CounterLayout {
  const counter = (name: string): number => index(record, name, 'u64')
  return {
    connections: counter('connections'),
    inPackets: counter('inPackets'),
    outPackets: counter('outPackets'),
    inBytes: counter('inBytes'),
    outBytes: counter('outBytes'),
    rateConnections: counter('rateConnections'),
    rateInPackets: counter('rateInPackets'),
    rateOutPackets: counter('rateOutPackets'),
    rateInBytes: counter('rateInBytes'),
    rateOutBytes: counter('rateOutBytes'),
  }
}

/**
 * `JSON.stringify` has no words for a bigint. Statistics bring their own: an own property, but not an enumerable one, so that copies, clones and
 * comparisons see plain objects.
 */
const TO_JSON: PropertyDescriptor = {
  value(this: Statistics): Record<keyof Statistics, string> {
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

export function readStatistics({ u64 }: Reply, at: number, layout: CounterLayout): Statistics {
  const at8 = at >> 3
  return Object.defineProperty({
    connections: u64[at8 + layout.connections],
    inPackets: u64[at8 + layout.inPackets],
    outPackets: u64[at8 + layout.outPackets],
    inBytes: u64[at8 + layout.inBytes],
    outBytes: u64[at8 + layout.outBytes],
  }, 'toJSON', TO_JSON)
}

export function readRates({ u64 }: Reply, at: number, layout: CounterLayout): Rates {
  const at8 = at >> 3
  return {
    connections: Number(u64[at8 + layout.rateConnections]),
    inPackets: Number(u64[at8 + layout.rateInPackets]),
    outPackets: Number(u64[at8 + layout.rateOutPackets]),
    inBytes: Number(u64[at8 + layout.rateInBytes]),
    outBytes: Number(u64[at8 + layout.rateOutBytes]),
  }
}
