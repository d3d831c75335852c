import { CONFIGURABLE_FLAGS, FORWARDING_METHODS, PERSISTENT, TUNNEL_TYPES } from '../model/vocabulary.js'
import {
  FORWARD, LOWER_THRESHOLD, TUNNEL_FLAGS, TUNNEL_PORT, TUNNEL_TYPE, UPPER_THRESHOLD, WEIGHT,
} from '../wire/fields/destination.js'
import {
  ENGINE as ENGINE_BYTE, ENGINE_LENGTH, FLAGS, NETMASK, PRESENT, SCHEDULER as SCHEDULER_BYTE, SCHEDULER_LENGTH, TIMEOUT,
} from '../wire/fields/service.js'
import { bits } from '../wire/layout.js'
import type { View } from '../wire/unpack/reply.js'

/**
 * Whether two packed entries are configured alike. The leading part of a listed record is its configuration, and has the same layout as a
 * request: the bytes are compared, without those that say nothing. Their keys are not looked at.
 */

const SCHEDULER = SCHEDULER_BYTE / 4
const SCHEDULER_WORDS = SCHEDULER_LENGTH / 4
const ENGINE = ENGINE_BYTE / 4
const ENGINE_WORDS = ENGINE_LENGTH / 4
const HAS_ENGINE = bits('service', 'persistenceEngine')

function sameWords(a: Uint32Array, aAt: number, b: Uint32Array, bAt: number, count: number): boolean {
  for (let word = 0; word < count; word++) if (a[aAt + word] !== b[bAt + word]) return false
  return true
}

/** Whether the services at these places are configured alike. */
export function sameServiceConfiguration({ u32: a }: View, aAt: number, { u32: b }: View, bAt: number): boolean {
  const one = aAt >>> 2
  const other = bAt >>> 2
  // The kernel has flags of its own (IP_VS_SVC_F_HASHED).
  const flags = a[one + FLAGS] & CONFIGURABLE_FLAGS
  if (flags !== (b[other + FLAGS] & CONFIGURABLE_FLAGS)) return false
  // Without persistence there is no use for a timeout and a mask, and other programs leave anything there.
  if (flags & PERSISTENT && (a[one + TIMEOUT] !== b[other + TIMEOUT] || a[one + NETMASK] !== b[other + NETMASK])) return false
  if (!sameWords(a, one + SCHEDULER, b, other + SCHEDULER, SCHEDULER_WORDS)) return false
  const hasEngine = a[one + PRESENT] & HAS_ENGINE
  if (hasEngine !== (b[other + PRESENT] & HAS_ENGINE)) return false
  return !hasEngine || sameWords(a, one + ENGINE, b, other + ENGINE, ENGINE_WORDS)
}

/** The forwarding method's part of IP_VS_CONN_F flags. */
const METHOD_MASK = 7
const TUN = FORWARDING_METHODS.number.get('tun')!
const IPIP = TUNNEL_TYPES.number.get('ipip')!
const GUE = TUNNEL_TYPES.number.get('gue')!

/** Whether the destinations at these places are configured alike. */
export function sameDestinationConfiguration(a: View, aAt: number, b: View, bAt: number): boolean {
  const one = aAt >>> 2
  const other = bAt >>> 2
  const method = a.u32[one + FORWARD] & METHOD_MASK
  return method === (b.u32[other + FORWARD] & METHOD_MASK)
    && a.u32[one + WEIGHT] === b.u32[other + WEIGHT]
    && a.u32[one + UPPER_THRESHOLD] === b.u32[other + UPPER_THRESHOLD]
    && a.u32[one + LOWER_THRESHOLD] === b.u32[other + LOWER_THRESHOLD]
    && (method !== TUN || sameTunnel(a, aAt, b, bAt))
}

/**
 * The kernel has no use for a checksum of IPIP, nor for a port of anything but GUE (`ip_vs_tunnel_xmit`): other programs can set them.
 * Kernels before 5.2 send no tunnel; theirs is IPIP, which is all zeros.
 */
function sameTunnel(a: View, aAt: number, b: View, bAt: number): boolean {
  const type = a.u8[aAt + TUNNEL_TYPE]
  if (type !== b.u8[bAt + TUNNEL_TYPE]) return false
  if (type === IPIP) return true
  if (a.u16[(aAt >>> 1) + TUNNEL_FLAGS] !== b.u16[(bAt >>> 1) + TUNNEL_FLAGS]) return false
  return type !== GUE || a.u16[(aAt >>> 1) + TUNNEL_PORT] === b.u16[(bAt >>> 1) + TUNNEL_PORT]
}
