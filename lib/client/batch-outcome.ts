import { AbortError, BatchError, type BatchResult, type Refusal } from '../model/batch.js'
import type { IpvsError } from '../model/errors.js'
import type { Operation } from '../model/types.js'

let batches = 0

/** What becomes of a batch's operations: numbers, and something to keep for those only that were not carried out. */
export class Results {
  /** Tells the batch from the others of this process. */
  readonly number = ++batches
  /** Operations that were packed. */
  count = 0
  done = 0
  notSent = 0
  readonly refused: Refusal[] = []
  readonly unknown: Refusal[] = []
  cause: IpvsError | undefined

  /** @param given the array, if it is one: its elements are the operations of refusals */
  constructor(readonly given: readonly Operation[] | undefined) {}

  result(): BatchResult {
    const { count, done, refused, unknown, notSent, cause } = this
    return { total: count, done, refused, unknown, notSent, ...cause !== undefined && { cause } }
  }

  aborted(reason: unknown): AbortError {
    return new AbortError(reason, this.count - this.notSent, this.result())
  }
}

/** The result, or an error that has it. `lenient`: what was not carried out is no error. */
export function conclude(results: Results, lenient: boolean): BatchResult {
  const result = results.result()
  if (result.done < result.total && !lenient) throw new BatchError(result)
  return result
}
