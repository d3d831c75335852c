import { countOf, type Properties } from '../arguments/validate.js'
import { DEFAULTS } from '../model/limits.js'
import type { Counted, Destination, DestinationInput, ListedDestination, Persistence, Service } from '../model/types.js'
import { configurationOf } from './complete.js'
import type { DesiredService } from './types.js'

/**
 * Comparisons of what is desired with what the kernel lists. The quick ones answer for the usual spellings without making anything; where they say no, the
 * canonical configurations decide.
 */

const SERVICE_OPTIONS = ['scheduler', 'schedulerFlags', 'onePacket', 'persistence', 'persistenceEngine'] as const
const DESTINATION_OPTIONS = ['forward', 'weight', 'upperThreshold', 'lowerThreshold', 'tunnel'] as const

const one = (value: unknown): number => value === undefined ? 0 : 1

/** Whether a desired destination is certainly valid and as listed. False says nothing. */
export function surelyAsListed(desired: DestinationInput & Partial<Omit<ListedDestination, keyof Destination>>, listed: Destination): boolean {
  const { forward, weight, upperThreshold, lowerThreshold, tunnel } = desired
  if (forward === undefined ? listed.forward !== DEFAULTS.forward : forward !== listed.forward) return false
  if (weight === undefined ? listed.weight !== DEFAULTS.weight : weight !== listed.weight) return false
  if (upperThreshold === undefined ? listed.upperThreshold !== DEFAULTS.upperThreshold : upperThreshold !== listed.upperThreshold) return false
  if (lowerThreshold === undefined ? listed.lowerThreshold !== DEFAULTS.lowerThreshold : lowerThreshold !== listed.lowerThreshold) return false
  if ((tunnel !== undefined && tunnel !== null) || listed.tunnel !== null) return false
  const known = 2 + one(forward) + one(weight) + one(upperThreshold) + one(lowerThreshold) + one(tunnel)
  const counted = desired.stats === undefined ? 0
    : 1 + one(desired.rates) + one(desired.activeConnections) + one(desired.inactiveConnections) + one(desired.persistentConnections)
  return countOf(desired as unknown as Properties) === known + counted
}

/** Whether a desired service, whose key is that of the listed one, is certainly valid and as listed. False says nothing. */
export function surelyConfiguredAsListed(desired: DesiredService & Partial<Counted>, listed: Service): boolean {
  const { scheduler, schedulerFlags, onePacket, persistence, persistenceEngine } = desired
  if (scheduler === undefined ? listed.scheduler !== DEFAULTS.scheduler : scheduler !== listed.scheduler) return false
  if (listed.schedulerFlags.length !== 0 || (schedulerFlags !== undefined && !(Array.isArray(schedulerFlags) && schedulerFlags.length === 0))) return false
  if (onePacket === undefined ? listed.onePacket : onePacket !== listed.onePacket) return false
  if ((persistence !== undefined && persistence !== null) || listed.persistence !== null) return false
  if ((persistenceEngine !== undefined && persistenceEngine !== null) || listed.persistenceEngine !== null) return false
  const key = 'fwmark' in desired ? 2 : 3
  return countOf(desired as unknown as Properties) === key + one(scheduler) + one(schedulerFlags) + one(onePacket) + one(persistence) + one(persistenceEngine)
    + one(desired.destinations) + one(desired.stats) + one(desired.rates)
}

const shown = (value: unknown): string => {
  if (value === null) return 'none'
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.join(',')
  if (typeof value !== 'object') return typeof value === 'string' ? value : JSON.stringify(value)
  return Object.entries(value).map(([name, part]) => `${name} ${String(part)}`).join(' ')
}

const samePersistence = (a: Persistence, b: Persistence): boolean => a.timeout === b.timeout && a.prefixLength === b.prefixLength && a.netmask === b.netmask

function same(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((element, i) => element === b[i])
  if ('timeout' in a && 'timeout' in b) return samePersistence(a as Persistence, b as Persistence)
  return shown(a) === shown(b)
}

function differences<Configuration extends object>(names: readonly (keyof Configuration & string)[], before: Configuration, after: Configuration): string[] {
  return names.filter((name) => !same(before[name], after[name])).map((name) => `${name} ${shown(before[name])} → ${shown(after[name])}`)
}

/** What differs between two canonical configurations of a service, in words; empty where nothing does. */
export const serviceDifferences = (before: Service, after: Service): string[] => differences(SERVICE_OPTIONS, before, after)

/** What differs between two canonical configurations of a destination, in words; empty where nothing does. */
export const destinationDifferences = (before: Destination, after: Destination): string[] =>
  before.forward === after.forward && before.weight === after.weight && before.upperThreshold === after.upperThreshold && before.lowerThreshold === after.lowerThreshold
  && before.tunnel === null && after.tunnel === null ? [] : differences(DESTINATION_OPTIONS, configurationOf(before), configurationOf(after))
