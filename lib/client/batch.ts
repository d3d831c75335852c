import { availableParallelism } from 'node:os'
import { setImmediate as turn } from 'node:timers/promises'
import { telling, AbortError, BatchError, type BatchOptions, type BatchResult, type Refusal } from '../model/batch.js'
import { invalidType, invalidValue, isArgumentError, withoutStack, type IpvsError } from '../model/errors.js'
import { object, refuseUnknown, type Known } from '../arguments/validate.js'
import { failureOf } from './failure.js'
import type { BatchBuilder } from './methods.js'
import { changes, packOperation, readOperation, type Change } from './operations.js'
import { compact, returnBuffer, takeBuffer } from '../wire/pack/buffers.js'
import type { Requests } from '../wire/pack/requests.js'
import { PIECE_REQUESTS, UNDER_WAY, type Piece, type Place } from './piece.js'
import type { Queue } from './queue.js'
import type {
  DaemonInput, DaemonKey, Destination, DestinationInput, DestinationKey, Operation, Service, ServiceInput, ServiceKey, Timeouts,
} from '../model/types.js'
import { DONE, NOT_SENT, UNKNOWN, type Reply } from '../wire/unpack/reply.js'
import { onAbort, UntilAborted } from './until-aborted.js'

/** What `IpvsSync.batch` takes. */
export type BatchInput = ((batch: BatchBuilder) => void) | Iterable<Operation>

/** What `Ipvs.batch` takes. */
export type AsyncBatchInput = ((batch: BatchBuilder) => void | Promise<void>) | Iterable<Operation> | AsyncIterable<Operation>

const OPTIONS: Known = { what: 'the options of batch', names: new Set(['refusals', 'signal']) }

function readOptions(options: BatchOptions | undefined): { lenient: boolean, signal: AbortSignal | undefined } {
  if (options === undefined) return { lenient: false, signal: undefined }
  const given = object(options, 'options')
  refuseUnknown(given, 'options', OPTIONS)
  const { refusals, signal } = options
  if (refusals !== undefined && refusals !== 'throw' && refusals !== 'return') throw invalidValue('options.refusals', '\'throw\' or \'return\'', refusals)
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw invalidType('options.signal', 'an AbortSignal', signal)
  if (signal?.aborted === true) throw new Results(undefined).aborted(signal.reason)
  return { lenient: refusals === 'return', signal }
}

let batches = 0

/** What becomes of a batch's operations: numbers, and something to keep for those only that were not carried out. */
class Results {
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

/** Some operations of a batch, packed; notes what becomes of them. */
class BatchPiece implements Piece {
  readonly sealed = true
  readonly batch: number
  /** When it is known what has become of it, whatever that is. */
  readonly answered: Promise<void>
  /** Is told why it could not be sent. */
  onFailure: ((error: unknown) => void) | undefined
  #settled!: () => void

