import type { AbortError } from '../model/batch.js'
import type { Operation } from '../model/types.js'
import { returnBuffer } from '../wire/pack/requests.js'
import type { BatchPiece, Packer } from './batch-packer.js'
import type { Results } from './batch-outcome.js'
import { pause, worked } from './pause.js'
import { UNDER_WAY } from './piece.js'
import type { Lane, Queue } from './queue.js'
import { onAbort, UntilAborted } from './until-aborted.js'

/** The pieces of a batch that are on their way. Whoever sends more waits here for the kernel to catch up. */
export class Sending {
  readonly #results: Results
  readonly #signal: AbortSignal | undefined
  readonly #unanswered: { piece: BatchPiece, lane: Lane }[] = []
  #withdrawn = false
  /** Why a transaction could not be started. */
  #failure: { error: unknown } | undefined
  /** The error with which the signal ended the batch. */
  aborted: AbortError | undefined
  /** Stops listening to the signal. */
  readonly close: () => void

  constructor(results: Results, signal: AbortSignal | undefined) {
    this.#results = results
    this.#signal = signal
    // A piece can wait for a long time behind other batches.
    this.close = onAbort(signal, () => this.#withdraw())
  }

  send(lane: Lane, piece: BatchPiece): void {
    this.#unanswered.push({ piece, lane })
    piece.onFailure = (error) => {
      this.#failure ??= { error }
      this.#withdraw()
    }
    lane.push(piece)
  }

  #withdraw(): void {
    for (const { lane } of this.#unanswered) this.#abandon(lane.withdraw() as BatchPiece[])
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

  /** Waits until the outcome of everything sent is known, then throws why no more is sent. `rest`: packed, but not handed over. */
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

/** The most pieces of one batch that are handed over and unanswered: those that are being sent, and one that is ready. */
const AHEAD = UNDER_WAY + 1

/** Sends what is packed, which is all valid. */
export async function sendAll(sending: Sending, lane: Lane, packer: Packer): Promise<void> {
  for (let piece = packer.takeFirst(); piece !== undefined; piece = packer.takeFirst()) {
    sending.send(lane, piece)
    if (packer.pieces.length > 0) await sending.until(AHEAD)
    if (sending.over) await sending.stop(packer.takeAll())
  }
}

/** Packs each piece while the ones before it are being sent. */
export async function sendIterable(sending: Sending, lane: Lane, packer: Packer, operations: Iterable<Operation>): Promise<void> {
  for (const operation of operations) {
    // Pausing before the first operation is packed keeps no buffer waiting.
    if (worked()) await pause()
    if (packer.add(operation) === undefined) continue
    if (sending.over) await sending.stop(packer.takeAll())
    sending.send(lane, packer.takeFirst()!)
    await sending.until(AHEAD)
    if (sending.over) await sending.stop()
  }
  if (sending.over) await sending.stop(packer.takeAll())
  const rest = packer.takeFirst()
  if (rest !== undefined) sending.send(lane, rest)
}

/** Opens a lane for each piece, so that whatever the iterable waits for can use the same handle. */
export async function sendAsyncIterable(
  sending: Sending, queue: Queue, packer: Packer, operations: AsyncIterable<Operation>, signal: AbortSignal | undefined,
): Promise<void> {
  const flush = (): void => {
    const piece = packer.takeFirst()
    if (piece === undefined) return
    const lane = queue.lane()
    sending.send(lane, piece)
    lane.close()
  }
  const iterator = operations[Symbol.asyncIterator]()
  const patience = new UntilAborted(signal)
  let finished = false
  let waiting: NodeJS.Immediate | undefined
  try {
    for (;;) {
      if (sending.over) await sending.stop(packer.takeAll())
      const next = iterator.next()
      // If the iterable takes longer than a turn of the event loop, what it has yielded is sent.
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
        // As with `for await`, an iterator that has failed is not closed.
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
      if (worked()) await pause()
      if (packer.add(result.value) === undefined) continue
      flush()
      await sending.until(AHEAD)
    }
    flush()
  } finally {
    clearImmediate(waiting)
    patience.close()
    // Not awaited: an iterable that hangs would keep the batch from ending.
    const leave = async (): Promise<unknown> => iterator.return?.()
    if (!finished) leave().catch(() => {})
  }
}
