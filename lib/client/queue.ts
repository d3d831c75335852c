import { closedError, reentrantError } from '../model/errors.js'
import type { NativeHandle, NativeReply } from '../wire/addon.js'
import { Calls, type Callable, type Unanswered } from './calls.js'
import type { Change, Listing, Single } from './operations.js'
import { UNDER_WAY, type Piece, type Place } from './piece.js'
import { compact, returnBuffer, takeBuffer } from '../wire/pack/buffers.js'
import { batchChannel, type BatchTrace } from './tracing.js'
import { DONE, replyOf, type Reply } from '../wire/unpack/reply.js'

/** A place in the order of a handle's operations: pieces that are there, and perhaps more to come before anything later is sent. */
interface Lane {
  readonly pieces: Piece[]
  open: boolean
}

/**
 * The order of a handle's operations.
 *
 * Operations that are called before the microtasks of a turn drain, or while a transaction is under way, share a piece. A list that may have to be asked for again ends it.
 * Batches and snapshots have lanes: everything called later waits until they have handed over their last piece.
 */
export class Queue {
  readonly #handle: NativeHandle
  readonly #lanes: Lane[] = []
  readonly #underWay: { piece: Piece, trace: BatchTrace | undefined }[] = []
  #growing: Calls | undefined
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
    return this.#run(definition, first, second) as Promise<void>
  }

  /** Runs an operation that reads one thing. */
  read<Answer>(definition: Single<Answer>, first?: unknown): Promise<Answer | undefined> {
    return this.#run(definition, first, undefined) as Promise<Answer | undefined>
  }

  /** Runs an operation that lists things. */
  list<Element>(definition: Listing<Element>, first?: unknown): Promise<Element[]> {
    return this.#run(definition, first, undefined) as Promise<Element[]>
  }

  #run(definition: Callable, first: unknown, second: unknown): Promise<unknown> {
    if (this.#closing !== undefined) return Promise.reject(closedError())
    const piece = this.#growing ?? this.#grow()
    let answer: Promise<unknown>
    try {
      answer = piece.add(definition, first, second)
    } catch (error) {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- whatever an argument's getter throws
      return Promise.reject(error)
    }
    if (piece.full) this.#seal()
    return answer
  }

  #grow(): Calls {
    const piece = new Calls(takeBuffer(), (unanswered) => this.#askAgain(unanswered))
    this.#growing = piece
    this.#lanes.push({ pieces: [piece], open: false })
    // A tick asked for by a microtask comes when all microtasks of the turn have run.
    queueMicrotask(() => process.nextTick(() => {
      piece.due = true
      this.#pump()
    }))
    return piece
  }

  #askAgain({ definition, first, attempts }: Unanswered): Promise<unknown> {
    const piece = new Calls(takeBuffer(), (unanswered) => this.#askAgain(unanswered), attempts)
    const answer = piece.add(definition, first, undefined)
    piece.sealed = true
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
      if (!piece.sealed && (this.#underWay.length > 0 || !(piece as Calls).due)) break
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

