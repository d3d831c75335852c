import { setImmediate as turn } from 'node:timers/promises'
import { invalidType, invalidValue, isArgumentError, withoutStack, AbortError, BatchError } from './errors.js'
import { object, refuseUnknown, type Known } from './check.js'
import { failureOf } from './failure.js'
import type { BatchBuilder } from './methods.js'
import { changes, packOperation, type Change } from './operations.js'
import { returnBuffer, takeBuffer } from './pack/buffers.js'
import type { Requests } from './pack/requests.js'
import { PIECE_REQUESTS, type Piece, type Place, type Queue } from './queue.js'
import type {
  BatchOptions, DaemonInput, DaemonKey, Destination, DestinationInput, DestinationKey, Operation, Outcome, Service, ServiceInput, ServiceKey, Timeouts,
} from './types.js'
import { DONE, type Reply } from './unpack/reply.js'

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
  if (signal?.aborted === true) throw new AbortError(signal.reason, [])
  return { lenient: refusals === 'return', signal }
}

/** Some operations of a batch, packed; writes their outcomes where they belong. */
class BatchPiece implements Piece {
  readonly sealed = true
  readonly operations: Operation[] = []
  readonly answered: Promise<void>
  #settled!: () => void
  #failed!: (error: unknown) => void

  constructor(readonly requests: Requests, readonly first: number, readonly outcomes: Outcome[]) {
    this.answered = new Promise((resolve, reject) => {
      this.#settled = resolve
      this.#failed = reject
    })
    // Whoever waits hears of it; nobody may be waiting yet.
    this.answered.catch(() => {})
  }

  /** Validates and packs. The index is named where an operation is not valid. */
  add(operation: Operation): void {
    try {
      packOperation(this.requests, operation)
    } catch (error) {
      throw located(error, this.first + this.operations.length)
    }
    this.operations.push(operation)
  }

  settle(reply: Reply | undefined): void {
    const { operations, first, outcomes } = this
    for (let i = 0; i < operations.length; i++) {
      outcomes[first + i] = reply === undefined || reply.outcome(i) === DONE ? { index: first + i, operation: operations[i], outcome: 'done' } : this.#failure(reply, i)
    }
    this.#settled()
  }

  #failure(reply: Reply, i: number): Outcome {
    const operation = this.operations[i]
    const error = withoutStack(() => failureOf(reply, this.requests, i, operation.type, () => operation))!
    return { index: this.first + i, operation, outcome: error.outcome, error }
  }

  /** The piece is not going to be sent. */
  abandon(): void {
    this.operations.forEach((operation, i) => {
      this.outcomes[this.first + i] = { index: this.first + i, operation, outcome: 'not-sent' }
    })
    this.#settled()
  }

  fail(error: unknown): void {
    this.#failed(error)
  }
}

/** Tells which operation of a batch the error is about. */
function located(error: unknown, index: number): unknown {
  if (isArgumentError(error)) {
    error.message = `operation ${index} of the batch: ${error.message}`
    Object.assign(error, { index })
  }
  return error
}

/** Operations in the first piece of a batch; each piece has twice as many as the one before, up to {@link PIECE_REQUESTS}. */
export const FIRST_PIECE = 256

/** Packs operations, as many pieces as it takes. */
class Packer {
  readonly pieces: BatchPiece[] = []
  #last: BatchPiece | undefined
  #count = 0
  /** Operations in the next piece. The first pieces are small: the kernel begins sooner, and code that has not run before takes its time. */
  #size = FIRST_PIECE

  constructor(readonly outcomes: Outcome[]) {}

