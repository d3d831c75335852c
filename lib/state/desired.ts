import { object, refuseUnknown, type Known } from '../check.js'
import { invalidType } from '../errors.js'
import type { DaemonInput, Timeouts } from '../types.js'
import type { Desired, DesiredService } from './types.js'

const TABLE: Known = { what: 'a table', names: new Set(['services', 'timeouts', 'daemons']) }

/** A desired table that can be read as often as needed. */
export interface DesiredState {
  services: readonly DesiredService[]
  timeouts: Partial<Timeouts> | undefined
  daemons: readonly DaemonInput[] | undefined
}

const list = (services: unknown, field: string): DesiredService[] => {
  if (Array.isArray(services)) return services as DesiredService[]
  if (typeof services === 'object' && services !== null && Symbol.iterator in services) return [...services as Iterable<DesiredService>]
  throw invalidType(field, 'an iterable of services', services)
}

/** Reads what was given as desired: a table, or an iterable of its services, which is read to its end, once. */
export function readDesired(desired: Desired): DesiredState {
  if (typeof desired === 'object' && desired !== null && Symbol.iterator in desired) return { services: list(desired, 'desired'), timeouts: undefined, daemons: undefined }
  if (typeof desired !== 'object' || desired === null) throw invalidType('desired', 'a table { services: … }, or an iterable of services', desired)
  const table = object(desired, 'desired')
  refuseUnknown(table, 'desired', TABLE)
  const { timeouts, daemons } = table
  if (timeouts !== undefined) object(timeouts, 'desired.timeouts')
  if (daemons !== undefined && !Array.isArray(daemons)) throw invalidType('desired.daemons', 'an array of sync daemons', daemons)
  return { services: list(table.services, 'desired.services'), timeouts: timeouts as Partial<Timeouts> | undefined, daemons: daemons as DaemonInput[] | undefined }
}
