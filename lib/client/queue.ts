import { closedError, IpvsError, reentrantError, withoutStack } from '../model/errors.js'
import { failureOf } from './failure.js'
import { listInSlices } from './listing.js'
import type { NativeHandle, NativeReply } from '../wire/addon.js'
import { pack, type Change, type Listing, type Single } from './operations.js'
import { compact, returnBuffer, takeBuffer } from '../wire/pack/buffers.js'
import type { Requests } from '../wire/pack/requests.js'
import { batchChannel, type BatchTrace } from './tracing.js'
import { ATTEMPTS } from '../wire/unpack/repeats.js'
import { DONE, replyOf, type Reply } from '../wire/unpack/reply.js'

/**
 * Most requests in one piece: a millisecond of packing. While the handle's thread sends one piece, the next one is packed.
 */
export const PIECE_REQUESTS = 4096

/**
 * Pieces that are with the handle's thread: it has the next ones at hand, so that no one has to be woken between two of them, and no more memory
 * is tied than that.
 */
export const UNDER_WAY = 4

/** Requests that are sent together, and what to do with their answer. */
export interface Piece {
  /** Where a piece waits long, they may move to memory of their own size. */
  requests: Requests
  /** Whether it can be sent whenever its turn comes; one that is still growing goes when the handle is idle. */
  sealed: boolean
  settle(reply: Reply | undefined): void
  /** The same for the parts of a batch: after one of which anything was lost nothing more is sent. */
  readonly batch?: number
  /** Where the reply may go. */
  readonly space?: ArrayBuffer
  /** Nothing is sent before it is answered: it may have to be sent again. */
  readonly alone?: boolean
  /** The transaction could not be started, or its answer cannot be read. */
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

/** An operation whose caller waits. */
interface Waiting {
  readonly definition: Change | Single<unknown> | Listing<unknown>
  readonly first: unknown
  readonly second: unknown
  /** How often it has been asked before. */
  readonly attempts: number
}

/** Arrays in which calls are noted, used again: to grow one to ten thousand calls takes three times its size. */
const spareCalls: unknown[][] = []

/**
 * Operations of the promise API that travel together; each promise settles with its own answer.
 *
 * What callers get are reactions to one promise, the answer to all. They run in the order in which they were made, so one function serves them all: a promise
 * with settling functions of its own is three times the memory until the answer comes, and of ten thousand of them the collector copies every byte.
 */
class Shared implements Piece {
  sealed = false
  alone = false
  /** Whether the turn in which it began is over. */
  due = false
  readonly #answered: Promise<void>
  #settled!: () => void
  #failed!: (error: unknown) => void
  #reply: Reply | undefined
  /** What was called: definition, first and second argument in turns. */
  readonly #calls = spareCalls.pop() ?? []
  #count = 0
  /** Number of the last request. Each operation has one, but for a listing of destinations, which has two and is always the last. */
  #lastRequest = 0
  /** What operations are answered with instead of their records, by their number. */
  readonly #instead = new Map<number, IpvsError | Promise<unknown>>()
  /** Operations whose answers were read. */
  #read = 0
  readonly #next = (): unknown => {
    const index = this.#read++
    const definition = this.#calls[index * 3] as Waiting['definition']
    if (this.#read === this.#count) this.#forget()
    return this.#answer(definition, index)
  }

