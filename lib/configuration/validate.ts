import { conflict, type ArgumentError } from '../model/errors.js'
import { ConfigurationError } from './error.js'
import { checkMistakes, daemonMistakes, idOf, serviceMistakes } from './relations.js'
import type { Mistakes } from './shape.js'
import { CHECK, CONFIGURATION } from './table.js'
import type { Check, DirectorConfiguration } from './types.js'

/** What no JSON schema can say too: what values have to do with one another. */
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

/** What is wrong with single values: names, types and ranges, the same as the JSON schema says. */
export function shapeMistakes(value: unknown): ArgumentError[] {
  const mistakes: Mistakes = []
  CONFIGURATION.check(value, '', mistakes)
  return mistakes
}

/** Part of the configuration that a mistake is in, as far as the relations of others do not depend on it. */
const partOf = ({ field }: ArgumentError): string => /^services\[\d+\]|^\w*/.exec(field)![0]

/**
 * All that is wrong with a configuration, in the order of its places within each kind: empty for one that can be used.
 */
export function configurationMistakes(value: unknown): ArgumentError[] {
  const mistakes = shapeMistakes(value)
  const wrong = new Set(mistakes.map(partOf))
  if (!wrong.has('') && !wrong.has('services')) relations(value as DirectorConfiguration, wrong, mistakes)
  return mistakes
}

/**
 * The configuration itself, once nothing is wrong with it.
 *
 * @throws ConfigurationError whose `mistakes` are all that is wrong, each with its place
 */
export function checkConfiguration(value: unknown): DirectorConfiguration {
  const mistakes = configurationMistakes(value)
  if (mistakes.length > 0) throw new ConfigurationError(mistakes)
  return value as DirectorConfiguration
}

/**
 * One check of a target, once nothing is wrong with it.
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