  constructor(public requests: Requests, readonly first: number, readonly results: Results) {
    this.batch = results.number
    this.answered = new Promise((resolve) => { this.#settled = resolve })
  }

  /** Validates and packs. The index is named where an operation is not valid. */
  add(operation: Operation): void {
    try {
      packOperation(this.requests, operation)
    } catch (error) {
      throw located(error, this.results.count)
    }
    this.results.count++
  }

  settle(reply: Reply | undefined): void {
    const { results, requests: { count } } = this
    if (reply === undefined) results.done += count
    else for (let i = 0; i < count; i++) this.#note(reply, i)
    this.#settled()
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

  /** The piece is not going to be sent. */
  abandon(): void {
    this.results.notSent += this.requests.count
    this.#settled()
  }

  fail(error: unknown): void {
    this.abandon()
    this.onFailure?.(error)
  }
}

/** Tells which operation of a batch the error is about. */
function located(error: unknown, index: number): unknown {
  if (isArgumentError(error) && Object.isExtensible(error)) {
    error.message = `operation ${index} of the batch: ${error.message}`
    Object.assign(error, { index })
  }
  return error
}

/**
 * Operations in the first piece of what is sent as it comes; each piece has twice as many as the one before, up to {@link PIECE_REQUESTS}. The first
 * ones are small so that the kernel begins soon, which helps where it has a processor of its own.
 */
export const FIRST_PIECE = availableParallelism() > 1 ? 256 : PIECE_REQUESTS / 2

/** Packs operations, as many pieces as it takes. */
class Packer {
  readonly pieces: BatchPiece[] = []
  #last: BatchPiece | undefined
  #size: number

  /** @param first operations in the first piece */
  constructor(readonly results: Results, first: number) {
    this.#size = first
  }

  /** Returns the piece that became full, if one did. */
  add(operation: Operation): BatchPiece | undefined {
    const piece = this.#last ??= new BatchPiece(takeBuffer(), this.results.count, this.results)
    piece.add(operation)
    if (piece.requests.count === 1) this.pieces.push(piece)
    if (piece.requests.count < this.#size) return undefined
    this.#last = undefined
    this.#size = Math.min(this.#size * 2, PIECE_REQUESTS)
    return piece
  }

  /** Takes the first piece, full or not; it is not among the {@link pieces} any more. */
  takeFirst(): BatchPiece | undefined {
    const piece = this.pieces.shift()
    if (piece === this.#last) this.#last = undefined
    return piece
  }

  takeAll(): BatchPiece[] {
    this.#last = undefined
    return this.pieces.splice(0)
  }

  /** No more is added: what has begun may have to wait in its place. */
  compact(): void {
    const last = this.pieces.at(-1)
    if (last !== undefined) last.requests = compact(last.requests)
  }

  /** What is here is not going to be sent. */
  abandon(): void {
    for (const piece of this.takeAll()) {
      piece.abandon()
      returnBuffer(piece.requests)
    }
  }

  /** Bad input was found before anything was sent: there was no batch. */
  forget(): void {
    for (const { requests } of this.takeAll()) returnBuffer(requests)
    this.results.count = 0
  }
}

/** The builder: operations are packed as they are called, so what is wrong with one is thrown where it is called. */
class Builder implements BatchBuilder {
  readonly #packer: Packer
  #open = true

  constructor(packer: Packer) {
    this.#packer = packer
  }

  #add(change: Change, first?: unknown, second?: unknown): void {
    if (!this.#open) throw new Error('The batch has been sent: its builder takes no more operations')
    this.#packer.add(change.describe(first, second))
  }

  close(): void {
    this.#open = false
  }

  addService(service: ServiceInput): void { this.#add(changes.addService, service) }
  updateService(service: Service): void { this.#add(changes.updateService, service) }
  removeService(service: ServiceKey): void { this.#add(changes.removeService, service) }
  addDestination(service: ServiceKey, destination: DestinationInput): void { this.#add(changes.addDestination, service, destination) }
  updateDestination(service: ServiceKey, destination: Destination): void { this.#add(changes.updateDestination, service, destination) }
  removeDestination(service: ServiceKey, destination: DestinationKey): void { this.#add(changes.removeDestination, service, destination) }
  zero(service?: ServiceKey): void { this.#add(changes.zero, service) }
  flush(): void { this.#add(changes.flush) }
  setTimeouts(timeouts: Partial<Timeouts>): void { this.#add(changes.setTimeouts, timeouts) }
  startDaemon(daemon: DaemonInput): void { this.#add(changes.startDaemon, daemon) }
  stopDaemon(daemon: DaemonKey): void { this.#add(changes.stopDaemon, daemon) }
}

type Shape = 'callback' | 'array' | 'iterable' | 'async iterable'

function shapeOf(input: unknown, asynchronous: boolean): Shape {
  if (typeof input === 'function') return 'callback'
  if (Array.isArray(input)) return 'array'
  if (typeof input === 'object' && input !== null) {
    if (asynchronous && Symbol.asyncIterator in input) return 'async iterable'
    if (Symbol.iterator in input) return 'iterable'
  }
  throw invalidType('operations', `a function, an array${asynchronous ? ', an iterable or an async iterable' : ' or an iterable'} of operations`, input)
}

function conclude(results: Results, lenient: boolean): BatchResult {
  const result = results.result()
  if (result.done < result.total && !lenient) throw new BatchError(result)
  return result
}

/** Pieces of a batch that are on their way; its callers wait here for the kernel to catch up. */
class Sending {
  readonly #results: Results
  readonly #signal: AbortSignal | undefined
  readonly #unanswered: { piece: BatchPiece, place: Place }[] = []
  #withdrawn = false
  /** Why a transaction could not be started. */
  #failure: { error: unknown } | undefined
  /** What the signal ended the batch with. */
  aborted: AbortError | undefined
  /** The signal means nothing any more. */
  readonly close: () => void

  constructor(results: Results, signal: AbortSignal | undefined) {
    this.#results = results
    this.#signal = signal
    // A piece can wait for long behind other batches.
    this.close = onAbort(signal, () => this.#withdraw())
  }

  send(place: Place, piece: BatchPiece): void {
    this.#unanswered.push({ piece, place })
    piece.onFailure = (error) => {
      this.#failure ??= { error }
      this.#withdraw()
    }
    place.push(piece)
  }

  #withdraw(): void {
    for (const { place } of this.#unanswered) this.#abandon(place.withdraw() as BatchPiece[])
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

  /** Whether no more is to be sent: the signal has come, or a transaction could not be started. */
  get over(): boolean {
    return this.#signal?.aborted === true || this.#failure !== undefined
  }

  /** Throws why no more is to be sent, once it is known what became of all that was; `rest` is what was packed and not handed over. */
  async stop(rest: readonly BatchPiece[] = []): Promise<never> {
    this.#abandon(rest)
    await this.until(0)
    if (this.#failure !== undefined) throw this.#failure.error
    throw this.aborted = this.#results.aborted(this.#signal!.reason)
  }

  /** Waits for everything. Throws if not all of it was sent. */
  async end(): Promise<void> {
    await this.until(0)
    if (this.#withdrawn || this.#failure !== undefined) await this.stop()
  }
}

/** How many pieces of one batch can be handed over and unanswered: those that are sent and one that is ready. */
const AHEAD = UNDER_WAY + 1

/** Everything is packed, so everything is valid; send it. */
async function sendAll(sending: Sending, place: Place, packer: Packer): Promise<void> {
  for (let piece = packer.takeFirst(); piece !== undefined; piece = packer.takeFirst()) {
    sending.send(place, piece)
    if (packer.pieces.length > 0) await sending.until(AHEAD)
    if (sending.over) await sending.stop(packer.takeAll())
  }
}

/** Packs a piece while the last ones are being sent. */
async function sendIterable(sending: Sending, place: Place, packer: Packer, operations: Iterable<Operation>): Promise<void> {
  for (const operation of operations) {
    if (packer.add(operation) === undefined) continue
    if (sending.over) await sending.stop(packer.takeAll())
    sending.send(place, packer.takeFirst()!)
    await turn()
    await sending.until(AHEAD)
    if (sending.over) await sending.stop()
  }
  if (sending.over) await sending.stop(packer.takeAll())
  const rest = packer.takeFirst()
  if (rest !== undefined) sending.send(place, rest)
}

/** Takes a place in the order for each piece, so that whatever the iterable waits for can use the same handle. */
async function sendAsyncIterable(sending: Sending, queue: Queue, packer: Packer, operations: AsyncIterable<Operation>, signal: AbortSignal | undefined): Promise<void> {
  const flush = (): void => {
    const piece = packer.takeFirst()
    if (piece === undefined) return
    const place = queue.lane()
    sending.send(place, piece)
    place.close()
  }
  const iterator = operations[Symbol.asyncIterator]()
  const patience = new UntilAborted(signal)
  let finished = false
  let waiting: NodeJS.Immediate | undefined
  try {
    for (;;) {
      if (sending.over) await sending.stop(packer.takeAll())
      const next = iterator.next()
      // What has come is sent when the iterable takes longer than a turn of the event loop for more.
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
        // As with `for await`: what has failed is not told that it is over.
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
      if (packer.add(result.value) === undefined) continue
      flush()
      await turn()
      await sending.until(AHEAD)
    }
    flush()
  } finally {
    clearImmediate(waiting)
    patience.close()
    // Not waited for: an iterable that hangs would keep the batch from ending.
    const leave = async (): Promise<unknown> => iterator.return?.()
    if (!finished) leave().catch(() => {})
  }
}

/** Operations of an array that are packed between two turns of the event loop: at first few, since code that has not run before takes ten times as long. */
const SLICE = { cold: 256, warm: PIECE_REQUESTS } as const

/** After so many operations V8 has compiled what packs them. */
const WARM = 8192

let packed = 0

/** Packs a whole array before any of it is sent. */
async function packArray(packer: Packer, operations: readonly Operation[]): Promise<void> {
  try {
    for (let from = 0; from < operations.length;) {
      const to = Math.min(from + (packed < WARM ? SLICE.cold : SLICE.warm), operations.length)
      for (let i = from; i < to; i++) packer.add(operations[i])
      packed += to - from
      from = to
      if (from < operations.length) await turn()
    }
  } catch (error) {
    packer.forget()
    throw error
  }
  packer.compact()
}

/** What ended a batch early, telling what has become of its operations. Bad input in an array or a function has kept all from being sent. */
function interrupted(error: unknown, packer: Packer): unknown {
  packer.abandon()
  const { results } = packer
  if (results.count === 0) return error
  if (isArgumentError(error) && Object.isExtensible(error)) error.message += `. The first ${results.count - results.notSent} operations had been sent by then`
  return telling(error, 'The batch ended early', results.result())
}

/** The promise API's `batch`. */
export function batch(queue: Queue, input: AsyncBatchInput, options: BatchOptions | undefined): Promise<BatchResult> {
  return queue.during(async () => {
    const { lenient, signal } = readOptions(options)
    const shape = shapeOf(input, true)
    // The caller may go on with the array before it is packed.
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
    const place = shape === 'async iterable' ? undefined : queue.lane()
    const sending = new Sending(results, signal)
    try {
      try {
        if (sending.over) await sending.stop(packer.takeAll())
        if (array !== undefined) await packArray(packer, array)
        if (place === undefined) await sendAsyncIterable(sending, queue, packer, input as AsyncIterable<Operation>, signal)
        else if (shape === 'iterable') await sendIterable(sending, place, packer, input as Iterable<Operation>)
        else await sendAll(sending, place, packer)
      } finally {
        place?.close()
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

/** Packs what a function calls, or an array, before any of it is sent. */
function packSync(packer: Packer, input: ((batch: BatchBuilder) => unknown) | readonly Operation[]): void {
  try {
    if (typeof input !== 'function') {
      for (const operation of input) packer.add(operation)
      return
    }
    const builder = new Builder(packer)
    try {
      const result = input(builder)
      if (typeof (result as PromiseLike<unknown> | undefined)?.then === 'function') {
        // What becomes of it is nobody's trouble: it is refused.
        Promise.resolve(result).catch(() => {})
        throw invalidType('operations', 'a function that does not return a promise (IpvsSync does not wait)', result)
      }
    } finally {
      builder.close()
    }
  } catch (error) {
    packer.forget()
    throw error
  }
}

/** `batch` of `IpvsSync`. */
export function batchSync(execute: (requests: Requests, batch: number) => Reply | undefined, input: BatchInput, options: BatchOptions | undefined): BatchResult {
  const { lenient, signal } = readOptions(options)
  const shape = shapeOf(input, false)
  const results = new Results(shape === 'array' ? input as Operation[] : undefined)
  const packer = new Packer(results, PIECE_REQUESTS)
  let aborted: AbortError | undefined
  const send = (piece: BatchPiece): void => {
    if (signal?.aborted === true) {
      piece.abandon()
      packer.abandon()
      throw aborted = results.aborted(signal.reason)
    }
    let reply: Reply | undefined
    try {
      reply = execute(piece.requests, results.number)
    } catch (error) {
      piece.abandon()
      throw error
    }
    piece.settle(reply)
    returnBuffer(piece.requests)
  }
  try {
    if (shape === 'iterable') {
      for (const operation of input as Iterable<Operation>) if (packer.add(operation) !== undefined) send(packer.takeFirst()!)
    } else packSync(packer, input as ((batch: BatchBuilder) => unknown) | Operation[])
    for (let piece = packer.takeFirst(); piece !== undefined; piece = packer.takeFirst()) send(piece)
  } catch (error) {
    if (error instanceof AbortError && error === aborted) throw error
    throw interrupted(error, packer)
  }
  return conclude(results, lenient)
}
