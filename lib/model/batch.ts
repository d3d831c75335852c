import { types } from 'node:util'
import type { IpvsError } from './errors.js'
import type { Operation } from './types.js'

/** An operation of a batch that the kernel refused, or whose answer was lost. */
export interface Refusal {
  /** Its place in the batch, from 0. */
  index: number
  /**
   * Of an array the element that was given. A function's calls and what an iterable yielded are not kept: theirs is read back from what was
   * sent, so that defaults are filled in and addresses are in their canonical form.
   */
  operation: Operation
  error: IpvsError
}

/** What became of a batch: each operation was done, refused, is unknown, or was not sent. There is no object for one that was done. */
export interface BatchResult {
  /** Operations in the batch; of an iterable that did not come to its end, those that were taken from it. */
  total: number
  /** Operations that were carried out. */
  done: number
  /** Those that the kernel refused, in order. A refusal keeps nothing after it from being carried out. */
  refused: Refusal[]
  /** Those whose answer was lost, in order: they may have been carried out. Their error's code is 'ERR_IPVS_ANSWER_LOST'. */
  unknown: Refusal[]
  /**
   * How many of the last ones were not sent, since an answer before them was lost, the socket did not take them, a signal came, or the batch
   * ended with an error: always a tail of what was given.
   */
  notSent: number
  /** Why they were not sent, where the socket is the reason. */
  cause?: IpvsError
}

/** Options of `batch`. */
export interface BatchOptions {
  /**
   * 'throw' (the default): if an operation was not carried out, a `BatchError` with the result. 'return': the result, whatever it is.
   * In both cases a refusal does not keep the kernel from carrying out the operations after it.
   */
  refusals?: 'throw' | 'return'
  /** Takes back what has not been sent when it comes. What was sent cannot be recalled; the `AbortError` has the result. */
  signal?: AbortSignal
}

/** Some operations of a batch were not carried out; the kernel has carried out all others. */
export class BatchError extends Error {
  override readonly name = 'BatchError'
  readonly code = 'ERR_IPVS_BATCH'
  /** What became of the batch. */
  declare readonly result: BatchResult

  constructor(result: BatchResult) {
    const { total, done, refused, unknown, cause } = result
    const [first] = [...refused.slice(0, 1), ...unknown.slice(0, 1)].sort((a, b) => a.index - b.index)
    const why = first === undefined ? `: ${cause?.message}` : `; the first is number ${first.index}: ${first.error.message}`
    super(`${total - done} of ${total} operations were not carried out${why}`)
    hide(this, result)
  }
}

/** What an error tells beside its message can be thousands of operations: where it is printed they are not shown. */
function hide(error: Error, result: unknown): void {
  Object.defineProperty(error, 'result', { value: result, enumerable: false, configurable: true, writable: true })
}

/** A batch, or an `apply`, was ended by its `AbortSignal`, whose reason is the `cause`. What had been sent by then was carried out. */
export class AbortError<Result = BatchResult> extends Error {
  override readonly name = 'AbortError'
  readonly code = 'ABORT_ERR'
  /** What became of it; of an `apply` its `ApplyResult`. */
  declare readonly result: Result

  /** @param sent how many operations had been sent */
  constructor(reason: unknown, sent: number, result: Result) {
    super(`Aborted: ${sent} operations had been sent, which cannot be recalled`, { cause: reason })
    hide(this, result)
  }
}

/** Whether this is an error, of this realm or another one. */
const isError = (error: unknown): error is Error => error instanceof Error || types.isNativeError(error)

/**
 * The error, telling what had been done by then. What takes no property, since it is frozen or no error at all, and what tells this of
 * another batch becomes the `cause` of one that does.
 */
export function telling(error: unknown, message: string, result: unknown): Error {
  const taking = isError(error) && Object.isExtensible(error) && !(error instanceof BatchError || error instanceof AbortError)
  const teller = taking ? error : new Error(isError(error) ? `${message}: ${error.message}` : message, { cause: error })
  hide(teller, result)
  return teller
}
