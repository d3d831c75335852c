import { IpvsError, withoutStack } from '../model/errors.js'
import { failureOf } from './failure.js'
import { readListInPieces, Rereading } from './lists.js'
import { pack, type Definition } from './operations.js'
import { PIECE_DUMPS, PIECE_REQUESTS, UNDER_WAY, type Piece } from './piece.js'
import { takeBuffer, type Requests } from '../wire/pack/requests.js'
import { DONE, type Reply } from '../wire/unpack/reply.js'

/** Arrays for the notes of calls, kept for reuse: while an array grows from one to ten thousand calls, it takes three times its size. */
const spareNotes: unknown[][] = []

/** How many notes a call has: its definition, its two arguments, and the number of its last request. */
const NOTES = 4

/**
 * Operations of the promise API that are sent together. Each promise settles with the answer to its own operation.
 *
 * Callers get reactions to one promise, which stands for the answer to all. Reactions run in the order in which they were made, so one
 * function serves them all. A promise with resolving functions of its own for each call would take three times the memory until the answer
 * comes, and the garbage collector would copy every byte of it.
 */
export class Calls implements Piece {
  sealed = false
  alone = false
  /** Whether the turn of the event loop in which the piece began is over. */
  due = false
  readonly #answered: Promise<void>
  #resolve!: () => void
  #reject!: (error: unknown) => void
  #reply: Reply | undefined
  readonly #notes = spareNotes.pop() ?? []
  #count = 0
  #dumps = 0
  /** Answers that are not made from the operation's own records, by the number of the operation: errors, and lists that are read again. */
  readonly #instead = new Map<number, IpvsError | Promise<unknown>>()
  /** How many operations have had their answer read. */
  #read = 0
  readonly #next = (): unknown => {
    const index = this.#read++
    const definition = this.#notes[index * NOTES] as Definition
    const request = this.#notes[index * NOTES + 3] as number
    if (this.#read === this.#count) this.#forget()
    return this.#answer(definition, index, request)
  }

  /**
   * @param sendFirst sends a piece before everything else that waits
   * @param rereading decides whether the list that this piece reads again is read once more
   */
  constructor(public requests: Requests, readonly sendFirst: (piece: Piece) => void, private rereading?: Rereading) {
    this.#answered = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  /** Packs an operation and returns the promise of its answer. Throws if its arguments are not valid. */
  add(definition: Definition, first: unknown, second: unknown): Promise<unknown> {
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

  /**
   * Whether no more calls can be added: the piece is as long as a piece can be, or its list may have to be read again before anything that
   * is called later.
   */
  get full(): boolean {
    return this.alone || this.requests.count >= PIECE_REQUESTS || this.#dumps >= PIECE_DUMPS
  }

  receive(reply: Reply | undefined): void {
    this.#reply = reply
    if (reply !== undefined) {
      let request = 0
      for (let index = 0; index < this.#count; index++) request = this.#lookAt(reply, index, request)
    }
    this.#resolve()
  }

  /**
   * Does what cannot wait until the reactions run. The words of a refusal are made from the requests, whose memory is soon used again, and
   * a list that is read again is sent before everything else.
   *
   * @returns the number of the next operation's first request
   */
  #lookAt(reply: Reply, index: number, from: number): number {
    const at = index * NOTES
    const last = this.#notes[at + 3] as number
    for (let request = from; request <= last; request++) {
      if (reply.outcome(request) === DONE) continue
      const definition = this.#notes[at] as Definition
      const describe = () => definition.describe(this.#notes[at + 1], this.#notes[at + 2])
      this.#instead.set(index, withoutStack(() => failureOf(reply, this.requests, request, definition.type, describe))!)
      return last + 1
    }
    if (this.alone) this.#readAgain(reply, index, last)
    return last + 1
  }

  #readAgain(reply: Reply, index: number, request: number): void {
    const definition = this.#notes[index * NOTES] as Definition
    if (!('lossy' in definition)) return
    this.rereading ??= new Rereading(definition)
    if (!this.rereading.isDue(reply, request)) return
    const piece = new Calls(takeBuffer(), this.sendFirst, this.rereading)
    this.#instead.set(index, piece.add(definition, this.#notes[index * NOTES + 1], undefined))
    piece.sealed = true
    this.sendFirst(piece)
  }

  /** Forgets the calls, and keeps the array for others. */
  #forget(): void {
    this.#notes.fill(undefined, 0, this.#count * NOTES)
    if (spareNotes.length < UNDER_WAY) spareNotes.push(this.#notes)
  }

  #answer(definition: Definition, index: number, request: number): unknown {
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
    const repeated = definition.lossy ? this.rereading?.repeated : definition.repeats?.(reply, request)
    return readListInPieces(definition, reply, request, repeated)
  }

  fail(error: unknown): void {
    this.#reject(error)
  }
}
