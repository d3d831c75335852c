import { Requests } from './requests.js'

/**
 * Reuses request buffers. New memory is expensive: the first touch of each page costs as much as packing several requests.
 */

/** Bytes of a new buffer, enough for a piece of a batch. */
const CAPACITY = 384 << 10

/** The most buffers that are kept: three megabytes in all. */
const KEPT = 8

const spare: Requests[] = []

/** An empty buffer. */
export const takeBuffer = (): Requests => spare.pop() ?? new Requests(CAPACITY)

/** Returns a buffer that nothing refers to any more. */
export function returnBuffer(requests: Requests): void {
  if (spare.length >= KEPT || requests.u8.length !== CAPACITY) return
  requests.clear()
  spare.push(requests)
}

/** Copies a few waiting requests into memory of their own size, so that their buffer can be reused. Many requests stay where they are. */
export function compact(requests: Requests): Requests {
  if (requests.u8.length !== CAPACITY || requests.length > CAPACITY / 16) return requests
  const copy = requests.copy()
  returnBuffer(requests)
  return copy
}
