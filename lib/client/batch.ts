import { object, refuseUnknown, type Known } from '../arguments/validate.js'
import { AbortError, type BatchOptions, type BatchResult } from '../model/batch.js'
import { invalidType, invalidValue } from '../model/errors.js'
import type { Operation } from '../model/types.js'
import { returnBuffer } from '../wire/pack/requests.js'
import { Builder } from './batch-builder.js'
import { conclude, FIRST_PIECE, interrupted, Packer, Results, type BatchPiece } from './batch-packer.js'
import type { BatchBuilder } from './methods.js'
import { pause, STRIDE, worked } from './pause.js'
import { PIECE_REQUESTS, UNDER_WAY } from './piece.js'
import type { Lane, Queue } from './queue.js'
import { onAbort, UntilAborted } from './until-aborted.js'

/** What `IpvsSync.batch` takes. */
export type BatchInput = ((batch: BatchBuilder) => void) | Iterable<Operation>

/** What `Ipvs.batch` takes. */
export type AsyncBatchInput = ((batch: BatchBuilder) => void | Promise<void>) | Iterable<Operation> | AsyncIterable<Operation>

const OPTIONS: Known = { what: 'the options of batch', names: new Set(['refusals', 'signal']) }

export function readOptions(options: BatchOptions | undefined): { lenient: boolean, signal: AbortSignal | undefined } {
  if (options === undefined) return { lenient: false, signal: undefined }
  const given = object(options, 'options')
  refuseUnknown(given, 'options', OPTIONS)
  const { refusals, signal } = options
  if (refusals !== undefined && refusals !== 'throw' && refusals !== 'return') {
    throw invalidValue('options.refusals', '\'throw\' or \'return\'', refusals)
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw invalidType('options.signal', 'an AbortSignal', signal)
  if (signal?.aborted === true) throw new Results(undefined).aborted(signal.reason)
  return { lenient: refusals === 'return', signal }
}

export type Shape = 'callback' | 'array' | 'iterable' | 'async iterable'

/** The form in which the operations of a batch are given. */
export function shapeOf(input: unknown, asynchronous: boolean): Shape {
  if (typeof input === 'function') return 'callback'
  if (Array.isArray(input)) return 'array'
  if (typeof input === 'object' && input !== null) {
    if (asynchronous && Symbol.asyncIterator in input) return 'async iterable'
    if (Symbol.iterator in input) return 'iterable'
  }
  const iterables = asynchronous ? ', an iterable or an async iterable' : ' or an iterable'
  throw invalidType('operations', `a function, an array${iterables} of operations`, input)
}

/** The pieces of a batch that were handed over and are not answered. The batch waits here for the kernel to catch up. */
export class Sending {
  readonly #results: Results
  readonly #signal: AbortSignal | undefined
  readonly #unanswered: { piece: BatchPiece, lane: Lane }[] = []
  #withdrawn = false
  /** Why a transaction could not be started. */
  #failure: { error: unknown } | undefined
  /** The error with which the signal ended the batch. */
  aborted: AbortError | undefined
  #unlisten: (() => void) | undefined

  constructor(results: Results, signal: AbortSignal | undefined) {
    this.#results = results
    this.#signal = signal
  }

  send(lane: Lane, piece: BatchPiece): void {
    this.#unanswered.push({ piece, lane })
    piece.onFailure = (error) => {
      this.#failure ??= { error }
      this.#withdraw()
    }
    lane.push(piece)
    // A piece can wait for a long time behind other batches. Where none waits, listening would cost more than the rest of a short batch.
    if (lane.pieces.length > 0) this.#unlisten ??= onAbort(this.#signal, () => this.#withdraw())
  }

  /** Stops listening to the signal. */
  close(): void {
    this.#unlisten?.()
  }

  #withdraw(): void {
    for (const { lane } of this.#unanswered) this.#abandon(lane.withdraw() as BatchPiece[])
  }

  #abandon(pieces: readonly BatchPiece[]): void {
    for (const piece of pieces) {
      piece.abandon()
      returnBuffer(piece.requests)
      this.#withdrawn = true
    }
  }

  /** Waits until at most `most` pieces are unanswered. */
  async until(most: number): Promise<void> {
    while (this.#unanswered.length > most) {
      await this.#unanswered[0].piece.answered
      this.#unanswered.shift()
    }
  }

  /** Whether no more is to be sent, because the signal was aborted or a transaction could not be started. */
  get over(): boolean {
    return this.#signal?.aborted === true || this.#failure !== undefined
  }

  /**
   * Waits until the outcome of everything that was sent is known, then throws the reason why no more is sent.
   *
   * @param rest pieces that were packed, but not handed over
   */
  async stop(rest: readonly BatchPiece[] = []): Promise<never> {
    this.#abandon(rest)
    await this.until(0)
    if (this.#failure !== undefined) throw this.#failure.error
    throw this.aborted = this.#results.aborted(this.#signal!.reason)
  }

  /** Waits until everything is answered. Throws if not all of it was sent. */
  async end(): Promise<void> {
    await this.until(0)
    if (this.#withdrawn || this.#failure !== undefined) await this.stop()
  }
}

/** How many pieces of one batch can be unanswered: those that are being sent, and one that is ready. */
const AHEAD = UNDER_WAY + 1

/** Sends all pieces. Their operations are valid, since they were packed before. */
export async function sendAll(sending: Sending, lane: Lane, packer: Packer): Promise<void> {
  for (let piece = packer.takeFirst(); piece !== undefined; piece = packer.takeFirst()) {
    sending.send(lane, piece)
    if (packer.pieces.length > 0) await sending.until(AHEAD)
    if (sending.over) await sending.stop(packer.takeAll())
  }
}

/** Packs each piece while the ones before it are being sent. */
export async function sendIterable(sending: Sending, lane: Lane, packer: Packer, operations: Iterable<Operation>): Promise<void> {
  // A pause before the first operation keeps no buffer waiting.
  if (worked(0)) await pause()
  for (const full of packer.addAll(operations)) {
    if (full !== undefined) {
      if (sending.over) await sending.stop(packer.takeAll())
      sending.send(lane, packer.takeFirst()!)
      await sending.until(AHEAD)
      if (sending.over) await sending.stop()
    }
    if (worked(STRIDE)) await pause()
  }
  if (sending.over) await sending.stop(packer.takeAll())
  const rest = packer.takeFirst()
  if (rest !== undefined) sending.send(lane, rest)
}

/**
 * Sends what an async iterable yields. Each piece has a lane of its own, so that the iterable can use the same handle while it is waited
 * for.
 */
export async function sendAsyncIterable(
  sending: Sending, queue: Queue, packer: Packer, operations: AsyncIterable<Operation>, signal: AbortSignal | undefined,
): Promise<void> {
  const flush = (): void => {
    const piece = packer.takeFirst()
    if (piece === undefined) return
    const lane = queue.lane()
    sending.send(lane, piece)
    lane.close()
  }
  const iterator = operations[Symbol.asyncIterator]()
  const patience = new UntilAborted(signal)
  let finished = false
  let waiting: NodeJS.Immediate | undefined
  try {
    for (;;) {
      if (sending.over) await sending.stop(packer.takeAll())
      const next = iterator.next()
      // If the iterable takes longer than a turn of the event loop, what it has yielded is sent.
      if (waiting === undefined && packer.pieces.length > 0) {
        waiting = setImmediate(() => {
          waiting = undefined
          flush()
        })
      }
      let result: IteratorResult<Operation, unknown> | undefined
      try {
        result = await patience.wait(next)
      } catch (error) {
        // As with `for await`, an iterator that has failed is not closed.
        finished = true
        throw error
      }
      if (result === undefined && signal?.aborted === true) continue
      if (typeof result !== 'object' || result === null) {
        finished = true
        throw new TypeError(`Iterator result ${String(result)} is not an object`)
      }
      if (result.done === true) {
        finished = true
        break
      }
      if (worked()) await pause()
      if (packer.add(result.value) === undefined) continue
      flush()
      await sending.until(AHEAD)
    }
    flush()
  } finally {
    clearImmediate(waiting)
    patience.close()
    // Not awaited: an iterable that hangs would keep the batch from ending.
    const leave = async (): Promise<unknown> => iterator.return?.()
    if (!finished) leave().catch(() => {})
  }
}

/** Packs a whole array before any of it is sent. */
async function packArray(packer: Packer, operations: readonly Operation[]): Promise<void> {
  try {
    for (let next = 0, added = 0; next < operations.length; next += added) {
      if (worked(added)) await pause()
      added = packer.addSome(operations, next)
    }
  } catch (error) {
    packer.forget()
    throw error
  }
  packer.compact()
}

/** The promise API's `batch`. */
export function batch(queue: Queue, input: AsyncBatchInput, options: BatchOptions | undefined): Promise<BatchResult> {
  return queue.during(async () => {
    const { lenient, signal } = readOptions(options)
    const shape = shapeOf(input, true)
    // The caller may change the array before it is packed.
    const array = shape === 'array' ? (input as Operation[]).slice() : undefined
    const results = new Results(array)
    const packer = new Packer(results, shape === 'iterable' || shape === 'async iterable' ? FIRST_PIECE : PIECE_REQUESTS)
    if (shape === 'callback') {
      const builder = new Builder(packer)
      const patience = new UntilAborted(signal)
      try {
        const result: unknown = (input as (batch: BatchBuilder) => unknown)(builder)
        if (result !== undefined) await patience.wait(result)
      } finally {
        patience.close()
        builder.close()
      }
      packer.compact()
    }
    const lane = shape === 'async iterable' ? undefined : queue.lane()
    const sending = new Sending(results, signal)
    try {
      try {
        if (sending.over) await sending.stop(packer.takeAll())
        if (array !== undefined) await packArray(packer, array)
        if (lane === undefined) await sendAsyncIterable(sending, queue, packer, input as AsyncIterable<Operation>, signal)
        else if (shape === 'iterable') await sendIterable(sending, lane, packer, input as Iterable<Operation>)
        else await sendAll(sending, lane, packer)
      } finally {
        lane?.close()
      }
      await sending.end()
    } catch (error) {
      if (error instanceof AbortError && error === sending.aborted) throw error
      await sending.until(0)
      throw interrupted(error, packer)
    } finally {
      sending.close()
    }
    return conclude(results, lenient)
  })
}
