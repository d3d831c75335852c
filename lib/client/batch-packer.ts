import { availableParallelism } from 'node:os'
import { AbortError, BatchError, telling, type BatchResult, type Refusal } from '../model/batch.js'
import { isArgumentError, withoutStack, type IpvsError } from '../model/errors.js'
import type { Operation } from '../model/types.js'
import { compact, returnBuffer, takeBuffer, type Requests } from '../wire/pack/requests.js'
import { DONE, NOT_SENT, UNKNOWN, type Reply } from '../wire/unpack/reply.js'
import { failureOf } from './failure.js'
import { pack, packOperation, readOperation, type ChangeDefinition } from './operations.js'
import { STRIDE } from './pause.js'
import { PIECE_REQUESTS, type Piece } from './piece.js'

let batches = 0

/** Counts the outcomes of a batch. Only operations that were not carried out get an object. */
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

  /** @param given the array, if the batch was given as one. Refusals then have its elements. */
  constructor(readonly given: readonly Operation[] | undefined) {}

  result(): BatchResult {
    const { count, done, refused, unknown, notSent, cause } = this
    return { total: count, done, refused, unknown, notSent, ...cause !== undefined && { cause } }
  }

  aborted(reason: unknown): AbortError {
    return new AbortError(reason, this.count - this.notSent, this.result())
  }
}

/** Returns the result of a batch. Throws a `BatchError` with the result if an operation was not carried out, unless `lenient` is set. */
export function conclude(results: Results, lenient: boolean): BatchResult {
  const result = results.result()
  if (result.done < result.total && !lenient) throw new BatchError(result)
  return result
}

/** Some packed operations of a batch, and the notes of their outcomes. */
export class BatchPiece implements Piece {
  readonly sealed = true
  readonly batch: number
  /** Resolves when the outcomes are known, whatever they are. */
  readonly answered: Promise<void>
  /** Called with the reason if the piece could not be sent. */
  onFailure: ((error: unknown) => void) | undefined
  #resolve!: () => void

  constructor(public requests: Requests, readonly first: number, readonly results: Results) {
    this.batch = results.number
    this.answered = new Promise((resolve) => { this.#resolve = resolve })
  }

  /** Validates and packs an operation. An error names the operation's index in the batch. */
  add(operation: Operation): void {
    try {
      packOperation(this.requests, operation)
    } catch (error) {
      throw located(error, this.results.count)
    }
    this.results.count++
  }

  /**
   * The same for the elements of an array from one index up to another. What runs once for each of them is short, so V8 compiles it soon,
   * and only once.
   */
  addSome(operations: readonly Operation[], from: number, to: number): void {
    let index = from
    try {
      for (; index < to; index++) packOperation(this.requests, operations[index])
    } catch (error) {
      throw located(error, index)
    }
    this.results.count = to
  }

  /** The same for the arguments of a method. No object is made of them. */
  addCall(change: ChangeDefinition, first: unknown, second: unknown): void {
    try {
      pack(this.requests, change, first, second)
    } catch (error) {
      throw located(error, this.results.count)
    }
    this.results.count++
  }

  receive(reply: Reply | undefined): void {
    const { results, requests: { count } } = this
    if (reply === undefined) results.done += count
    else for (let i = 0; i < count; i++) this.#note(reply, i)
    this.#resolve()
  }

  #note(reply: Reply, i: number): void {
    const { results, requests } = this
    const outcome = reply.outcome(i)
    if (outcome === DONE) {
      results.done++
      return
    }
    if (outcome === NOT_SENT) {
      results.notSent++
      if (results.cause !== undefined) return
    }
    const index = this.first + i
    const operation = results.given?.[index] ?? readOperation(requests, i)
    const error = withoutStack(() => failureOf(reply, requests, i, operation.type, () => operation))!
    if (outcome === NOT_SENT) results.cause = error
    else results[outcome === UNKNOWN ? 'unknown' : 'refused'].push({ index, operation, error })
  }

  /** Notes that the piece will not be sent. */
  abandon(): void {
    this.results.notSent += this.requests.count
    this.#resolve()
  }

  fail(error: unknown): void {
    this.abandon()
    this.onFailure?.(error)
  }
}

/** Adds to an error which operation of the batch it is about. */
function located(error: unknown, index: number): unknown {
  if (isArgumentError(error) && Object.isExtensible(error)) {
    error.message = `operation ${index} of the batch: ${error.message}`
    Object.assign(error, { index })
  }
  return error
}

/**
 * How many operations the first piece of an iterable has. Each further piece has twice as many, up to {@link PIECE_REQUESTS}. The first
 * pieces are small so that the kernel begins soon, which helps if it has a processor of its own.
 */
export const FIRST_PIECE = availableParallelism() > 1 ? 256 : PIECE_REQUESTS / 2

/** Packs operations into as many pieces as they need. */
export class Packer {
  readonly pieces: BatchPiece[] = []
  #last: BatchPiece | undefined
  #size: number

