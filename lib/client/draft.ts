import { isArgumentError } from '../model/errors.js'
import type { DaemonInput, Destination, DestinationKey, Operation, Service, ServiceKey, Timeouts } from '../model/types.js'
import { CONFIGURABLE_FLAGS, FORWARDING_METHODS, PERSISTENT, TUNNEL_TYPES } from '../model/vocabulary.js'
import {
  FORWARD, LOWER_THRESHOLD, TUNNEL_FLAGS, TUNNEL_PORT, TUNNEL_TYPE, UPPER_THRESHOLD, WEIGHT,
} from '../wire/fields/destination.js'
import {
  ENGINE as ENGINE_BYTE, ENGINE_LENGTH, FLAGS, NETMASK, PRESENT, SCHEDULER as SCHEDULER_BYTE, SCHEDULER_LENGTH, TIMEOUT,
} from '../wire/fields/service.js'
import { bits, records } from '../wire/layout.js'
import { DESTINATION_REQUEST_SIZE, writeDestination, writeDestinationKey } from '../wire/pack/destination.js'
import { Requests } from '../wire/pack/requests.js'
import { SERVICE_KEY_SIZE, SERVICE_SIZE, writeService, writeServiceKey } from '../wire/pack/service.js'
import { readGivenDaemon } from '../wire/unpack/daemon.js'
import { readConfiguration } from '../wire/unpack/destination.js'
import type { View } from '../wire/unpack/reply.js'
import { readService, readServiceKey } from '../wire/unpack/service.js'
import { changes, packOperation } from './operations.js'

// The comparison of two packed entries' configurations. The leading part of a listed record is its configuration, and has the same layout
// as a request. So the bytes are compared, without the keys and without bytes that have no meaning.

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
function sameServiceConfiguration({ u32: a }: View, aAt: number, { u32: b }: View, bAt: number): boolean {
  const one = aAt >>> 2
  const other = bAt >>> 2
  // The kernel has flags of its own (IP_VS_SVC_F_HASHED).
  const flags = a[one + FLAGS] & CONFIGURABLE_FLAGS
  if (flags !== (b[other + FLAGS] & CONFIGURABLE_FLAGS)) return false
  // Without persistence the kernel does not use timeout and mask, and other programs leave any value there.
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
function sameDestinationConfiguration(a: View, aAt: number, b: View, bAt: number): boolean {
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
 * The kernel does not use a checksum of IPIP, nor a port of any type but GUE (`ip_vs_tunnel_xmit`), and other programs can set them.
 * Kernels before 5.2 list no tunnel; theirs is IPIP, which is all zeros.
 */
function sameTunnel(a: View, aAt: number, b: View, bAt: number): boolean {
  const type = a.u8[aAt + TUNNEL_TYPE]
  if (type !== b.u8[bAt + TUNNEL_TYPE]) return false
  if (type === IPIP) return true
  if (a.u16[(aAt >>> 1) + TUNNEL_FLAGS] !== b.u16[(bAt >>> 1) + TUNNEL_FLAGS]) return false
  return type !== GUE || a.u16[(aAt >>> 1) + TUNNEL_PORT] === b.u16[(bAt >>> 1) + TUNNEL_PORT]
}

/** A request about a destination begins with a service's key, whatever is done with it. */
const ANY_SERVICE: ServiceKey = { protocol: 'tcp', address: '0.0.0.0', port: 0 }

/**
 * A desired service and one of its destinations, packed so that they can be compared with what the kernel lists. They are packed by the
 * same writers as requests, which validate them and fill in the defaults. Nothing here knows a default or a range of its own, and nothing
 * is sent.
 */
export class Draft {
  readonly #requests = new Requests(SERVICE_SIZE + DESTINATION_REQUEST_SIZE + 64)
  /** Each kind of record has its own place, so that the bytes between the fields stay zero. */
  readonly serviceAt = this.#requests.reserve(SERVICE_SIZE + DESTINATION_REQUEST_SIZE)
  readonly #destinationRequest = this.serviceAt + SERVICE_SIZE
  readonly destinationAt = this.#destinationRequest + SERVICE_KEY_SIZE

  get view(): View {
    return this.#requests
  }

  /** Validates and packs a service. Throws what `addService` throws. Does not look at destinations that it has. */
  packService(service: unknown): void {
    writeService(this.#requests, this.serviceAt, service, false, true)
  }

  /** Validates and packs a destination. Throws what `addDestination` throws. The packed service stays as it is. */
  packDestination(service: ServiceKey, destination: unknown): void {
    writeDestination(this.#requests, this.#destinationRequest, service, destination, false)
  }

  /** Packs only the key of a destination. */
  packDestinationKey(destination: DestinationKey): void {
    writeDestinationKey(this.#requests, this.#destinationRequest, ANY_SERVICE, destination)
  }

  /** Copies a listed service, even one that could not be packed because this library refuses its configuration. */
  copyService({ u8 }: View, at: number): void {
    this.#requests.u8.set(u8.subarray(at, at + SERVICE_SIZE), this.serviceAt)
  }

  /** Copies a listed destination, even one that could not be packed. */
  copyDestination({ u8 }: View, at: number): void {
    this.#requests.u8.set(u8.subarray(at, at + records.destination.requestSize), this.destinationAt)
  }

  /** Whether a listed service is configured as the packed one. */
  isServiceAt(listing: View, at: number): boolean {
    return sameServiceConfiguration(listing, at, this.#requests, this.serviceAt)
  }

  /** Whether a listed destination is configured as the packed one. */
  isDestinationAt(listing: View, at: number): boolean {
    return sameDestinationConfiguration(listing, at, this.#requests, this.destinationAt)
  }

  /** The canonical key of the packed service. */
  serviceKey(): ServiceKey {
    return readServiceKey(this.#requests, this.serviceAt)
  }

  /** The complete, canonical configuration of the packed service. */
  service(): Service {
    return readService(this.#requests, this.serviceAt)
  }

  /** The complete, canonical configuration of the packed destination. */
  destination(): Destination {
    return readConfiguration(this.#requests, this.destinationAt, {} as Destination)
  }
}

const requests = new Requests(1024)

/** The canonical key of a service. Throws what `removeService` throws. */
export function canonicalKey(service: unknown): ServiceKey {
  requests.clear()
  const at = requests.reserve(SERVICE_KEY_SIZE)
  writeServiceKey(requests, at, service)
  return readServiceKey(requests, at)
}

/** The canonical form of a sync daemon's options, without those that are left to the kernel. Throws what `startDaemon` throws. */
export function canonicalDaemon(daemon: unknown): DaemonInput {
  requests.clear()
  changes.startDaemon.pack(requests, daemon, undefined)
  return readGivenDaemon(requests, requests.recordsOf(0))
}

/** Validates timeouts. Throws what `setTimeouts` throws. */
export function checkTimeouts(timeouts: Partial<Timeouts>): void {
  requests.clear()
  changes.setTimeouts.pack(requests, timeouts, undefined)
}

/** Validates an operation. Throws what its method throws. */
export function checkOperation(operation: Operation): void {
  requests.clear()
  packOperation(requests, operation)
}

/**
 * Says why an operation cannot be sent; `undefined` if it can. The kernel can have entries of other programs whose configuration this
 * library refuses.
 */
export function objection(operation: Operation): string | undefined {
  try {
    checkOperation(operation)
  } catch (error) {
    if (isArgumentError(error)) return error.message
    throw error
  }
  return undefined
}
