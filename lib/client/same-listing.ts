import { isDestinationStill, LISTED_DESTINATION_SIZE } from '../wire/unpack/destination.js'
import type { View } from '../wire/unpack/reply.js'
import { isServiceStill, LISTED_SERVICE_SIZE } from '../wire/unpack/service.js'

/**
 * Finds entries about which there is nothing to report: two listings have the same bytes for them, and the kernel's averages show no
 * traffic.
 */

function sameBytes({ u32: a }: View, aAt: number, { u32: b }: View, bAt: number, size: number): boolean {
  const one = aAt >>> 2
  const other = bAt >>> 2
  const words = size >>> 2
  for (let word = 0; word < words; word++) if (a[one + word] !== b[other + word]) return false
  return true
}

/** Whether there is nothing to report about the service at `at`, which an earlier listing had at `beforeAt`. */
export const isServiceQuiet = (before: View, beforeAt: number, now: View, at: number): boolean =>
  isServiceStill(now, at) && sameBytes(before, beforeAt, now, at, LISTED_SERVICE_SIZE)

/** Whether there is nothing to report about `count` destinations from `at` on, which an earlier listing had from `beforeAt` on. */
export function areDestinationsQuiet(before: View, beforeAt: number, now: View, at: number, count: number): boolean {
  for (let i = 0; i < count; i++) if (!isDestinationStill(now, at + i * LISTED_DESTINATION_SIZE)) return false
  return sameBytes(before, beforeAt, now, at, count * LISTED_DESTINATION_SIZE)
}
