import { pause, worked } from '../client/pause.js'
import type { Operation } from '../model/types.js'
import type { Found } from './plan.js'
import { operationsOf } from './staged.js'

/** The error of a table that another program changed between every two readings. */
class TableChangingError extends Error {
  readonly code = 'ERR_IPVS_TABLE_CHANGING'

  constructor(attempts: number) {
    const times = attempts === 1 ? 'while' : `each of the ${attempts} times`
    super(`the table was changed by others ${times} it was read to plan; nothing was sent. Try again later, or allow more with options.concurrencyCheck.attempts`)
  }
}

/** Whether two plans have the same operations, in any order: Linux 7.2 reorders its table of services by itself. */
async function sameOperations(some: readonly Operation[], others: readonly Operation[]): Promise<boolean> {
  if (some.length !== others.length) return false
  // A plan has no operation twice, and the same planner writes equal operations alike.
  const texts = new Set<string>()
  for (const operation of some) {
    texts.add(JSON.stringify(operation))
    if (worked()) await pause()
  }
  for (const operation of others) {
    if (!texts.has(JSON.stringify(operation))) return false
    if (worked()) await pause()
  }
  return true
}

/**
 * Reads the table and plans until two successive readings lead to the same plan.
 *
 * @param look reads the table and plans
 * @param attempts how often the table is read again at most
 */
export async function checked(look: () => Promise<Found>, attempts: number): Promise<Found> {
  let found = await look()
  if (operationsOf(found.staged).length === 0) return found
  for (let attempt = 0; attempt < attempts; attempt++) {
    const again = await look()
    if (await sameOperations(operationsOf(again.staged), operationsOf(found.staged))) return again
    found = again
  }
  throw new TableChangingError(attempts)
}
