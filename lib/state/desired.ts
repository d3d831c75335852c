import { object, refuseUnknown, type Known } from '../arguments/validate.js'
import { invalidType } from '../model/errors.js'
import type { DaemonInput, Timeouts } from '../model/types.js'
import type { Desired, DesiredService } from './types.js'

const TABLE: Known = { what: 'a table', names: new Set(['services', 'timeouts', 'daemons']) }

/**
 * A desired table that can be read as often as needed, whatever becomes of the lists that were given. What is in the lists stays the
 * caller's: to copy it would cost more than to compare it.
 */
export interface DesiredState {
  services: readonly DesiredService[]
  /** What the service with the same number has as destinations, an array or bad input. */
  destinations: readonly unknown[]
  timeouts: Partial<Timeouts> | undefined
  daemons: readonly DaemonInput[] | undefined
}

function lists(services: unknown, field: string): Pick<DesiredState, 'services' | 'destinations'> {
  if (typeof services !== 'object' || services === null || !(Symbol.iterator in services)) throw invalidType(field, 'an iterable of services', services)
  const copy = Array.isArray(services) ? services.slice() as DesiredService[] : [...services as Iterable<DesiredService>]
  const destinations = copy.map((service: DesiredService | null | undefined) => {
    const listed: unknown = service?.destinations
    return listed === undefined ? [] : Array.isArray(listed) ? listed.slice() : listed
  })
  return { services: copy, destinations }
}

/** Reads what was given as desired: a table, or an iterable of its services, which is read to its end, once. */
export function readDesired(desired: Desired): DesiredState {
  if (typeof desired === 'object' && desired !== null && Symbol.iterator in desired) return { ...lists(desired, 'desired'), timeouts: undefined, daemons: undefined }
  if (typeof desired !== 'object' || desired === null) throw invalidType('desired', 'a table { services: … }, or an iterable of services', desired)
  const table = object(desired, 'desired')
  refuseUnknown(table, 'desired', TABLE)
  const { timeouts, daemons } = table
  if (daemons !== undefined && !Array.isArray(daemons)) throw invalidType('desired.daemons', 'an array of sync daemons', daemons)
  return {
    ...lists(table.services, 'desired.services'),
    timeouts: timeouts === undefined ? undefined : { ...object(timeouts, 'desired.timeouts') },
    daemons: daemons?.slice() as DaemonInput[] | undefined,
  }
}
