import type { Requests } from '../wire/pack/requests.js'
import type { Reply } from '../wire/unpack/reply.js'

/**
 * Most requests in one piece: a millisecond of packing. While the handle's thread sends one piece, the next one is packed.
 */
export const PIECE_REQUESTS = 4096

/** Most dumps in one piece. Nobody knows beforehand how long their answers are, and those of a piece are in memory together. */
export const PIECE_DUMPS = 128

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

/** A place in the order, for whoever has it. */
export interface Place {
  /** The next piece to be sent. */
  push(piece: Piece): void
  /** Takes back what is not sent yet. */
  withdraw(): Piece[]
  /** Lets go of the place: what was called later can be sent. */
  close(): void
}
