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

/** Destinations that a director sees down, by their service; or that it sees everything down. */
interface HealthValue {
  down?: Record<string, string[]>
  blind?: boolean
}

/** What a destination is called among directors begins with its service: 'tcp 192.0.2.1 80', 'fwmark 7 4'. */
const WORDS = 3

/** @param downs destinations that are down: 'tcp 192.0.2.1 80 10.0.0.2 80' */
export function healthText({ isBlind, downs }: { isBlind: boolean, downs: readonly string[] }): string {
  if (isBlind) return JSON.stringify({ blind: true } satisfies HealthValue)
  const down: Record<string, string[]> = {}
  for (const id of [...downs].sort()) {
    const words = id.split(' ')
    ;(down[words.slice(0, WORDS).join(' ')] ??= []).push(words.slice(WORDS).join(' '))
  }
  return JSON.stringify({ down } satisfies HealthValue)
}

/** What a director sees, and the destinations that it sees down. */
export interface ReadSight extends Sight {
  downs: string[]
}

const EVERYTHING = { has: () => true }

/** Reads what a director sees. `undefined` for what no director has written. */
export function sightOf(text: string): ReadSight | undefined {
  try {
    const { down = {}, blind } = JSON.parse(text) as HealthValue
    if (blind === true) return { down: EVERYTHING, isBlind: true, downs: [] }
    const downs = Object.entries(down).flatMap(([service, destinations]) => destinations.map((one) => `${service} ${one}`))
    return { down: new Set(downs), isBlind: false, downs }
  } catch {
    return undefined
  }
}
