import { types } from 'node:util'
import type { IpvsError } from './errors.js'
import type { Operation } from './types.js'

/** An operation of a batch that the kernel refused, or whose answer was lost. */
export interface Refusal {
  /** Its place in the batch, from 0. */
  index: number
  /**
   * For an array: the element that was given. The calls of a function and the elements of an iterable are not kept. Their operations are
   * read back from what was sent, with defaults filled in and addresses in canonical form.
   */
  operation: Operation
  /** Why it was not carried out, or that its answer was lost. */
  error: IpvsError
}

/** The result of a batch. Each operation was done or refused, is unknown, or was not sent. Those that were done have no object. */
export interface BatchResult {
  /** Operations in the batch. For an iterable that was not read to its end: those that were taken from it. */
  total: number
  /** Operations that were carried out. */
  done: number
  /** Operations that the kernel refused, in order. It carries out the operations after a refusal all the same. */
  refused: Refusal[]
  /** Operations whose answer was lost, in order. They may have been carried out. The code of their error is 'ERR_IPVS_ANSWER_LOST'. */
  unknown: Refusal[]
  /**
   * How many operations at the end of the batch were not sent. An answer before them was lost, the socket did not take them, the signal was
   * aborted, or the batch ended with an error.
   */
  notSent: number
  /** Why operations were not sent, if the socket is the reason. */
  cause?: IpvsError
}

/** Options of `batch`. */
export interface BatchOptions {
  /**
   * 'throw' (the default): the batch fails with a `BatchError`, which has the result, if an operation was not carried out. 'return': the
   * batch answers with the result in every case. Either way the kernel carries out the operations after a refusal.
   */
  refusals?: 'throw' | 'return'
  /**
   * When it is aborted, the batch sends no more operations and fails with an `AbortError`, which has the result. Operations that were sent
   * cannot be recalled.
   */
  signal?: AbortSignal
}

/** Some operations of a batch were not carried out: the kernel refused them, their answer was lost, or they were not sent. */
export class BatchError extends Error {
  override readonly name = 'BatchError'
  readonly code = 'ERR_IPVS_BATCH'
  /** The result of the batch. */
  declare readonly result: BatchResult

  constructor(result: BatchResult) {
    const { total, done, refused, unknown, cause } = result
    const [first] = [...refused.slice(0, 1), ...unknown.slice(0, 1)].sort((a, b) => a.index - b.index)
    const why = first === undefined ? `: ${cause?.message}` : `; the first is number ${first.index}: ${first.error.message}`
    super(`${total - done} of ${total} operations were not carried out${why}`)
    hide(this, result)
  }
}

/** Gives an error a result. It is not enumerable, so that it is not printed with the error: it can have thousands of operations. */
function hide(error: Error, result: unknown): void {
  Object.defineProperty(error, 'result', { value: result, enumerable: false, configurable: true, writable: true })
}

/** A batch, or an `apply`, was ended by its `AbortSignal`, whose reason is the `cause`. What had been sent by then was carried out. */
export class AbortError<Result = BatchResult> extends Error {
  override readonly name = 'AbortError'
  readonly code = 'ABORT_ERR'
  /** The result up to then: of a batch its {@link BatchResult}, of an `apply` its `ApplyResult`. */
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
 * Gives an error the result of the work that it interrupted. Returns the same error where possible. An error that is frozen, a value that
 * is no error, and an error that already has the result of another batch become the `cause` of a new one.
 */
export function telling(error: unknown, message: string, result: unknown): Error {
  const taking = isError(error) && Object.isExtensible(error) && !(error instanceof BatchError || error instanceof AbortError)
  const teller = taking ? error : new Error(isError(error) ? `${message}: ${error.message}` : message, { cause: error })
  hide(teller, result)
  return teller
}
