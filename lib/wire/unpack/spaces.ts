/** Places for large replies, used again: memory that has been touched before costs a fraction of new one. */
const spare: ArrayBuffer[] = []

/** As many as one snapshot has under way. */
const MOST_SPARE = 4
const LARGEST_SPARE = 1 << 20

/** Offered to the addon, it says that the place it makes will be offered again. */
const NONE = new ArrayBuffer(0)

/** A place for a reply; the addon makes another one where it does not fit. */
export const takeSpace = (): ArrayBuffer => spare.pop() ?? NONE

/** Gives back the place of a reply of which nothing is read any more. */
export function returnSpace(space: ArrayBuffer): void {
  if (spare.length < MOST_SPARE && space.byteLength <= LARGEST_SPARE) spare.push(space)
}
