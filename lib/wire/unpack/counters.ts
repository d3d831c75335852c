import type { RecordName } from '../addon.js'
import { index } from '../layout.js'
import { STATISTICS_TO_JSON } from '../../model/statistics.js'
import type { Rates, Statistics } from '../../model/types.js'
import type { ListingView, View } from './reply.js'

/** Where a record has its counters and rates, in units of eight bytes. */
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
  const place = (name: string): number => index(record, name, 'u64')
  return {
    connections: place('connections'),
    inPackets: place('inPackets'),
    outPackets: place('outPackets'),
    inBytes: place('inBytes'),
    outBytes: place('outBytes'),
    rateConnections: place('rateConnections'),
    rateInPackets: place('rateInPackets'),
    rateOutPackets: place('rateOutPackets'),
    rateInBytes: place('rateInBytes'),
    rateOutBytes: place('rateOutBytes'),
  }
}

/** Reads a counter. Most are zero, and the constant 0n saves allocating a bigint for each of them. */
function counter({ u32, u64 }: ListingView, at8: number): bigint {
  return (u32[at8 * 2] | u32[at8 * 2 + 1]) === 0 ? 0n : u64[at8]
}

/** Whether the kernel's averages are all 0. */
export function isStill({ u32 }: View, at: number, layout: CounterLayout): boolean {
  const at8 = at >>> 3
  const both = (at: number): number => u32[at * 2] | u32[at * 2 + 1]
  return (both(at8 + layout.rateInBytes) | both(at8 + layout.rateInPackets) | both(at8 + layout.rateConnections)
    | both(at8 + layout.rateOutBytes) | both(at8 + layout.rateOutPackets)) === 0
}

/** Which of two 32-bit words is the lower one. */
const LOW = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 0 : 1

const rate = (u32: Uint32Array, at8: number): number => u32[at8 * 2 + LOW] + u32[at8 * 2 + 1 - LOW] * 2 ** 32

/**
 * A constructor of plain objects. Object literals would give the same result, but V8 takes twice as long to add a hidden property to an
 * object from a literal, and that was a third of a snapshot's time.
 */
type StatisticsConstructor =
  new (connections: bigint, inPackets: bigint, outPackets: bigint, inBytes: bigint, outBytes: bigint) => Statistics

const PlainStatistics = function (
  this: Statistics, connections: bigint, inPackets: bigint, outPackets: bigint, inBytes: bigint, outBytes: bigint,
): void {
  this.connections = connections
  this.inPackets = inPackets
  this.outPackets = outPackets
  this.inBytes = inBytes
  this.outBytes = outBytes
  Object.defineProperty(this, 'toJSON', STATISTICS_TO_JSON)
} as unknown as StatisticsConstructor
PlainStatistics.prototype = Object.prototype

export function readStatistics(reply: ListingView, at: number, layout: CounterLayout): Statistics {
  const at8 = at >>> 3
  return new PlainStatistics(
    counter(reply, at8 + layout.connections),
    counter(reply, at8 + layout.inPackets),
    counter(reply, at8 + layout.outPackets),
    counter(reply, at8 + layout.inBytes),
    counter(reply, at8 + layout.outBytes),
  )
}

export function readRates({ u32 }: ListingView, at: number, layout: CounterLayout): Rates {
  const at8 = at >>> 3
  return {
    connections: rate(u32, at8 + layout.rateConnections),
    inPackets: rate(u32, at8 + layout.rateInPackets),
    outPackets: rate(u32, at8 + layout.rateOutPackets),
    inBytes: rate(u32, at8 + layout.rateInBytes),
    outBytes: rate(u32, at8 + layout.rateOutBytes),
  }
}
