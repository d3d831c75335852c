import { DEPARTURES, type Departure, type DepartureSight } from '../director/departures.js'
import type { Sight } from '../director/index.js'
import type { TableDigest } from './director/table-digest.js'

/** What directors write into etcd about themselves: where, and how it reads. */

/** Seconds without a sign of life after which a director counts as dead. */
export const LEASE = 10

/** Where directors tell what they see down. */
export const healthBelow = (prefix: string): string => `${prefix}/v1/health/`

/** Where directors tell what they do. */
export const directorsBelow = (prefix: string): string => `${prefix}/v1/directors/`

/** How a director stands. */
export interface DirectorValue extends TableDigest {
  /** Revision of etcd that its configuration is of. */
  revision: number
}

/**
 * Destinations that a director sees down, by their service; or that it sees everything down. And those that leave, while they are in the
 * table of any director.
 */
interface HealthValue {
  down?: Record<string, string[]>
  blind?: boolean
  leaving?: Record<string, Record<string, Departure>>
}

/** What a destination is called among directors begins with its service: 'tcp 192.0.2.1 80', 'fwmark 7 4'. */
const WORDS = 3

/** What a destination is called among directors, as its service and the rest. */
function partsOf(id: string): [service: string, destination: string] {
  const words = id.split(' ')
  return [words.slice(0, WORDS).join(' '), words.slice(WORDS).join(' ')]
}

/** What a director tells of what it sees. */
export interface ToldSight {
  isBlind: boolean
  /** Destinations that are down: 'tcp 192.0.2.1 80 10.0.0.2 80'. */
  downs: readonly string[]
  departures: DepartureSight
}

const sortedById = <Value>(entries: Iterable<readonly [string, Value]>): (readonly [string, Value])[] =>
  [...entries].sort(([a], [b]) => (a < b ? -1 : 1))

export function healthText({ isBlind, downs, departures }: ToldSight): string {
  const value: HealthValue = isBlind ? { blind: true } : { down: {} }
  if (!isBlind) {
    for (const id of [...downs].sort()) {
      const [service, destination] = partsOf(id)
      ;(value.down![service] ??= []).push(destination)
    }
  }
  for (const [id, departure] of sortedById(departures)) {
    const [service, destination] = partsOf(id)
    ;((value.leaving ??= {})[service] ??= {})[destination] = departure
  }
  return JSON.stringify(value)
}

/** What a director sees, and the destinations that it sees down. */
export interface ReadSight extends Sight {
  downs: string[]
  departures: DepartureSight
}

const EVERYTHING = { has: () => true }

/** Reads what a director sees. `undefined` for what no director has written. */
export function sightOf(text: string): ReadSight | undefined {
  try {
    const { down = {}, blind, leaving = {} } = JSON.parse(text) as HealthValue
    const departures = new Map(Object.entries(leaving).flatMap(([service, destinations]) =>
      Object.entries(destinations).map(([one, departure]): [string, Departure] => [`${service} ${one}`, departure])))
    if ([...departures.values()].some((departure) => !DEPARTURES.includes(departure))) return undefined
    if (blind === true) return { down: EVERYTHING, isBlind: true, downs: [], departures }
    const downs = Object.entries(down).flatMap(([service, destinations]) => destinations.map((one) => `${service} ${one}`))
    return { down: new Set(downs), isBlind: false, downs, departures }
  } catch {
    return undefined
  }
}
