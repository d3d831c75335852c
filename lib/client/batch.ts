import { AbortError, type BatchOptions, type BatchResult } from '../model/batch.js'
import type { Operation } from '../model/types.js'
import { Builder, readOptions, shapeOf, type AsyncBatchInput } from './batch-input.js'
import { FIRST_PIECE, interrupted, Packer } from './batch-packer.js'
import { conclude, Results } from './batch-outcome.js'
import { sendAll, sendAsyncIterable, Sending, sendIterable } from './batch-sending.js'
import type { BatchBuilder } from './methods.js'
import { pause, worked } from './pause.js'
import { PIECE_REQUESTS } from './piece.js'
import type { Queue } from './queue.js'
import { UntilAborted } from './until-aborted.js'

/** Packs a whole array before any of it is sent. */
async function packArray(packer: Packer, operations: readonly Operation[]): Promise<void> {
  try {
    for (const operation of operations) {
      if (worked()) await pause()
      packer.add(operation)
    }
  } catch (error) {
    packer.forget()
    throw error
  }
  packer.compact()
}

/** The promise API's `batch`. */
export function batch(queue: Queue, input: AsyncBatchInput, options: BatchOptions | undefined): Promise<BatchResult> {
  return queue.during(async () => {
    const { lenient, signal } = readOptions(options)
    const shape = shapeOf(input, true)
    // The caller may change the array before it is packed.
    const array = shape === 'array' ? (input as Operation[]).slice() : undefined
    const results = new Results(array)
    const packer = new Packer(results, shape === 'iterable' || shape === 'async iterable' ? FIRST_PIECE : PIECE_REQUESTS)
    if (shape === 'callback') {
      const builder = new Builder(packer)
      const patience = new UntilAborted(signal)
      try {
        const result: unknown = (input as (batch: BatchBuilder) => unknown)(builder)
        if (result !== undefined) await patience.wait(result)
      } finally {
        patience.close()
        builder.close()
      }
      packer.compact()
    }
    const lane = shape === 'async iterable' ? undefined : queue.lane()
    const sending = new Sending(results, signal)
    try {
      try {
        if (sending.over) await sending.stop(packer.takeAll())
        if (array !== undefined) await packArray(packer, array)
        if (lane === undefined) await sendAsyncIterable(sending, queue, packer, input as AsyncIterable<Operation>, signal)
        else if (shape === 'iterable') await sendIterable(sending, lane, packer, input as Iterable<Operation>)
        else await sendAll(sending, lane, packer)
      } finally {
        lane?.close()
      }
      await sending.end()
    } catch (error) {
      if (error instanceof AbortError && error === sending.aborted) throw error
      await sending.until(0)
      throw interrupted(error, packer)
    } finally {
      sending.close()
    }
    return conclude(results, lenient)
  })
}
