import { conflict, type ArgumentError } from '../model/errors.js'
import { ConfigurationError } from './error.js'
import { checkMistakes, daemonMistakes, idOf, serviceMistakes } from './relations.js'
import type { Mistakes } from './shape.js'
import { CHECK, CONFIGURATION } from './table.js'
import type { Check, DirectorConfiguration } from './types.js'

/** Checks the relations between values, which a JSON schema cannot express. */
function relations({ services, daemons }: DirectorConfiguration, wrong: ReadonlySet<string>, mistakes: Mistakes): void {
  const seen = new Map<string, number>()
  for (const [index, service] of services.entries()) {
    const field = `services[${index}]`
    if (wrong.has(field)) continue
    serviceMistakes(service, field, mistakes)
    const id = idOf(service)
    const before = seen.get(id)
    if (before !== undefined) mistakes.push(conflict(field, `is ${id} a second time: it is services[${before}] already`))
    else seen.set(id, index)
  }
  if (daemons !== undefined && !wrong.has('daemons')) daemonMistakes(daemons, mistakes)
}

/** Mistakes in single values: names, types and ranges, exactly as in the JSON schema. */
export function shapeMistakes(value: unknown): ArgumentError[] {
  const mistakes: Mistakes = []
  CONFIGURATION.check(value, '', mistakes)
  return mistakes
}

/** The part of the configuration with a mistake. The relations of other parts do not depend on it. */
const partOf = ({ field }: ArgumentError): string => /^services\[\d+\]|^\w*/.exec(field)![0]

/**
 * All mistakes of a configuration; empty for a valid one. Mistakes in single values come first, then wrong relations, each in the order of
 * the configuration.
 */
export function configurationMistakes(value: unknown): ArgumentError[] {
  const mistakes = shapeMistakes(value)
  const wrong = new Set(mistakes.map(partOf))
  if (!wrong.has('') && !wrong.has('services')) relations(value as DirectorConfiguration, wrong, mistakes)
  return mistakes
}

/**
 * Returns the configuration if it is valid.
 *
 * @throws ConfigurationError with all `mistakes`, each with its path
 *
 * @example
 * ```js
 * import { checkConfiguration, ConfigurationError } from 'ipvs/director'
 *
 * try {
 *   checkConfiguration({ services: [{ protocol: 'tcp', address: '192.0.2.1', port: 80_000 }] })
 * } catch (error) {
 *   if (!(error instanceof ConfigurationError)) throw error
 *   for (const { path, message } of error.mistakes) console.error(path, message)
 * }
 * ```
 */
export function checkConfiguration(value: unknown): DirectorConfiguration {
  const mistakes = configurationMistakes(value)
  if (mistakes.length > 0) throw new ConfigurationError(mistakes)
  return value as DirectorConfiguration
}

/**
 * Returns a target's check if it is valid.
 *
 * @throws ArgumentError about the first mistake
 */
export function checkOfTarget(value: unknown, target: { address: string, port: number }): Check {
  const mistakes: Mistakes = []
  CHECK.check(value, 'check', mistakes)
  if (mistakes.length === 0) {
    checkMistakes(value as Check, 'check', mistakes)
    checkMistakes(value as Check, 'check', mistakes, target)
  }
  if (mistakes.length > 0) throw mistakes[0]
  return value as Check
}
