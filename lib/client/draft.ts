import { isArgumentError } from '../model/errors.js'
import type { DaemonInput, Destination, DestinationKey, Operation, Service, ServiceKey, Timeouts } from '../model/types.js'
import { records } from '../wire/layout.js'
import { DESTINATION_REQUEST_SIZE, writeDestination, writeDestinationKey } from '../wire/pack/destination.js'
import { Requests } from '../wire/pack/requests.js'
import { SERVICE_KEY_SIZE, SERVICE_SIZE, writeService, writeServiceKey } from '../wire/pack/service.js'
import { readGivenDaemon } from '../wire/unpack/daemon.js'
import { readConfiguration } from '../wire/unpack/destination.js'
import type { View } from '../wire/unpack/reply.js'
import { readService, readServiceKey } from '../wire/unpack/service.js'
import { changes, packOperation } from './operations.js'

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

  /** Throws what `addService` throws. Destinations that the service has are not looked at. */
  packService(service: unknown): void {
    writeService(this.#requests, this.serviceAt, service, false, true)
  }

  /** Throws what `addDestination` throws. The service stays as it was packed. */
  packDestination(service: ServiceKey, destination: unknown): void {
    writeDestination(this.#requests, this.#destinationRequest, service, destination, false)
  }

  /** Packs only the key of a destination. */
  packDestinationKey(destination: DestinationKey): void {
    writeDestinationKey(this.#requests, this.#destinationRequest, ANY_SERVICE, destination)
  }

  /** Copies a listed service, even one that could not be packed. */
  copyService({ u8 }: View, at: number): void {
    this.#requests.u8.set(u8.subarray(at, at + SERVICE_SIZE), this.serviceAt)
  }

  /** The same for a listed destination. */
  copyDestination({ u8 }: View, at: number): void {
    this.#requests.u8.set(u8.subarray(at, at + records.destination.requestSize), this.destinationAt)
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

/** Throws what `setTimeouts` throws. */
export function checkTimeouts(timeouts: Partial<Timeouts>): void {
  requests.clear()
  changes.setTimeouts.pack(requests, timeouts, undefined)
}

/** Throws if an operation cannot be sent. */
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
