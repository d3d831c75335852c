import { basename, join } from 'node:path'
import type { DirectedDestination, DirectedService } from '../../configuration/index.js'
import { conflict, type ArgumentError } from '../../model/errors.js'

/**
 * What a value in etcd must not do, because whoever may write there would have every director in hand: run any program it likes, or write
 * to any file.
 */

interface Directions {
  checks?: DirectedService['checks']
}

/** What can name programs: the properties that do, and the field in messages. */
type Owner = [Directions, readonly string[], string]

function* commandsOf(owner: Directions, programs: readonly string[], field: string): Generator<{ command: string[], field: string }> {
  for (const name of programs) {
    const program = (owner as Record<string, { command: string[] } | undefined>)[name]
    if (program !== undefined) yield { command: program.command, field: `${field}${name}.command` }
  }
  for (const [index, check] of (owner.checks ?? []).entries()) {
    if (check.type === 'script') yield { command: check.command, field: `${field}checks[${index}].command` }
  }
}

function* ownersOf(service: DirectedService): Generator<Owner> {
  yield [service, ['onQuorumReached', 'onQuorumLost'], '']
  for (const [index, destination] of (service.destinations ?? []).entries()) yield ownerOf(destination, `destinations[${index}].`)
}

const ownerOf = (destination: DirectedDestination, field: string): Owner =>
  [destination, ['onUp', 'onDown'], field]

/** The path of a program in a directory, given by its name or by that path; `undefined` for anything else. */
function pathIn(directory: string, given: string): string | undefined {
  const name = basename(given)
  if (name === '' || name === '.' || name === '..') return undefined
  const path = join(directory, name)
  return given === name || given === path ? path : undefined
}

function* mistakesOf([owner, programs, field]: Owner, directory: string | undefined): Generator<ArgumentError> {
  for (const { command, field: at } of commandsOf(owner, programs, field)) {
    const [given] = command
    const path = directory === undefined ? undefined : pathIn(directory, given)
    if (directory === undefined) {
      const problem = 'names a program, and from etcd none may run here: the option scripts names the directory of those that may'
      yield conflict(at, problem)
    } else if (path !== undefined) command[0] = path
    else yield conflict(`${at}[0]`, `must be the name of a program in ${directory}, without a slash. Received '${given}'`)
  }
  for (const [index, check] of (owner.checks ?? []).entries()) {
    if (check.type !== 'file') continue
    for (const name of ['initial', 'overwrite'] as const) {
      if (check[name] !== undefined) yield conflict(`${field}checks[${index}].${name}`, 'writes to a file, which a value in etcd may not do')
    }
  }
}

/**
 * Puts the programs that a service names into the directory that they may come from, and returns what it must not do. The service has the
 * right shape, and is changed.
 */
export function tameService(service: DirectedService, directory: string | undefined): ArgumentError[] {
  return [...ownersOf(service)].flatMap((owner) => [...mistakesOf(owner, directory)])
}

/** The same for a destination. */
export const tameDestination = (destination: DirectedDestination, directory: string | undefined): ArgumentError[] =>
  [...mistakesOf(ownerOf(destination, ''), directory)]
