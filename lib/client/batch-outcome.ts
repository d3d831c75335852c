import { AbortError, BatchError, type BatchResult, type Refusal } from '../model/batch.js'
import type { IpvsError } from '../model/errors.js'
import type { Operation } from '../model/types.js'

let batches = 0

/** The outcome of a batch: numbers, and an object for each operation that was not carried out. */
export class Results {
  /** Number of the batch in this process. */
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

/** Returns the result, or throws an error that has it if an operation was not carried out. `lenient`: never throws. */
export function conclude(results: Results, lenient: boolean): BatchResult {
  const result = results.result()
  if (result.done < result.total && !lenient) throw new BatchError(result)
  return result
}
