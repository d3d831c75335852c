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

/** The properties that name programs. */
const OF_SERVICE = ['onQuorumReached', 'onQuorumLost']
const OF_DESTINATION = ['onUp', 'onDown']

/** The path of a program in a directory, given by its name or by that path; `undefined` for anything else. */
function pathIn(directory: string, given: string): string | undefined {
  const name = basename(given)
  if (name === '' || name === '.' || name === '..') return undefined
  const path = join(directory, name)
  return given === name || given === path ? path : undefined
}

/** Puts a program into the directory, or says why not. */
function tameCommand(command: string[], field: string, directory: string | undefined, mistakes: ArgumentError[]): void {
  const [given] = command
  const path = directory === undefined ? undefined : pathIn(directory, given)
  if (directory === undefined) {
    const problem = 'names a program, and from etcd none may run here: the option scripts names the directory of those that may'
    mistakes.push(conflict(field, problem))
  } else if (path !== undefined) command[0] = path
  else mistakes.push(conflict(`${field}[0]`, `must be the name of a program in ${directory}, without a slash. Received '${given}'`))
}

function tame(
  owner: Directions, programs: readonly string[], field: string, directory: string | undefined, mistakes: ArgumentError[],
): void {
  for (const name of programs) {
    const program = (owner as Record<string, { command: string[] } | undefined>)[name]
    if (program !== undefined) tameCommand(program.command, `${field}${name}.command`, directory, mistakes)
  }
  owner.checks?.forEach((check, index) => {
    if (check.type === 'script') tameCommand(check.command, `${field}checks[${index}].command`, directory, mistakes)
    if (check.type !== 'file') return
    for (const name of ['initial', 'overwrite'] as const) {
      if (check[name] !== undefined) mistakes.push(conflict(`${field}checks[${index}].${name}`, 'writes to a file, which a value in etcd may not do'))
    }
  })
}

/**
 * Puts the programs that a service names into the directory that they may come from, and returns what it must not do. The service has the
 * right shape, and is changed.
 */
export function tameService(service: DirectedService, directory: string | undefined): ArgumentError[] {
  const mistakes: ArgumentError[] = []
  tame(service, OF_SERVICE, '', directory, mistakes)
  service.destinations?.forEach((destination, index) => tame(destination, OF_DESTINATION, `destinations[${index}].`, directory, mistakes))
  return mistakes
}

/** The same for a destination. */
export function tameDestination(destination: DirectedDestination, directory: string | undefined): ArgumentError[] {
  const mistakes: ArgumentError[] = []
  tame(destination, OF_DESTINATION, '', directory, mistakes)
  return mistakes
}
