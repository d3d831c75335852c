import { keyOf } from '../model/keys.js'
import type { Destination, ListedService, Persistence, Service, Tunnel } from '../model/types.js'

/**
 * A listed tunnel without what the kernel does not use (`ip_vs_tunnel_xmit`). Other programs can set a port for any type, and a checksum
 * for IPIP.
 */
function tunnelInUse(tunnel: Tunnel | null): Tunnel | null {
  if (tunnel?.type === 'ipip') return { type: 'ipip', checksum: 'none' }
  return tunnel?.type === 'gre' ? { type: 'gre', checksum: tunnel.checksum } : tunnel
}

/** The configuration of a listed destination: without counters and rates. */
export const configurationOf = ({ address, port, forward, weight, upperThreshold, lowerThreshold, tunnel }: Destination): Destination =>
  ({ address, port, forward, weight, upperThreshold, lowerThreshold, tunnel: tunnelInUse(tunnel) })

/** The configuration of a listed service: without counters, rates and destinations. */
export const serviceConfigurationOf = (service: Service | ListedService): Service =>
  ({
    ...keyOf(service), scheduler: service.scheduler, schedulerFlags: service.schedulerFlags, onePacket: service.onePacket,
    persistence: service.persistence, persistenceEngine: service.persistenceEngine,
  })

const SERVICE_OPTIONS = ['scheduler', 'schedulerFlags', 'onePacket', 'persistence', 'persistenceEngine'] as const
const DESTINATION_OPTIONS = ['forward', 'weight', 'upperThreshold', 'lowerThreshold', 'tunnel'] as const

const shown = (value: unknown): string => {
  if (value === null) return 'none'
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.join(',')
  if (typeof value !== 'object') return typeof value === 'string' ? value : JSON.stringify(value)
  return Object.entries(value).map(([name, part]) => `${name} ${String(part)}`).join(' ')
}

const samePersistence = (a: Persistence, b: Persistence): boolean =>
  a.timeout === b.timeout && a.prefixLength === b.prefixLength && a.netmask === b.netmask

function same(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((element, i) => element === b[i])
  if ('timeout' in a && 'timeout' in b) return samePersistence(a as Persistence, b as Persistence)
  return shown(a) === shown(b)
}

function differences<Configuration extends object>(
  names: readonly (keyof Configuration & string)[],
  before: Configuration,
  after: Configuration,
): string[] {
  return names.filter((name) => !same(before[name], after[name])).map((name) => `${name} ${shown(before[name])} → ${shown(after[name])}`)
}

/** The differences between two canonical configurations of a service, in words; empty if there are none. */
export const serviceDifferences = (before: Service, after: Service): string[] => differences(SERVICE_OPTIONS, before, after)

/** The differences between two canonical configurations of a destination, in words; empty if there are none. */
export const destinationDifferences = (before: Destination, after: Destination): string[] =>
  before.forward === after.forward && before.weight === after.weight && before.upperThreshold === after.upperThreshold
  && before.lowerThreshold === after.lowerThreshold && before.tunnel === null && after.tunnel === null
    ? [] : differences(DESTINATION_OPTIONS, configurationOf(before), configurationOf(after))

/** Properties that a desired entry can have beside its configuration. */
const OTHERS = new Set(['destinations', 'stats', 'rates'])

function isAsListed<Configuration extends object>(
  names: readonly (keyof Configuration & string)[],
  desired: object,
  listed: Configuration,
): boolean {
  const given = desired as Configuration
  return (
    names.every((name) => same(given[name], listed[name])) &&
    Object.entries(desired).every(([name, value]) => value === undefined || name in listed || OTHERS.has(name))
  )
}

/**
 * Whether a desired service is written exactly as a service with the same key is listed. Entries of other programs that were taken from a
 * snapshot are.
 */
export const isServiceAsListed = (desired: object, listed: Service): boolean => isAsListed(SERVICE_OPTIONS, desired, listed)

/** Whether a desired destination is written exactly as a destination with the same key is listed. */
export const isDestinationAsListed = (desired: object, listed: Destination): boolean => isAsListed(DESTINATION_OPTIONS, desired, listed)
