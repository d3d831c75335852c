import { IpvsError, withoutStack } from '../model/errors.js'
import { failureOf } from './failure.js'
import { listInPieces } from './listing.js'
import { pack, type Change, type Listing, type Single } from './operations.js'
import { PIECE_DUMPS, PIECE_REQUESTS, UNDER_WAY, type Piece } from './piece.js'
import type { Requests } from '../wire/pack/requests.js'
import { ATTEMPTS } from '../wire/unpack/repeats.js'
import { DONE, type Reply } from '../wire/unpack/reply.js'

/** What is called: the definition of an operation. */
export type Callable = Change | Single<unknown> | Listing<unknown>

/** A listing whose answer lacks something, to be asked for again. */
export interface Unanswered {
  readonly definition: Listing<unknown>
  readonly first: unknown
  /** How often it has been asked before. */
  readonly attempts: number
}

/** Arrays in which calls are noted, used again: to grow one to ten thousand calls takes three times its size. */
const spareNotes: unknown[][] = []

/** What is noted of a call: its definition, its two arguments, and the number of its last request. */
const NOTES = 4

/**
 * Operations of the promise API that travel together; each promise settles with its own answer.
 *
 * What callers get are reactions to one promise, the answer to all. They run in the order in which they were made, so one function serves them all: a promise
 * with settling functions of its own is three times the memory until the answer comes, and of ten thousand of them the collector copies every byte.
 */
export class Calls implements Piece {
  sealed = false
  alone = false
  /** Whether the turn in which it began is over. */
  due = false
  readonly #answered: Promise<void>
  #settled!: () => void
  #failed!: (error: unknown) => void
  #reply: Reply | undefined
  readonly #notes = spareNotes.pop() ?? []
  #count = 0
  #dumps = 0
  /** What operations are answered with instead of their records, by their number. */
  readonly #instead = new Map<number, IpvsError | Promise<unknown>>()
  /** Records that are there a second time in the list that may be asked for again. */
  #repeated: Set<number> | undefined
  /** Operations whose answers were read. */
  #read = 0
  readonly #next = (): unknown => {
    const index = this.#read++
    const definition = this.#notes[index * NOTES] as Callable
    const request = this.#notes[index * NOTES + 3] as number
    if (this.#read === this.#count) this.#forget()
    return this.#answer(definition, index, request)
  }

  /**
   * @param askAgain puts a listing at the head of the queue, once more
   * @param attempts how often its operation has been asked before
   */
  constructor(public requests: Requests, readonly askAgain: (unanswered: Unanswered) => Promise<unknown>, readonly attempts = 0) {
    this.#answered = new Promise((resolve, reject) => {
      this.#settled = resolve
      this.#failed = reject
    })
  }

  /** Packs an operation; returns the promise of its answer. Throws what is wrong with it. */
  add(definition: Callable, first: unknown, second: unknown): Promise<unknown> {
    pack(this.requests, definition, first, second)
    const at = this.#count++ * NOTES
    this.#notes[at] = definition
    this.#notes[at + 1] = first
    this.#notes[at + 2] = second
    this.#notes[at + 3] = this.requests.count - 1
    if ('list' in definition && definition.list) {
      this.#dumps++
      if (definition.lossy) this.alone = true
    }
    return this.#answered.then(this.#next)
  }

  /** Nothing may join it: it is as long as a piece gets, or it may have to be asked again before anything that is called later. */
  get full(): boolean {
    return this.alone || this.requests.count >= PIECE_REQUESTS || this.#dumps >= PIECE_DUMPS
  }

  settle(reply: Reply | undefined): void {
    this.#reply = reply
    if (reply !== undefined) {
      let request = 0
      for (let index = 0; index < this.#count; index++) request = this.#lookAt(reply, index, request)
    }
    this.#settled()
  }

  /**
   * What cannot wait until the reactions run: refusals are told with the requests, which are used again, and what is asked again goes first.
   * Returns the number of the next operation's first request.
   */
  #lookAt(reply: Reply, index: number, from: number): number {
    const at = index * NOTES
    const last = this.#notes[at + 3] as number
    for (let request = from; request <= last; request++) {
      if (reply.outcome(request) === DONE) continue
      const definition = this.#notes[at] as Callable
      const describe = () => definition.describe(this.#notes[at + 1], this.#notes[at + 2])
      this.#instead.set(index, withoutStack(() => failureOf(reply, this.requests, request, definition.type, describe))!)
      return last + 1
    }
    if (this.alone) this.#askAgain(reply, index, last)
    return last + 1
  }

  #askAgain(reply: Reply, index: number, request: number): void {
    const definition = this.#notes[index * NOTES] as Callable
    if (!('lossy' in definition)) return
    this.#repeated = definition.repeats?.(reply, request)
    if (this.#repeated === undefined || this.attempts >= ATTEMPTS) return
    this.#instead.set(index, this.askAgain({ definition, first: this.#notes[index * NOTES + 1], attempts: this.attempts + 1 }))
  }

  /** Lets go of what was called; the array will note other calls. */
  #forget(): void {
    this.#notes.fill(undefined, 0, this.#count * NOTES)
    if (spareNotes.length < UNDER_WAY) spareNotes.push(this.#notes)
  }

  #answer(definition: Callable, index: number, request: number): unknown {
    const reply = this.#reply
    if (reply === undefined) return 'list' in definition && definition.list ? [] : undefined
    const instead = this.#instead.get(index)
    if (instead instanceof IpvsError) {
      if ('missing' in definition && definition.missing === instead.code) return undefined
      throw instead
    }
    if (instead !== undefined) return instead
    if (!('list' in definition)) return undefined
    if (!definition.list) return definition.read(reply, reply.recordsOf(request))
    return listInPieces(definition, reply, request, definition.lossy ? this.#repeated : definition.repeats?.(reply, request))
  }

  fail(error: unknown): void {
    this.#failed(error)
  }
}
