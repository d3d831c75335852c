import type { Requests } from '../wire/pack/requests.js'
import type { Reply } from '../wire/unpack/reply.js'

/**
 * Most requests in one piece. Packing them takes about a millisecond. While the handle's thread sends one piece, the next one is packed.
 */
export const PIECE_REQUESTS = 4096

/** Most dumps in one piece. Their answers are in memory together, and how long they are is not known beforehand. */
export const PIECE_DUMPS = 128

/** How many pieces the handle's thread has at the same time, so that it need not be woken between them. More would only take memory. */
export const UNDER_WAY = 4

/** Requests that are sent together, and what to do with their answer. */
export interface Piece {
  /** The requests. While the piece waits they may be moved to memory of their own size. */
  requests: Requests
  /** Whether the piece can be sent as soon as its turn comes. One that still grows is sent when the handle is idle. */
  sealed: boolean
  /** The number of the batch that the piece is part of. After a loss, nothing more of the same batch is sent. */
  readonly batch?: number
  /** Memory that the reply can use. */
  readonly space?: ArrayBuffer
  /** Whether nothing else is sent until it is answered, because part of it may have to be sent again. */
  readonly alone?: boolean
  /** Takes the kernel's answer; `undefined` if every request was carried out and none answers with records. */
  receive(reply: Reply | undefined): void
  /** Takes the error if the transaction could not be started, or if its answer cannot be read. */
  fail(error: unknown): void
}
