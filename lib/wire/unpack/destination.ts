import { formatIPv4, formatIPv6 } from '../../model/address.js'
import {
  ACTIVE_CONNECTIONS, ADDRESS, FAMILY, FORWARD, INACTIVE_CONNECTIONS, LOWER_THRESHOLD, PERSISTENT_CONNECTIONS, PORT, PRESENT,
  TUNNEL_FLAGS, TUNNEL_PORT, TUNNEL_TYPE, UPPER_THRESHOLD, WEIGHT,
} from '../fields/destination.js'
import { bits, records } from '../layout.js'
import type { Destination, DestinationKey, ForwardingMethod, ListedDestination, Tunnel } from '../../model/types.js'
import { AF_INET, AF_INET6, CHECKSUMS, FORWARDING_METHODS, TUNNEL_TYPES } from '../../model/vocabulary.js'
import { counterLayout, isStill, readRates, readStatistics } from './counters.js'
import type { Reply, View } from './reply.js'

/** Bytes of a listed destination. */
export const LISTED_DESTINATION_SIZE = records.destination.size

const COUNTERS = counterLayout('destination')

const HAS_TUNNEL = bits('destination', 'tunnelType')

const METHOD_MASK = 7
const TUN = FORWARDING_METHODS.number.get('tun')!
const METHODS = Array.from(
  { length: METHOD_MASK + 1 },
  (_, number) => FORWARDING_METHODS.word.get(number) ?? number as unknown as ForwardingMethod,
)

const address = (view: View, at: number): string =>
  view.u16[(at >>> 1) + FAMILY] === AF_INET6 ? formatIPv6(view.u8, at + ADDRESS) : formatIPv4(view.u8, at + ADDRESS)

/** Reads the key of the destination at `at`. */
export const readDestinationKey = (view: View, at: number): DestinationKey =>
  ({ address: address(view, at), port: view.u16[(at >>> 1) + PORT] })

/** Family of the destination at `at`. */
export const readDestinationFamily = (view: View, at: number): 4 | 6 => view.u16[(at >>> 1) + FAMILY] === AF_INET ? 4 : 6

/** Kernels before 5.2 send no tunnel and know only IPIP. */
function tunnel(view: View, at: number): Tunnel {
  if (!(view.u32[(at >>> 2) + PRESENT] & HAS_TUNNEL)) return { type: 'ipip', checksum: 'none' }
  const number = view.u8[at + TUNNEL_TYPE]
  const flags = view.u16[(at >>> 1) + TUNNEL_FLAGS]
  const port = view.u16[(at >>> 1) + TUNNEL_PORT]
  const type = TUNNEL_TYPES.word.get(number) ?? number as unknown as Tunnel['type']
  const checksum = CHECKSUMS.word.get(flags) ?? flags as unknown as Tunnel['checksum']
  return port === 0 ? { type, checksum } : { type, port, checksum }
}

/** Reads the configuration of the destination at `at` into a reused object. */
export function readConfiguration(view: View, at: number, into: Destination): Destination {
  const { u32 } = view
  const at4 = at >>> 2
  const method = u32[at4 + FORWARD] & METHOD_MASK
  into.address = address(view, at)
  into.port = view.u16[(at >>> 1) + PORT]
  into.forward = METHODS[method]
  into.weight = view.i32[at4 + WEIGHT]
  into.upperThreshold = u32[at4 + UPPER_THRESHOLD]
  into.lowerThreshold = u32[at4 + LOWER_THRESHOLD]
  into.tunnel = method === TUN ? tunnel(view, at) : null
  return into
}

/** Whether the kernel's averages show no traffic through the listed destination at `at`. */
export const isDestinationStill = (view: View, at: number): boolean => isStill(view, at, COUNTERS)

/** Reads a listed destination. */
export function readListedDestination(reply: Reply, at: number): ListedDestination {
  const { u32 } = reply
  const at4 = at >>> 2
  const method = u32[at4 + FORWARD] & METHOD_MASK
  return {
    address: address(reply, at),
    port: reply.u16[(at >>> 1) + PORT],
    forward: METHODS[method],
    weight: reply.i32[at4 + WEIGHT],
    upperThreshold: u32[at4 + UPPER_THRESHOLD],
    lowerThreshold: u32[at4 + LOWER_THRESHOLD],
    tunnel: method === TUN ? tunnel(reply, at) : null,
    activeConnections: u32[at4 + ACTIVE_CONNECTIONS],
    inactiveConnections: u32[at4 + INACTIVE_CONNECTIONS],
    persistentConnections: u32[at4 + PERSISTENT_CONNECTIONS],
    stats: readStatistics(reply, at, COUNTERS),
    rates: readRates(reply, at, COUNTERS),
  }
}
