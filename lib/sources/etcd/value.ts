import { configurationMistakes, shapeMistakes, type DirectedDestination, type DirectedService, type DirectorConfiguration } from '../../configuration/index.js'
import { conflict, type ArgumentError } from '../../model/errors.js'
import { tameDestination, tameService } from './scripts.js'

/** Why a value is refused. */
export interface Refused {
  message: string
  mistakes: readonly ArgumentError[]
}

/** A value that is good, or why it is not. */
export type Judged<Type> = { good: Type, refused?: undefined } | { good?: undefined, refused: Refused }

/** Words of a mistake, whose field begins at the value that a key has. */
const wordsOf = ({ message }: ArgumentError, within: string): string =>
  message.startsWith(`${within} `) ? `the value ${message.slice(within.length + 1)}` : message.replaceAll(`${within}.`, '')

const refuse = (mistakes: readonly ArgumentError[], within: string): Refused =>
  ({ message: mistakes.map((mistake) => wordsOf(mistake, within)).join('; '), mistakes })

const DESTINATION = 'services[0].destinations[0]'

const UTF8 = new TextDecoder('utf-8', { fatal: true })

function parse(bytes: Uint8Array): Judged<unknown> {
  try {
    return { good: JSON.parse(UTF8.decode(bytes)) }
  } catch (error) {
    return { refused: { message: `the value is no JSON: ${(error as Error).message}`, mistakes: [] } }
  }
}

/** In a fleet all directors hold the address, at the same time. */
const heldMistakes = ({ onlyWhileHeld }: DirectedService): ArgumentError[] =>
  onlyWhileHeld === true ? [conflict('onlyWhileHeld', 'cannot be true in a fleet, where all directors hold the address: leave it out')] : []

/** What values are judged by, besides what they say. */
export interface Judgement {
  /** Directory of the programs that values may name. */
  scripts?: string
  /** What else there is to object to. */
  objections?: (configuration: DirectorConfiguration) => readonly ArgumentError[]
}

/** Reads the value of a service's key. Programs that it names are put into the directory of scripts. */
export function readService(bytes: Uint8Array, { scripts, objections }: Judgement): Judged<DirectedService> {
  const { good: value, refused } = parse(bytes)
  if (refused !== undefined) return { refused }
  const within = 'services[0]'
  const shape = shapeMistakes({ services: [value] })
  if (shape.length > 0) return { refused: refuse(shape, within) }
  const service = value as DirectedService
  const mistakes = [...tameService(service, scripts), ...heldMistakes(service)]
  if (mistakes.length === 0) mistakes.push(...configurationMistakes({ services: [service] }))
  if (mistakes.length === 0) mistakes.push(...objections?.({ services: [service] }) ?? [])
  return mistakes.length === 0 ? { good: service } : { refused: refuse(mistakes, within) }
}

/**
 * Reads the value of a destination's key. Programs that it names are put into the directory of scripts. Whether it goes with its service is
 * another question.
 */
export function readDestination(bytes: Uint8Array, { scripts }: Judgement): Judged<DirectedDestination> {
  const { good: value, refused } = parse(bytes)
  if (refused !== undefined) return { refused }
  // Any service will do: the shape of a destination does not depend on it.
  const shape = shapeMistakes({ services: [{ fwmark: 1, family: 4, destinations: [value] }] })
  if (shape.length > 0) return { refused: refuse(shape, DESTINATION) }
  const mistakes = tameDestination(value as DirectedDestination, scripts)
  return mistakes.length === 0 ? { good: value as DirectedDestination } : { refused: refuse(mistakes, DESTINATION) }
}

/** Why a destination does not go with a service, which is good without it; `undefined` if it does. */
export function whyNotIn(service: DirectedService, destination: DirectedDestination, { objections }: Judgement): Refused | undefined {
  const configuration = { services: [{ ...service, destinations: [destination] }] }
  const found = configurationMistakes(configuration)
  const mistakes = found.length > 0 ? found : objections?.(configuration) ?? []
  return mistakes.length === 0 ? undefined : refuse(mistakes, DESTINATION)
}
