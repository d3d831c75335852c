import { object, refuseUnknown, type Known } from '../arguments/validate.js'
import { canonicalKey } from '../client/draft.js'
import { conflict, invalidType, isArgumentError } from '../model/errors.js'
import { serviceId, serviceWords } from '../model/keys.js'
import type { DaemonInput, ServiceKey, Timeouts } from '../model/types.js'
import type { Desired, DesiredService } from './types.js'

/**
 * Gives an error about bad input the place where the input was found: 'service.port' becomes 'desired.services[3].port'. Any other error
 * stays as it is.
 */
export function placed(error: unknown, path: string, prefix: string): unknown {
  if (isArgumentError(error) && error.field.startsWith(prefix)) {
    const field = path + error.field.slice(prefix.length)
    error.message = error.message.replace(error.field, field)
    error.field = field
  }
  return error
}

/** Returns what `make` returns. If it throws, gives the error its place. */
export function located<Made>(path: string, prefix: string, make: () => Made): Made {
  try {
    return make()
  } catch (error) {
    throw placed(error, path, prefix)
  }
}

const TABLE: Known = { what: 'a table', names: new Set(['services', 'timeouts', 'daemons']) }

/** A desired service, and where it was given. */
export interface DesiredEntry {
  readonly service: DesiredService
  /** A copy of the array of destinations, or bad input in its place. */
  readonly destinations: unknown
  /** The list in which it was given, which errors name. */
  readonly list: 'desired.services' | 'update.services'
  readonly number: number
}

/**
 * A desired table that can be read repeatedly, even if the caller changes the given lists meanwhile. The entries are the caller's own
 * objects: copying them would cost more than comparing them.
 */
export interface DesiredState {
  readonly services: Iterable<DesiredEntry>
  readonly timeouts: Partial<Timeouts> | undefined
  readonly daemons: readonly DaemonInput[] | undefined
  /** Canonical keys of the services to plan, by id. If it is missing, the whole table is planned. */
  readonly only?: ReadonlyMap<string, ServiceKey>
}

/** Makes the entry of a service that was given. */
export function entryOf(service: DesiredService, list: DesiredEntry['list'], number: number): DesiredEntry {
  const listed: unknown = (service as DesiredService | null | undefined)?.destinations
  return { service, destinations: listed === undefined ? [] : Array.isArray(listed) ? listed.slice() : listed, list, number }
}

function entries(services: unknown, field: string): DesiredEntry[] {
  if (typeof services !== 'object' || services === null || !(Symbol.iterator in services))
    throw invalidType(field, 'an iterable of services', services)
  const copy = Array.isArray(services) ? services.slice() as DesiredService[] : [...services as Iterable<DesiredService>]
  return copy.map((service, number) => entryOf(service, 'desired.services', number))
}

/** Reads a desired state: a table, or an iterable of its services. An iterable is read once, to its end. */
export function readDesired(desired: Desired): DesiredState {
  if (typeof desired === 'object' && desired !== null && Symbol.iterator in desired)
    return { services: entries(desired, 'desired'), timeouts: undefined, daemons: undefined }
  if (typeof desired !== 'object' || desired === null)
    throw invalidType('desired', 'a table { services: … }, or an iterable of services', desired)
  const table = object(desired, 'desired')
  refuseUnknown(table, 'desired', TABLE)
  const { timeouts, daemons } = table
  if (daemons !== undefined && !Array.isArray(daemons)) throw invalidType('desired.daemons', 'an array of sync daemons', daemons)
  return {
    services: entries(table.services, 'desired.services'),
    timeouts: timeouts === undefined ? undefined : { ...object(timeouts, 'desired.timeouts') },
    daemons: daemons?.slice() as DaemonInput[] | undefined,
  }
}

/** Reads keys of services. Returns the canonical keys by id, in the order given. Refuses a key that is given twice. */
export function namedServices(keys: unknown, field: string): Map<string, ServiceKey> {
  if (!Array.isArray(keys)) throw invalidType(field, 'an array of service keys', keys)
  const named = new Map<string, ServiceKey>()
  keys.forEach((given: unknown, i) => {
    const key = located(`${field}[${i}]`, 'service', () => canonicalKey(given))
    const id = serviceId(key)
    if (named.has(id)) throw conflict(`${field}[${i}]`, `names ${serviceWords(key)} a second time`)
    named.set(id, key)
  })
  return named
}

/** Whether a desired service is one of those that are named. */
export const isNamed = ({ service, list, number }: DesiredEntry, only: ReadonlyMap<string, ServiceKey>): boolean =>
  only.has(serviceId(located(`${list}[${number}]`, 'service', () => canonicalKey(service))))
