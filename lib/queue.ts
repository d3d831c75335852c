import { closedError, withoutStack } from './errors.js'
import { failureOf } from './failure.js'
import { listInSlices } from './listing.js'
import type { NativeHandle, NativeReply } from './native/addon.js'
import type { Change, Listing, Single } from './operations.js'
import { returnBuffer, takeBuffer } from './pack/buffers.js'
import type { Requests } from './pack/requests.js'
import { batchChannel, type BatchTrace } from './tracing.js'
import { ATTEMPTS } from './unpack/repeats.js'
import { DONE, replyOf, type Reply } from './unpack/reply.js'

/**
 * Most requests in one piece: half a millisecond of packing. While the handle's thread sends one piece, the next one is packed.
 */
export const PIECE_REQUESTS = 2048

/** Pieces that are with the handle's thread: it always has the next one at hand, and no more memory is tied than that. */
const UNDER_WAY = 2

/** Requests that are sent together, and what to do with their answer. */
export interface Piece {
  readonly requests: Requests
  /** Whether it can be sent whenever its turn comes; one that is still growing goes when the handle is idle. */
  sealed: boolean
  settle(reply: Reply | undefined): void
  /** Where the reply may go. */
  readonly space?: ArrayBuffer
  /** Nothing is sent before it is answered: it may have to be sent again. */
  readonly alone?: boolean
  /** The transaction could not be started. */
  fail(error: unknown): void
}

/** A place in the order of a handle's operations: pieces that are there, and perhaps more to come before anything later is sent. */
interface Lane {
  readonly pieces: Piece[]
  open: boolean
}

/** A place in the order, for whoever has it. */
export interface Place {
  /** The next piece to be sent. */
  push(piece: Piece): void
  /** Takes back what is not sent yet. */
  withdraw(): Piece[]
  /** Lets go of the place: what was called later can be sent. */
  close(): void
}

/** Somebody who waits for the answer to a request (or two, for a listing of destinations). */
interface Waiting {
  readonly definition: Change | Single<unknown> | Listing<unknown>
  readonly first: unknown
  readonly second: unknown
  /** Number of its last request in the piece. */
  readonly request: number
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: unknown) => void
  /** How often it has been asked before. */
  readonly attempts: number
}

/**
 * What settles the promise that was made last. One function keeps them for all promises: a closure for each call, and what it closes over, would
 * be a fifth of all the memory that a call takes until its answer comes.
 */
let keptResolve: Waiting['resolve']
let keptReject: Waiting['reject']
const keepSettlers = (resolve: Waiting['resolve'], reject: Waiting['reject']): void => {
  keptResolve = resolve
  keptReject = reject
}

/** Operations of the promise API that travel together; each promise settles with its own answer. */
class Shared implements Piece {
  sealed = false
  alone = false
  /** Whether the turn in which it began is over. */
  due = false
  readonly waiting: Waiting[] = []

  /** @param askAgain puts a listing at the head of the queue, once more */
  constructor(readonly requests: Requests, readonly askAgain: (waiting: Waiting) => void) {}

  settle(reply: Reply | undefined): void {
    let request = 0
    for (const waiting of this.waiting) {
      if (reply === undefined) waiting.resolve('list' in waiting.definition && waiting.definition.list ? [] : undefined)
      else this.#answer(waiting, reply, request)
      request = waiting.request + 1
    }
  }

  #answer(waiting: Waiting, reply: Reply, from: number): void {
    const { definition, first, second, request: last, resolve, reject, attempts } = waiting
    for (let request = from; request <= last; request++) {
      if (reply.outcome(request) === DONE) continue
      const error = withoutStack(() => failureOf(reply, this.requests, request, definition.type, () => definition.describe(first, second)))!
      return 'missing' in definition && definition.missing === error.code ? resolve(undefined) : reject(error)
    }
    if (!('list' in definition)) return resolve(undefined)
    const at = reply.recordsOf(last)
    if (!definition.list) return resolve(definition.read(reply, at))
    const repeated = definition.repeats?.(reply, last)
    if (repeated !== undefined && attempts < ATTEMPTS) return this.askAgain(waiting)
    listInSlices(definition, reply, last, repeated).then(resolve, reject)
  }

  fail(error: unknown): void {
    for (const { reject } of this.waiting) reject(error)
  }
}

/**
 * The order of a handle's operations.
 *
 * Operations that are called before the microtasks of a turn drain, or while a transaction is under way, share a piece, which a dump ends.
 * Batches and snapshots have lanes: everything called later waits until they have handed over their last piece.
 */
export class Queue {
  readonly #handle: NativeHandle
  readonly #lanes: Lane[] = []
  readonly #underWay: { piece: Piece, trace: BatchTrace | undefined }[] = []
  #growing: Shared | undefined
  #busy = 0
  #closing: Promise<void> | undefined
  #idle: (() => void) | undefined

  constructor(handle: NativeHandle) {
    this.#handle = handle
    handle.onReply = (answer) => this.#answered(answer)
  }

  /** Runs an operation that changes something. */
  change(definition: Change, first: unknown, second: unknown): Promise<void> {
    return this.#run(definition, first, second, false) as Promise<void>
  }

