import { object } from '../arguments/validate.js'
import { canonicalKey, checkOperation } from '../client/draft.js'
import type { PackedTable } from '../client/packed-table.js'
import { worked, type Steps } from '../client/pause.js'
import { conflict, invalidType, invalidValue, isArgumentError } from '../model/errors.js'
import { destinationId, serviceId, serviceWords } from '../model/keys.js'
import type { Operation, ServiceKey } from '../model/types.js'
import { configurationOf, serviceConfigurationOf } from './configuration.js'
import { placed } from './desired.js'
import type { Plan, PlannedOperation } from './types.js'

/** What an operation is about: a service, or a word for the timeouts or the sync daemons. */
export type Subject = { id: string, key?: ServiceKey }

export function subjectOf(operation: Operation): Subject | undefined {
  if ('service' in operation && operation.service !== undefined) {
    const key = canonicalKey(operation.service)
    return { id: serviceId(key), key }
  }
  if (operation.type === 'setTimeouts') return { id: 'timeouts' }
  return operation.type === 'startDaemon' || operation.type === 'stopDaemon' ? { id: 'daemons' } : undefined
}

export const subjectWords = ({ id, key }: Subject): string => key === undefined ? `the ${id === 'daemons' ? 'sync daemons' : id}` : serviceWords(key)

/** Loads node:crypto when it is first needed: an import would be a fifth of what importing this package takes. */
const digest = (text: string): string => process.getBuiltinModule('node:crypto').createHash('sha256').update(text).digest('base64url').slice(0, 22)

/** A digest of a service's configuration and of its destinations'. It does not depend on their order, nor on counters. */
function* digestOf(table: PackedTable, service: number): Steps<string> {
  const listed = table.destinations(service)
  const destinations: [id: string, text: string][] = []
  for (let number = 0; number < listed.count; number++) {
    if (worked()) yield
    if (listed.isRepeated(number)) continue
    const destination = configurationOf(listed.read(number))
    destinations.push([destinationId(destination), JSON.stringify(destination)])
  }
  destinations.sort(([one], [other]) => one < other ? -1 : 1)
  return digest(JSON.stringify([serviceConfigurationOf(table.service(service)), destinations]))
}

/** Digests of the subjects of a plan, as they are in a table. By these `apply` finds out whether any has changed since. */
export function* basisOf(subjects: Iterable<Subject>, table: PackedTable): Steps<Record<string, string>> {
  const basis: Record<string, string> = {}
  for (const { id, key } of subjects) {
    if (id in basis) continue
    if (key === undefined) {
      basis[id] = digest(JSON.stringify(id === 'timeouts' ? table.timeouts : table.daemons))
      continue
    }
    const service = table.numberOf(id)
    basis[id] = service < 0 ? 'absent' : yield* digestOf(table, service)
  }
  return basis
}

/** Whether what was given to `apply` is a plan. */
export const isPlan = (given: unknown): given is Plan =>
  typeof given === 'object' && given !== null && !(Symbol.iterator in given) && 'operations' in given

/** A plan that was made earlier and perhaps read from a file: its operations and what they are about. */
export interface Reviewed {
  readonly operations: readonly PlannedOperation[]
  readonly subjects: ReadonlyMap<string, Subject>
  readonly basis: Readonly<Record<string, unknown>>
}

/** Checks a whole plan, before anything of it is sent. */
export function readPlan(plan: Plan): Reviewed {
  const { operations, basis: given } = object(plan, 'plan')
  if (!Array.isArray(operations)) throw invalidType('plan.operations', 'an array of planned operations', operations)
  const basis = operations.length === 0 ? {} : object(given, 'plan.basis')
  const subjects = new Map<string, Subject>()
  const copy = operations.slice() as PlannedOperation[]
  copy.forEach((operation, i) => {
    const path = `plan.operations[${i}]`
    try {
      checkOperation(operation)
    } catch (error) {
      throw isArgumentError(error) && error.field.startsWith('operation') ? placed(error, path, 'operation') : placed(error, `${path}.`, '')
    }
    const subject = subjectOf(operation)
    if (subject === undefined) throw invalidValue(`${path}.type`, 'an operation that plans have', operation.type)
    if (typeof basis[subject.id] !== 'string') throw conflict('plan.basis', `has nothing about ${subjectWords(subject)}: give the plan as plan() answered it`)
    subjects.set(subject.id, subject)
  })
  return { operations: copy, subjects, basis }
}

/** The error of a plan whose table has changed since. */
export class TableChangedError extends Error {
  readonly code = 'ERR_IPVS_TABLE_CHANGED'

  /** @param changed what has changed, in words */
  constructor(readonly changed: readonly string[]) {
    const more = changed.length > 3 ? `, and ${changed.length - 3} more` : ''
    super(`the table has changed since the plan was made: ${changed.slice(0, 3).join(', ')}${more}; nothing was sent. Plan anew`)
  }
}
