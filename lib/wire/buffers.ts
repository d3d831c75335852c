import { Requests } from './pack/requests.js'

/**
 * Reuses the memory of requests and of large replies. New memory is expensive: the first touch of each page costs as much as packing
 * several requests.
 */

/** Bytes of a new buffer for requests, enough for a piece of a batch. */
const CAPACITY = 384 << 10

/** The most buffers for requests that are kept: three megabytes in all. */
const KEPT = 8

const spare: Requests[] = []

/** An empty buffer for requests. */
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

const spareSpaces: ArrayBuffer[] = []

/** The most spaces for replies that are kept: as many as a snapshot uses at the same time. */
const KEPT_SPACES = 4
const LARGEST_SPACE = 1 << 20

/** Tells the addon that the buffer it makes will be offered again. */
const NO_SPACE = new ArrayBuffer(0)

/** A space for a reply. If the reply does not fit, the addon makes another one. */
export const takeSpace = (): ArrayBuffer => spareSpaces.pop() ?? NO_SPACE

/** Returns the space of a reply that is no longer read. */
export function returnSpace(space: ArrayBuffer): void {
  if (spareSpaces.length < KEPT_SPACES && space.byteLength <= LARGEST_SPACE) spareSpaces.push(space)
}
