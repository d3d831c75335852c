/** Reusable buffers for large replies. Memory that has been touched before costs a fraction of new memory. */
const spare: ArrayBuffer[] = []

/** As many as a snapshot uses at the same time. */
const MOST_SPARE = 4
const LARGEST_SPARE = 1 << 20

/** Tells the addon that the buffer it makes will be offered again. */
const NONE = new ArrayBuffer(0)

/** Takes a buffer for a reply. If the reply does not fit, the addon makes another one. */
export const takeSpace = (): ArrayBuffer => spare.pop() ?? NONE

/** Returns the buffer of a reply that is no longer read. */
export function returnSpace(space: ArrayBuffer): void {
  if (spare.length < MOST_SPARE && space.byteLength <= LARGEST_SPARE) spare.push(space)
}
