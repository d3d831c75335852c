import { checkOperation } from '../client/draft.js'
import { object } from '../arguments/validate.js'
import { conflict, invalidType, invalidValue, isArgumentError } from '../model/errors.js'
import type { PlannedOperation, Plan } from './types.js'
import { subjectOf, subjectWords, type Subject } from './basis.js'
import { placed } from './located.js'

/** Whether what was given to `apply` is a plan. */
export const isPlan = (given: unknown): given is Plan =>
  typeof given === 'object' && given !== null && !(Symbol.iterator in given) && 'operations' in given

/** A plan that was made before, and perhaps came out of a file: its operations, and what they are about. */
export interface Reviewed {
  readonly operations: readonly PlannedOperation[]
  readonly subjects: ReadonlyMap<string, Subject>
  readonly basis: Readonly<Record<string, unknown>>
}

/** Checks a plan whole, before anything of it is sent. */
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

/** The table is another one than a plan was made for. */
export class TableChangedError extends Error {
  readonly code = 'ERR_IPVS_TABLE_CHANGED'

  /** @param changed what has changed, in words */
  constructor(readonly changed: readonly string[]) {
    const more = changed.length > 3 ? `, and ${changed.length - 3} more` : ''
    super(`the table has changed since the plan was made: ${changed.slice(0, 3).join(', ')}${more}; nothing was sent. Plan anew`)
  }
}