  /** @param first how many operations the first piece has */
  constructor(readonly results: Results, first: number) {
    this.#size = first
  }

  /** Adds an operation. Returns the piece that became full, if one did. */
  add(operation: Operation): BatchPiece | undefined {
    const piece = this.#growing()
    piece.add(operation)
    return this.#grown(piece)
  }

  /** Adds the operation that a method with these arguments asks for. */
  addCall(change: ChangeDefinition, first: unknown, second: unknown): void {
    const piece = this.#growing()
    piece.addCall(change, first, second)
    this.#grown(piece)
  }

  /** Adds elements of an array, those from this index on, as many as are packed between two looks at the clock. Returns their number. */
  addSome(operations: readonly Operation[], from: number): number {
    const piece = this.#growing()
    const added = Math.min(this.#stride(piece), operations.length - from)
    piece.addSome(operations, from, from + added)
    this.#grown(piece)
    return added
  }

  /** Adds what an iterable yields. Yields after as many operations as are packed between two looks at the clock: a piece if one is full. */
  * addAll(operations: Iterable<Operation>): Generator<BatchPiece | undefined, void> {
    let piece: BatchPiece | undefined
    let room = 0
    for (const operation of operations) {
      if (piece === undefined) {
        piece = this.#growing()
        room = this.#stride(piece)
      }
      piece.add(operation)
      if (--room > 0) continue
      yield this.#grown(piece)
      piece = undefined
    }
  }

  #growing(): BatchPiece {
    if (this.#last !== undefined) return this.#last
    this.#last = new BatchPiece(takeBuffer(), this.results.count, this.results)
    this.pieces.push(this.#last)
    return this.#last
  }

  /** How many operations are added to the piece before the clock is looked at. */
  #stride(piece: BatchPiece): number {
    return Math.min(STRIDE, this.#size - piece.requests.count)
  }

  #grown(piece: BatchPiece): BatchPiece | undefined {
    if (piece.requests.count < this.#size) return undefined
    this.#last = undefined
    this.#size = Math.min(this.#size * 2, PIECE_REQUESTS)
    return piece
  }

  /** Removes the first piece from {@link pieces}, full or not. */
  takeFirst(): BatchPiece | undefined {
    const piece = this.pieces.shift()
    if (piece === this.#last) this.#last = undefined
    return piece
  }

  takeAll(): BatchPiece[] {
    this.#last = undefined
    return this.pieces.splice(0)
  }

  /** Moves the last piece to memory of its own size, because it may have to wait. No more operations are added to it. */
  compact(): void {
    const last = this.pieces.at(-1)
    if (last !== undefined) last.requests = compact(last.requests)
  }

  /** Notes that the packed pieces will not be sent. */
  abandon(): void {
    for (const piece of this.takeAll()) {
      piece.abandon()
      returnBuffer(piece.requests)
    }
  }

  /** Drops everything, because bad input was found before anything was sent. The batch then has no operations. */
  forget(): void {
    for (const { requests } of this.takeAll()) returnBuffer(requests)
    this.results.count = 0
  }
}

/**
 * Makes the error of a batch that ended early: it has the outcome of the operations. The error stays as it is if there are none, as with
 * bad input in an array or a function, of which nothing is sent.
 */
export function interrupted(error: unknown, packer: Packer): unknown {
  packer.abandon()
  const { results } = packer
  if (results.count === 0) return error
  if (isArgumentError(error) && Object.isExtensible(error)) {
    error.message += `. The first ${results.count - results.notSent} operations had been sent by then`
  }
  return telling(error, 'The batch ended early', results.result())
}
