import { identityOf } from '../checks/users.js'
import { programsOf, type DirectorConfiguration, type NamedProgram } from '../configuration/index.js'
import { tlsFaultsOf } from '../files/tls-faults.js'
import { conflict, type ArgumentError } from '../model/errors.js'
import { programFault } from './trust.js'

/** Finds something out once for each question. */
function once<Answer>(find: (question: string) => Answer): (question: string) => Answer {
  // Most configurations ask nothing: those of a fleet come service by service, and few name programs.
  let known: Map<string, Answer> | undefined
  return (question) => {
    known ??= new Map()
    if (!known.has(question)) known.set(question, find(question))
    return known.get(question)!
  }
}

function accountFault(user: string | undefined, group: string | undefined): string | undefined {
  try {
    identityOf(user, group)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

/**
 * The mistakes of programs: those that are not there, those that others than root could change, and accounts that are not there.
 */
export function mistakesOf(programs: Iterable<NamedProgram>): ArgumentError[] {
  const faultOf = once(programFault)
  const groupFault = once((group) => accountFault(undefined, group))
  const userFault = once((user) => accountFault(user, undefined))
  const userWithGroupFault = once((user) => accountFault(user, '0'))
  const mistakes: ArgumentError[] = []
  const refuse = (field: string, fault: string | undefined): void => {
    if (fault !== undefined) mistakes.push(conflict(field, `is refused: ${fault}`))
  }
  for (const { field, command: [path], user, group } of programs) {
    refuse(`${field}.command[0]`, faultOf(path))
    if (user !== undefined) refuse(`${field}.user`, (group === undefined ? userFault : userWithGroupFault)(user))
    if (group !== undefined) refuse(`${field}.group`, groupFault(group))
  }
  return mistakes
}

/** What is wrong on this machine with what a configuration names: programs, accounts, and files of TLS. */
export const machineMistakes = (configuration: DirectorConfiguration): ArgumentError[] => [
  ...mistakesOf(programsOf(configuration)),
  ...tlsFaultsOf(configuration).map(({ field, words, advice }) => conflict(field, `is refused: ${words}. ${advice}`)),
]
