import type { CompleteDestination, CompleteService } from '../configuration/complete.js'
import type { DestinationInput } from '../model/types.js'
import { turnsClientsAway } from '../state/draining.js'
import type { DesiredService } from '../state/types.js'
import { destinationInput, endpointId, serviceInput } from './keys.js'

/** What is known of a destination. */
export interface Health {
  /** Whether all of its checks are good. */
  readonly up: boolean
  /** The weight that it should have while it is up: the configured one, or what its checks make of it. */
  readonly weight: number
  /** Which part of the weight it has: below 1 while it grows after it came back. 1 by default. */
  readonly share?: number
  /** While it is down: it keeps its place at weight 0 for the connections that it had before the director began. False by default. */
  readonly stays?: boolean
}

/** How a service stands, as far as it depends on what was before. */
export interface Standing {
  /** Whether the quorum is reached. */
  readonly quorum: boolean
  /** Numbers of the destinations that were up when any was: those that `whenAllDown: 'keep'` keeps. */
  readonly last: readonly number[]
}

/** Weight that the living destinations have together. One that grows counts whole: it is its health that decides, not its pace. */
export const livingWeight = (healths: readonly Health[]): number => healths.reduce((sum, { up, weight }) => up ? sum + weight : sum, 0)

/** How a service stands when what is known of its destinations has changed. */
export function decide({ quorum, hysteresis }: CompleteService, healths: readonly Health[], before: Standing): Standing {
  const needed = before.quorum ? quorum - hysteresis : quorum + hysteresis
  const living = healths.flatMap(({ up }, number) => up ? [number] : [])
  return { quorum: livingWeight(healths) >= needed, last: living.length > 0 ? living : before.last }
}

/** Whether the fallback serves. */
export const fallsBack = (service: CompleteService, { quorum }: Standing): boolean => !quorum && service.fallback !== undefined

/** A part of a weight: never nothing of something, so that a destination that grows takes connections from the start. */
export const partOf = (weight: number, share = 1): number => weight === 0 ? 0 : Math.max(1, Math.floor(weight * share))

/** The weight that a destination should have in the table; `undefined` where it should not be there. */
function weightInTable(
  destination: CompleteDestination,
  { up, weight, share, stays = false }: Health,
  yields: 'no' | 'zero' | 'remove',
): number | undefined {
  if (up && yields === 'no') return partOf(weight, share)
  if (up && yields === 'remove') return destination.whenDown === 'zero' ? 0 : undefined
  return up || stays || destination.whenDown === 'zero' ? 0 : undefined
}

/**
 * The service as it should be in the table now.
 *
 * While the fallback serves, the living destinations have weight 0, so that their connections live on. A scheduler that refuses the clients
 * of a destination with weight 0 (sh, mh and dh without their fallback flag) would turn away part of the new ones for that, so there the
 * living leave the table.
 */
export function tableOf(
  service: CompleteService,
  healths: readonly Health[],
  standing: Standing,
): DesiredService & { destinations: DestinationInput[] } {
  const { fallback, destinations, scheduler = 'wlc', schedulerFlags = [], whenAllDown } = service
  const serves = fallsBack(service, standing)
  const yields = !serves ? 'no' : turnsClientsAway({ scheduler, schedulerFlags }) === undefined ? 'zero' : 'remove'
  const keeps = fallback === undefined && whenAllDown === 'keep' && !healths.some(({ up }) => up)
  const kept = new Set(keeps ? standing.last : [])
  const inputs: DestinationInput[] = []
  destinations.forEach((destination, number) => {
    const health = healths[number]
    const weight = kept.has(number) ? health.weight : weightInTable(destination, health, yields)
    if (weight !== undefined) inputs.push(destinationInput(destination, weight))
  })
  if (fallback !== undefined && (serves || fallback.whenIdle === 'zero')) {
    // It can have the address and port of a destination: then it is one entry, whichever of the two serves.
    const id = endpointId(fallback)
    const place = inputs.findIndex((input) => endpointId(input) === id)
    if (place < 0) inputs.push(destinationInput(fallback, serves ? fallback.weight ?? 1 : 0))
    else if (serves) inputs[place] = destinationInput(fallback, fallback.weight ?? 1)
  }
  return Object.assign(serviceInput(service), { destinations: inputs })
}
