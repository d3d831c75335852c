import { AbortError, type BatchOptions, type BatchResult } from '../model/batch.js'
import { invalidType } from '../model/errors.js'
import type { Operation } from '../model/types.js'
import { returnBuffer, type Requests } from '../wire/pack/requests.js'
import type { Reply } from '../wire/unpack/reply.js'
import { readOptions, shapeOf, type BatchInput } from './batch.js'
import { Builder } from './batch-builder.js'
import { conclude, interrupted, Packer, Results, type BatchPiece } from './batch-packer.js'
import type { BatchBuilder } from './methods.js'
import { PIECE_REQUESTS } from './piece.js'

/** Packs a whole array, or everything that a function calls, before any of it is sent. */
function packSync(packer: Packer, input: ((batch: BatchBuilder) => unknown) | readonly Operation[]): void {
  try {
    if (typeof input !== 'function') {
      for (let next = 0; next < input.length;) next += packer.addSome(input, next)
      return
    }
    const builder = new Builder(packer)
    try {
      const result = input(builder)
      if (typeof (result as PromiseLike<unknown> | undefined)?.then === 'function') {
        // The promise is refused. A rejection of it must not end the process.
        Promise.resolve(result).catch(() => {})
        throw invalidType('operations', 'a function that does not return a promise (IpvsSync does not wait)', result)
      }
    } finally {
      builder.close()
    }
  } catch (error) {
    packer.forget()
    throw error
  }
}

/** `batch` of `IpvsSync`. */
export function batchSync(
  execute: (requests: Requests, batch: number) => Reply | undefined, input: BatchInput, options: BatchOptions | undefined,
): BatchResult {
  const { lenient, signal } = readOptions(options)
  const shape = shapeOf(input, false)
  const results = new Results(shape === 'array' ? input as Operation[] : undefined)
  const packer = new Packer(results, PIECE_REQUESTS)
  let aborted: AbortError | undefined
  const send = (piece: BatchPiece): void => {
    if (signal?.aborted === true) {
      piece.abandon()
      packer.abandon()
      throw aborted = results.aborted(signal.reason)
    }
    let reply: Reply | undefined
    try {
      // A function may have caught the error of its only call.
      if (piece.requests.count > 0) reply = execute(piece.requests, results.number)
    } catch (error) {
      piece.abandon()
      throw error
    }
    piece.receive(reply)
    returnBuffer(piece.requests)
  }
  try {
    if (shape === 'iterable') {
      for (const full of packer.addAll(input as Iterable<Operation>)) if (full !== undefined) send(packer.takeFirst()!)
    } else packSync(packer, input as ((batch: BatchBuilder) => unknown) | Operation[])
    for (let piece = packer.takeFirst(); piece !== undefined; piece = packer.takeFirst()) send(piece)
  } catch (error) {
    if (error instanceof AbortError && error === aborted) throw error
    throw interrupted(error, packer)
  }
  return conclude(results, lenient)
}
