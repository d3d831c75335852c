import { Requests } from './requests.js'

/**
 * Buffers that are used again. Fresh memory is dear: the system hands it out page by page, each at the price of several packed requests.
 */

/** Bytes of a new buffer: a piece of a batch fits without growing. */
const CAPACITY = 384 << 10

/** Buffers that are kept: three megabytes' worth. */
const KEPT = 8

const spare: Requests[] = []

/** An empty buffer. */
export const takeBuffer = (): Requests => spare.pop() ?? new Requests(CAPACITY)

/** Gives back a buffer that nothing refers to any more. */
export function returnBuffer(requests: Requests): void {
  if (spare.length >= KEPT || requests.u8.length !== CAPACITY) return
  requests.clear()
  spare.push(requests)
}

/** The same requests for as long as they wait: where they are few, in memory of their own size, so that the buffer serves others. */
export function compact(requests: Requests): Requests {
  if (requests.u8.length !== CAPACITY || requests.length > CAPACITY / 16) return requests
  const copy = requests.copy()
  returnBuffer(requests)
  return copy
}