  /**
   * @param askAgain puts a listing at the head of the queue, once more
   * @param attempts how often its operation has been asked before
   */
  constructor(public requests: Requests, readonly askAgain: (waiting: Waiting) => Promise<unknown>, readonly attempts = 0) {
    this.#answered = new Promise((resolve, reject) => {
      this.#settled = resolve
      this.#failed = reject
    })
  }

  /** Packs an operation; returns the promise of its answer. Throws what is wrong with it. */
  add(definition: Waiting['definition'], first: unknown, second: unknown): Promise<unknown> {
    pack(this.requests, definition, first, second)
    const at = this.#count++ * 3
    this.#calls[at] = definition
    this.#calls[at + 1] = first
    this.#calls[at + 2] = second
    if ('lossy' in definition) this.alone = true
    return this.#answered.then(this.#next)
  }

  settle(reply: Reply | undefined): void {
    this.#reply = reply
    this.#lastRequest = this.requests.count - 1
    if (reply !== undefined) for (let index = 0; index < this.#count; index++) this.#lookAt(reply, index)
    this.#settled()
  }

  /** What cannot wait until the reactions run: refusals are told with the requests, which are used again, and what is asked again goes first. */
  #lookAt(reply: Reply, index: number): void {
    const [definition, first, second] = this.#calls.slice(index * 3, index * 3 + 3) as [Waiting['definition'], unknown, unknown]
    const last = this.#lastRequestOf(index)
    for (let request = index; request <= last; request++) {
      if (reply.outcome(request) === DONE) continue
      this.#instead.set(index, withoutStack(() => failureOf(reply, this.requests, request, definition.type, () => definition.describe(first, second)))!)
      return
    }
    if (!('list' in definition) || !definition.list) return
    const repeated = definition.repeats?.(reply, last)
    if (repeated === undefined) return
    this.#instead.set(index, definition.lossy === true && this.attempts < ATTEMPTS ? this.askAgain({ definition, first, second, attempts: this.attempts + 1 }) : listInSlices(definition, reply, last, repeated))
  }

  #lastRequestOf(index: number): number {
    return index === this.#count - 1 ? this.#lastRequest : index
  }

  /** Lets go of what was called; the array will note other calls. */
  #forget(): void {
    this.#calls.fill(undefined, 0, this.#count * 3)
    if (spareCalls.length < UNDER_WAY) spareCalls.push(this.#calls)
  }

  #answer(definition: Waiting['definition'], index: number): unknown {
    const reply = this.#reply
    if (reply === undefined) return 'list' in definition && definition.list ? [] : undefined
    const instead = this.#instead.get(index)
    if (instead instanceof IpvsError) {
      if ('missing' in definition && definition.missing === instead.code) return undefined
      throw instead
    }
    if (instead !== undefined) return instead
    if (!('list' in definition)) return undefined
    const last = this.#lastRequestOf(index)
    return definition.list ? listInSlices(definition, reply, last) : definition.read(reply, reply.recordsOf(last))
  }

  fail(error: unknown): void {
    this.#failed(error)
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
  /** Whether pieces are being sent, or an answer is being given out. Subscribers of the tracing channel hear of both, and may call anything. */
  #occupied = false
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
    let answer: Promise<unknown>
    try {
      answer = piece.add(definition, first, second)
    } catch (error) {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- whatever an argument's getter throws
      return Promise.reject(error)
    }
    if (last || piece.requests.count >= PIECE_REQUESTS) this.#seal()
    return answer
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

  #askAgain({ definition, first, second, attempts }: Waiting): Promise<unknown> {
    const piece = new Shared(takeBuffer(), (again) => this.#askAgain(again), attempts)
    const answer = piece.add(definition, first, second)
    piece.sealed = piece.alone = true
    this.#lanes.unshift({ pieces: [piece], open: false })
    return answer
  }

  /** Nothing joins the growing piece any more; it is sent as soon as its turn comes. */
  #seal(): void {
    const piece = this.#growing
    if (piece === undefined) return
    if (piece.requests.beingWritten) throw reentrantError()
    this.#growing = undefined
    piece.sealed = true
    this.#pump()
    Queue.#keep(this.#lanes.at(-1), piece)
  }

  /** Of thousands of pieces that wait none keeps a buffer for thousands of requests. */
  static #keep(lane: Lane | undefined, piece: Piece): void {
    if (lane?.pieces.at(-1) === piece) piece.requests = compact(piece.requests)
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
        Queue.#keep(lane, piece)
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

  /** Sends what can be sent. Called by what is called meanwhile, it leaves that to the one that goes on: the order is that of the calls. */
  #pump(): void {
    if (this.#occupied) return
    this.#occupied = true
    this.#sendNext()
    this.#occupied = false
    this.#checkIdle()
  }

  #sendNext(): void {
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
  }

  #send(piece: Piece): void {
    const { requests } = piece
    if (requests.count === 0) {
      piece.settle(undefined)
      returnBuffer(requests)
      return
    }
    const trace: BatchTrace | undefined = batchChannel.hasSubscribers ? { requests: requests.count, bytes: requests.length } : undefined
    if (trace !== undefined) batchChannel.start.publish(trace)
    try {
      this.#handle.execute(requests.u8, requests.length, requests.count, piece.batch ?? 0, piece.space)
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
    if (piece.alone !== true) this.#pump()
    this.#occupied = true
    try {
      Queue.#giveOut(replyOf(answer), piece, trace)
    } catch (error) {
      piece.fail(error)
    }
    this.#occupied = false
    returnBuffer(piece.requests)
    this.#pump()
  }

  static #giveOut(reply: Reply | undefined, piece: Piece, trace: BatchTrace | undefined): void {
    if (trace === undefined) return piece.settle(reply)
    trace.failed = 0
    if (reply !== undefined) for (let i = 0; i < trace.requests; i++) if (reply.outcome(i) !== DONE) trace.failed++
    batchChannel.asyncStart.publish(trace)
    piece.settle(reply)
    batchChannel.asyncEnd.publish(trace)
  }

  #checkIdle(): void {
    if (this.#idle !== undefined && !this.#occupied && this.#busy === 0 && this.#lanes.length === 0 && this.#underWay.length === 0) this.#idle()
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

