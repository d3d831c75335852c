import { object, type Properties } from '../arguments/validate.js'
import { isArgumentError } from '../model/errors.js'
import { keyOf } from '../model/keys.js'
import { changes, packOperation } from '../client/operations.js'
import { Requests } from '../wire/pack/requests.js'
import { SERVICE_KEY_SIZE } from '../wire/pack/service.js'
import type { Daemon, DaemonInput, Destination, DestinationInput, ListedService, Operation, Service, ServiceInput, ServiceKey, Tunnel } from '../model/types.js'
import { readDaemon } from '../wire/unpack/daemon.js'
import { LISTED_DESTINATION_SIZE, readListedDestination } from '../wire/unpack/destination.js'
import { Reply } from '../wire/unpack/reply.js'
import { LISTED_SERVICE_SIZE, readService } from '../wire/unpack/service.js'

export { destinationId, endpointWords, isOtherFamily, keyOf, serviceId, serviceWords } from '../model/keys.js'

/**
 * What the kernel would list if it were given this: the configuration is packed as for `add…`, which validates it and fills in the defaults,
 * and read like an answer, which gives everything its one spelling. So nothing here knows a default or a range of its own.
 */

const requests = new Requests(1024)
/** A record as the kernel would send it. Its counters stay zero. */
const record = new Reply(new ArrayBuffer(Math.max(LISTED_SERVICE_SIZE, LISTED_DESTINATION_SIZE, 1024)))

/** Packs, and puts the records of the request where a reply's would be; `skip` leaves out those at the beginning. */
function pack(change: { pack(requests: Requests, first: unknown, second: unknown): void }, skip: number, first: unknown, second?: unknown): void {
  requests.clear()
  requests.u8.fill(0)
  change.pack(requests, first, second)
  record.u8.fill(0)
  record.u8.set(requests.u8.subarray(requests.recordsOf(0) + skip, requests.length))
}

/**
 * Why an operation cannot be sent, in words; `undefined` for one that can. The configurations of other programs' entries, which the kernel took, can be such
 * as this library writes none.
 */
export function objection(operation: Operation): string | undefined {
  requests.clear()
  try {
    packOperation(requests, operation)
  } catch (error) {
    if (isArgumentError(error)) return error.message
    throw error
  }
  return undefined
}

/** Gives bad input the place where it was found: 'service.port' becomes 'desired.services[3].port'. */
export function located<Made>(path: string, prefix: string, make: () => Made): Made {
  try {
    return make()
  } catch (error) {
    if (isArgumentError(error) && error.field.startsWith(prefix)) {
      const field = path + error.field.slice(prefix.length)
      error.message = error.message.replace(error.field, field)
      error.field = field
    }
    throw error
  }
}

/** The complete configuration of a service, canonical. Throws what `addService` throws. */
export function completeService(service: ServiceInput): Service {
  pack(changes.addService, 0, service)
  return readService(record, 0)
}

/** The complete configuration of a destination, canonical. Throws what `addDestination` throws. */
export function completeDestination(service: ServiceKey, destination: DestinationInput): Destination {
  pack(changes.addDestination, SERVICE_KEY_SIZE, service, destination)
  return configurationOf(readListedDestination(record, 0))
}

/** A listed tunnel without what the kernel has no use for (`ip_vs_tunnel_xmit`): other programs can set a port for any type, and a checksum for IPIP. */
function tunnelInUse(tunnel: Tunnel | null): Tunnel | null {
  if (tunnel?.type === 'ipip') return { type: 'ipip', checksum: 'none' }
  return tunnel?.type === 'gre' ? { type: 'gre', checksum: tunnel.checksum } : tunnel
}

/** A listed destination without what the kernel counts. */
export const configurationOf = ({ address, port, forward, weight, upperThreshold, lowerThreshold, tunnel }: Destination): Destination =>
  ({ address, port, forward, weight, upperThreshold, lowerThreshold, tunnel: tunnelInUse(tunnel) })

/** A listed service without what the kernel counts, and without its destinations. */
export const serviceConfigurationOf = (service: Service | ListedService): Service =>
  ({
    ...keyOf(service), scheduler: service.scheduler, schedulerFlags: service.schedulerFlags, onePacket: service.onePacket,
    persistence: service.persistence, persistenceEngine: service.persistenceEngine,
  })

/** What is asked of a sync daemon, canonical; what was left to the kernel is not there. */
export function canonicalDaemon(daemon: DaemonInput): Pick<Daemon, 'role' | 'interface' | 'syncId'> & Partial<Daemon> {
  pack(changes.startDaemon, 0, daemon)
  const all = readDaemon(record, 0)
  const given = object(daemon, 'daemon')
  const named = Object.entries(all).filter(([name]) => name === 'syncId' || given[name] !== undefined)
  return Object.fromEntries(named) as ReturnType<typeof canonicalDaemon>
}

const isText = (...values: unknown[]): boolean => values.every((value) => typeof value === 'string' || typeof value === 'number')

/** Whether a desired service can be looked for by its id as it is spelled. What cannot will be refused. */
export function isSpelled(service: unknown): service is ServiceKey {
  if (typeof service !== 'object' || service === null) return false
  const { protocol, address, port, fwmark, family } = service as Properties
  return fwmark === undefined ? isText(protocol, address, port) : isText(fwmark, family)
}