  /** Runs an operation that reads one thing. */
  read<Answer>(definition: Single<Answer>, first?: unknown): Promise<Answer | undefined> {
    return this.#run(definition, first, undefined, false) as Promise<Answer | undefined>
  }

  /** Runs an operation that lists things. */
  list<Element>(definition: Listing<Element>, first?: unknown): Promise<Element[]> {
    return this.#run(definition, first, undefined, true) as Promise<Element[]>
  }

  #run(definition: Waiting['definition'], first: unknown, second: unknown, last: boolean): Promise<unknown> {
    if (this.#closing !== undefined) return Promise.reject(closedError())
    const piece = this.#growing ?? this.#grow()
    const { requests } = piece
    try {
      definition.pack(requests, first, second)
    } catch (error) {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- whatever an argument's getter throws
      return Promise.reject(error)
    }
    const promise = new Promise<unknown>(keepSettlers)
    piece.waiting.push({ definition, first, second, request: requests.count - 1, resolve: keptResolve, reject: keptReject, attempts: 0 })
    if ('repeats' in definition) piece.alone = true
    if (last || requests.count >= PIECE_REQUESTS) this.#seal()
    return promise
  }

  #grow(): Shared {
    const piece = new Shared(takeBuffer(), (waiting) => this.#askAgain(waiting))
    this.#growing = piece
    this.#lanes.push({ pieces: [piece], open: false })
    // A tick asked for by a microtask comes when all microtasks of the turn have run.
    queueMicrotask(() => process.nextTick(() => {
      piece.due = true
      this.#pump()
    }))
    return piece
  }

  #askAgain(waiting: Waiting): void {
    const piece = new Shared(takeBuffer(), (again) => this.#askAgain(again))
    waiting.definition.pack(piece.requests, waiting.first, waiting.second)
    piece.waiting.push({ ...waiting, request: piece.requests.count - 1, attempts: waiting.attempts + 1 })
    piece.sealed = piece.alone = true
    this.#lanes.unshift({ pieces: [piece], open: false })
  }

  /** Nothing joins the growing piece any more; it is sent as soon as its turn comes. */
  #seal(): void {
    const piece = this.#growing
    if (piece === undefined) return
    this.#growing = undefined
    piece.sealed = true
    this.#pump()
  }

  /** A place in the order for pieces to come. Everything called later waits until the lane is closed. */
  lane(): Place {
    this.#seal()
    const lane: Lane = { pieces: [], open: true }
    this.#lanes.push(lane)
    return {
      push: (piece) => {
        lane.pieces.push(piece)
        this.#pump()
      },
      withdraw: () => lane.pieces.splice(0),
      close: () => {
        lane.open = false
        this.#pump()
      },
    }
  }

  /** Keeps `close` waiting until `work` has ended. */
  async during<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#closing !== undefined) throw closedError()
    this.#busy++
    try {
      return await work()
    } finally {
      this.#busy--
      this.#checkIdle()
    }
  }

  #pump(): void {
    while (this.#underWay.length < UNDER_WAY && this.#underWay.at(-1)?.piece.alone !== true) {
      const lane = this.#lanes[0]
      if (lane === undefined) break
      const piece = lane.pieces[0]
      if (piece === undefined) {
        if (lane.open) break
        this.#lanes.shift()
        continue
      }
      if (!piece.sealed && (this.#underWay.length > 0 || !(piece as Shared).due)) break
      if (piece === this.#growing) this.#growing = undefined
      lane.pieces.shift()
      this.#send(piece)
    }
    this.#checkIdle()
  }

  #send(piece: Piece): void {
    const { requests } = piece
    if (requests.count === 0) return returnBuffer(requests)
    const trace: BatchTrace | undefined = batchChannel.hasSubscribers ? { requests: requests.count, bytes: requests.length } : undefined
    if (trace !== undefined) batchChannel.start.publish(trace)
    try {
      this.#handle.execute(requests.u8, requests.length, requests.count, piece.space)
      this.#underWay.push({ piece, trace })
    } catch (error) {
      if (trace !== undefined) {
        trace.error = error
        batchChannel.error.publish(trace)
      }
      piece.fail(error)
      returnBuffer(requests)
    }
    if (trace !== undefined) batchChannel.end.publish(trace)
  }

  #answered(answer: NativeReply): void {
    const { piece, trace } = this.#underWay.shift()!
    const reply = replyOf(answer)
    if (piece.alone !== true) this.#pump()
    if (trace !== undefined) {
      trace.failed = 0
      if (reply !== undefined) for (let i = 0; i < trace.requests; i++) if (reply.outcome(i) !== DONE) trace.failed++
      batchChannel.asyncStart.publish(trace)
    }
    piece.settle(reply)
    returnBuffer(piece.requests)
    if (trace !== undefined) batchChannel.asyncEnd.publish(trace)
    this.#pump()
  }

  #checkIdle(): void {
    if (this.#idle !== undefined && this.#busy === 0 && this.#lanes.length === 0 && this.#underWay.length === 0) this.#idle()
  }

  /** Finishes what was called before, then closes the handle. */
  close(): Promise<void> {
    return this.#closing ??= new Promise<void>((resolve) => {
      this.#idle = () => {
        this.#idle = undefined
        this.#handle.close()
        resolve()
      }
      this.#checkIdle()
    })
  }
}