  /** Returns the piece that became full, if one did. */
  add(operation: Operation): BatchPiece | undefined {
    let piece = this.#last
    if (piece === undefined) this.pieces.push(piece = this.#last = new BatchPiece(takeBuffer(), this.#count, this.outcomes))
    piece.add(operation)
    this.#count++
    if (piece.operations.length < this.#size) return undefined
    this.#last = undefined
    this.#size = Math.min(this.#size * 2, PIECE_REQUESTS)
    return piece
  }

  /** Takes the piece that has begun, full or not; it is not among the {@link pieces} any more. */
  take(): BatchPiece | undefined {
    this.#last = undefined
    return this.pieces.pop()
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

function conclude(outcomes: Outcome[], lenient: boolean): Outcome[] {
  if (!lenient && outcomes.some(({ error }) => error !== undefined)) throw new BatchError(outcomes)
  return outcomes
}

/** Pieces of a batch that are on their way; its callers wait here for the kernel to catch up. */
class Sending {
  readonly #outcomes: Outcome[]
  readonly #signal: AbortSignal | undefined
  readonly #unanswered: BatchPiece[] = []

  constructor(outcomes: Outcome[], signal: AbortSignal | undefined) {
    this.#outcomes = outcomes
    this.#signal = signal
  }

  send(place: Place, piece: BatchPiece): void {
    this.#unanswered.push(piece)
    place.push(piece)
  }

  /** Waits until at most `most` pieces are unanswered. */
  async until(most: number): Promise<void> {
    while (this.#unanswered.length > most) {
      await this.#unanswered[0].answered
      this.#unanswered.shift()
    }
  }

  /** Throws if the signal has come; `rest` is what was packed and not handed over. */
  async checkSignal(place: Place | undefined, rest: () => readonly BatchPiece[] = () => []): Promise<void> {
    if (this.#signal?.aborted !== true) return
    const withdrawn = place?.withdraw() as BatchPiece[] | undefined
    for (const piece of [...withdrawn ?? [], ...rest()]) {
      piece.abandon()
      returnBuffer(piece.requests)
    }
    await this.until(0)
    throw new AbortError(this.#signal.reason, this.#outcomes)
  }
}

/** How many pieces of one batch can be handed over and unanswered: those that are sent and one that is ready. */
const AHEAD = 2

/** Everything is packed, so everything is valid; send it. */
async function sendAll(sending: Sending, place: Place, pieces: BatchPiece[]): Promise<void> {
  for (let i = 0; i < pieces.length; i++) {
    await sending.checkSignal(place, () => pieces.slice(i))
    sending.send(place, pieces[i])
    if (i < pieces.length - 1) await sending.until(AHEAD)
  }
}

/** Packs a piece while the last ones are being sent. */
async function sendIterable(sending: Sending, place: Place, packer: Packer, operations: Iterable<Operation>): Promise<void> {
  for (const operation of operations) {
    if (packer.add(operation) === undefined) continue
    await sending.checkSignal(place, () => packer.pieces)
    sending.send(place, packer.take()!)
    await turn()
    await sending.until(AHEAD)
    await sending.checkSignal(place)
  }
  const rest = packer.take()
  if (rest === undefined) return
  await sending.checkSignal(place, () => [rest])
  sending.send(place, rest)
}

/** Takes a place in the order for each piece, so that whatever the iterable waits for can use the same handle. */
async function sendAsyncIterable(sending: Sending, queue: Queue, packer: Packer, operations: AsyncIterable<Operation>, signal: AbortSignal | undefined): Promise<void> {
  const flush = (): void => {
    const piece = packer.take()
    if (piece === undefined) return
    const place = queue.lane()
    sending.send(place, piece)
    place.close()
  }
  const iterator = operations[Symbol.asyncIterator]()
  let stop: (() => void) | undefined
  const aborted = signal && new Promise<{ done: true, value: undefined }>((resolve) => {
    stop = () => resolve({ done: true, value: undefined })
    signal.addEventListener('abort', stop, { once: true })
  })
  let finished = false
  let waiting: NodeJS.Immediate | undefined
  try {
    for (;;) {
      await sending.checkSignal(undefined, () => packer.pieces)
      const next = iterator.next()
      // What has come is sent when the iterable takes longer than a turn of the event loop for more.
      if (waiting === undefined && packer.pieces.length > 0) {
        waiting = setImmediate(() => {
          waiting = undefined
          flush()
        })
      }
      const result = await (aborted === undefined ? next : Promise.race([next, aborted]))
      if (result.done === true) {
        finished = signal?.aborted !== true
        if (finished) break
        continue
      }
      if (packer.add(result.value) === undefined) continue
      flush()
      await turn()
      await sending.until(AHEAD)
    }
    flush()
  } finally {
    clearImmediate(waiting)
    if (stop !== undefined) signal?.removeEventListener('abort', stop)
    // Not waited for: an iterable that hangs would keep the batch from ending.
    if (!finished) void Promise.resolve(iterator.return?.()).catch(() => {})
  }
}

/** Packs a whole array before any of it is sent. */
async function packArray(packer: Packer, operations: readonly Operation[]): Promise<void> {
  for (let i = 0; i < operations.length; i++) if (packer.add(operations[i]) !== undefined) await turn()
}

/** Bad input in the middle of an iterable: says how much of it had been sent by then, and with what outcome. */
function interrupted(error: unknown, outcomes: Outcome[]): unknown {
  if (isArgumentError(error) && outcomes.length > 0) {
    error.message += `. The first ${outcomes.length} operations had been sent by then`
    Object.assign(error, { outcomes })
  }
  return error
}

/** The promise API's `batch`. */
export function batch(queue: Queue, input: AsyncBatchInput, options: BatchOptions | undefined): Promise<Outcome[]> {
  return queue.during(async () => {
    const { lenient, signal } = readOptions(options)
    const shape = shapeOf(input, true)
    const outcomes: Outcome[] = []
    const packer = new Packer(outcomes)
    const sending = new Sending(outcomes, signal)
    if (shape === 'callback') {
      const builder = new Builder(packer)
      try {
        const result = (input as (batch: BatchBuilder) => void | Promise<void>)(builder)
        if (result !== undefined) await result
      } finally {
        builder.close()
      }
    }
    const place = shape === 'async iterable' ? undefined : queue.lane()
    try {
      if (shape === 'array') await packArray(packer, input as Operation[])
      if (place === undefined) await sendAsyncIterable(sending, queue, packer, input as AsyncIterable<Operation>, signal)
      else if (shape === 'iterable') await sendIterable(sending, place, packer, input as Iterable<Operation>)
      else await sendAll(sending, place, packer.pieces)
    } catch (error) {
      await sending.until(0)
      throw interrupted(error, outcomes)
    } finally {
      place?.close()
    }
    await sending.until(0)
    return conclude(outcomes, lenient)
  })
}

/** `batch` of `IpvsSync`. */
export function batchSync(execute: (requests: Requests) => Reply | undefined, input: BatchInput, options: BatchOptions | undefined): Outcome[] {
  const { lenient, signal } = readOptions(options)
  const shape = shapeOf(input, false)
  const outcomes: Outcome[] = []
  const packer = new Packer(outcomes)
  const send = (piece: BatchPiece): void => {
    if (signal?.aborted === true) {
      for (const rest of new Set([piece, ...packer.pieces])) if (!(rest.first in outcomes)) rest.abandon()
      throw new AbortError(signal.reason, outcomes)
    }
    piece.settle(execute(piece.requests))
    returnBuffer(piece.requests)
  }
  if (shape === 'callback') {
    const builder = new Builder(packer)
    try {
      const result: unknown = (input as (batch: BatchBuilder) => void)(builder)
      if (result instanceof Promise) throw invalidType('operations', 'a function that does not return a promise (IpvsSync does not wait)', result)
    } finally {
      builder.close()
    }
  } else if (shape === 'array') {
    for (const operation of input as Operation[]) packer.add(operation)
  } else {
    try {
      for (const operation of input as Iterable<Operation>) {
        if (packer.add(operation) === undefined) continue
        send(packer.take()!)
      }
    } catch (error) {
      throw interrupted(error, outcomes)
    }
  }
  for (const piece of packer.pieces) send(piece)
  return conclude(outcomes, lenient)
}
