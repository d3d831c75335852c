import { closedError, reentrantError } from '../model/errors.js'
import type { NativeHandle, NativeReply } from '../wire/addon.js'
import { Calls } from './calls.js'
import type { ChangeDefinition, Definition, ListDefinition, ReadDefinition } from './operations.js'
import { afterMicrotasks } from './pause.js'
import { UNDER_WAY, type Piece } from './piece.js'
import { batchChannel, type BatchTrace } from './tracing.js'
import { compact, returnBuffer, takeBuffer, type Requests } from '../wire/pack/requests.js'
import { DONE, replyOf, type Reply } from '../wire/unpack/reply.js'

/** A place in the order of a handle's operations. While it is open, more pieces can be added, and everything called later waits. */
export class Lane {
  readonly pieces: Piece[] = []
  readonly #pump: () => void
  open = true

  /** @param pump sends what can be sent */
  constructor(pump: () => void) {
    this.#pump = pump
  }

  /** Adds the next piece to be sent. */
  push(piece: Piece): void {
    this.pieces.push(piece)
    this.#pump()
    this.keep(piece)
  }

  /** Shrinks a piece that still waits: thousands of waiting pieces must not keep a buffer for thousands of requests each. */
  keep(piece: Piece): void {
    if (this.pieces.at(-1) === piece) piece.requests = compact(piece.requests)
  }

  /** Takes back what is not sent yet. */
  withdraw(): Piece[] {
    return this.pieces.splice(0)
  }

  /** Gives up the place, so that what was called later can be sent. */
  close(): void {
    this.open = false
    this.#pump()
  }
}

/**
 * The order of a handle's operations.
 *
 * Operations that are called before the microtasks of a turn drain, or while a transaction is under way, share a piece. A list that may
 * have to be read again ends the piece. Batches and snapshots have lanes.
 */
export class Queue {
  readonly #handle: NativeHandle
  readonly #lanes: Lane[] = []
  readonly #underWay: { piece: Piece, trace: BatchTrace | undefined }[] = []
  #growing: Calls | undefined
  #busy = 0
  /** Whether pieces are being sent, or an answer is being delivered. Meanwhile subscribers of the tracing channel may call anything. */
  #occupied = false
  #closing: Promise<void> | undefined
  #idle: (() => void) | undefined

  constructor(handle: NativeHandle) {
    this.#handle = handle
    handle.onReply = (answer) => this.#answered(answer)
  }

  /** Runs an operation that changes something. */
  change(definition: ChangeDefinition, first: unknown, second: unknown): Promise<void> {
    return this.#run(definition, first, second) as Promise<void>
  }

  /** Runs an operation that reads one thing. */
  read<Answer>(definition: ReadDefinition<Answer>, first?: unknown): Promise<Answer | undefined> {
    return this.#run(definition, first, undefined) as Promise<Answer | undefined>
  }

  /** Runs an operation that lists things. */
  list<Element>(definition: ListDefinition<Element>, first?: unknown): Promise<Element[]> {
    return this.#run(definition, first, undefined) as Promise<Element[]>
  }

  #run(definition: Definition, first: unknown, second: unknown): Promise<unknown> {
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
    const piece = new Calls(takeBuffer(), (first) => this.#lanes.unshift(this.#laneOf(first)))
    this.#growing = piece
    this.#lanes.push(this.#laneOf(piece))
    afterMicrotasks(() => {
      piece.due = true
      this.#pump()
    })
    return piece
  }

  #laneOf(piece: Piece): Lane {
    const lane = new Lane(this.#pump)
    lane.pieces.push(piece)
    lane.open = false
    return lane
  }

  /** Ends the growing piece. It is sent as soon as its turn comes. */
  #seal(): void {
    const piece = this.#growing
    if (piece === undefined) return
    if (piece.requests.beingWritten) throw reentrantError()
    this.#growing = undefined
    piece.sealed = true
    this.#pump()
    this.#lanes.at(-1)?.keep(piece)
  }

  /** Opens a place in the order. Everything called later waits until the lane is closed. */
  lane(): Lane {
    this.#seal()
    const lane = new Lane(this.#pump)
    this.#lanes.push(lane)
    return lane
  }

  /** Keeps `close` waiting until the returned function is called, once. */
  enter(): () => void {
    if (this.#closing !== undefined) throw closedError()
    this.#busy++
    return () => {
      this.#busy--
      this.#checkIdle()
    }
  }

  /** Keeps `close` waiting until `work` has ended. */
  async during<Result>(work: () => Promise<Result>): Promise<Result> {
    const leave = this.enter()
    try {
      return await work()
    } finally {
      leave()
    }
  }

  /** Sends what can be sent. A call from within does nothing, because the outer call goes on; so the order stays that of the calls. */
  readonly #pump = (): void => {
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
      piece.receive(undefined)
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
      Queue.#deliver(replyOf(answer), piece, trace)
    } catch (error) {
      piece.fail(error)
    }
    this.#occupied = false
    returnBuffer(piece.requests)
    this.#pump()
  }

  static #deliver(reply: Reply | undefined, piece: Piece, trace: BatchTrace | undefined): void {
    if (trace === undefined) return piece.receive(reply)
    trace.failed = 0
    if (reply !== undefined) for (let i = 0; i < trace.requests; i++) if (reply.outcome(i) !== DONE) trace.failed++
    batchChannel.asyncStart.publish(trace)
    piece.receive(reply)
    batchChannel.asyncEnd.publish(trace)
  }

  #checkIdle(): void {
    if (this.#occupied || this.#busy > 0 || this.#lanes.length > 0 || this.#underWay.length > 0) return
    this.#idle?.()
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

/** Sends requests and returns their answer. */
export type Ask = (pack: (requests: Requests) => void, space?: ArrayBuffer) => Promise<Reply>

/**
 * Keeps a place in the order of a handle's operations while something is read in several steps. If a getter of an argument calls this, it
 * throws, and leaves the queue before: otherwise the handle could never close.
 *
 * @param failure finds the error in an answer
 */
export function reading(
  queue: Queue, failure: (reply: Reply, requests: Requests) => Error | undefined,
): { ask: Ask, leave: () => void } {
  const leave = queue.enter()
  let lane: Lane
  try {
    lane = queue.lane()
  } catch (error) {
    leave()
    throw error
  }
  return {
    ask(pack, space) {
      const requests = takeBuffer()
      pack(requests)
      return new Promise((resolve, reject) => {
        const piece: Piece = {
          requests,
          sealed: true,
          space,
          receive(reply) {
            const error = failure(reply!, piece.requests)
            if (error === undefined) resolve(reply!)
            else reject(error)
          },
          fail: reject,
        }
        lane.push(piece)
      })
    },
    leave() {
      lane.close()
      leave()
    },
  }
}
