import { KeyIndex } from './key-index.js'
import type { Reply } from './reply.js'

/** How many times a list of services with repeated entries is read again. */
export const ATTEMPTS = 5

/** Finds the numbers of a list's records that occurred before. `undefined` if all records differ. */
export type Repeats = (reply: Reply, request: number) => Set<number> | undefined

/** Compares records by their leading keys. A list of up to `surelyWhole` records comes in one datagram, so it cannot have repetitions. */
function repeatsOf(name: 'service' | 'destination', surelyWhole: number): Repeats {
  const seen = new KeyIndex(name)
  return (reply, request) => {
    const count = reply.recordCount(request)
    if (count <= surelyWhole) return undefined
    seen.begin(reply, reply.recordsOf(request), count)
    let repeated: Set<number> | undefined
    for (let record = 0; record < count; record++) if (seen.add(record) >= 0) (repeated ??= new Set()).add(record)
    return repeated
  }
}

/**
 * Linux 7.1 and later move services to a larger hash table in the background, a few milliseconds after the table has grown. A dump in
 * progress continues by position, so it repeats some services and misses as many. A list with repetitions must be read again.
 */
export const repeatedServices = repeatsOf('service', 1)

/**
 * The kernel adds a destination at the head of its service's list, and a dump continues by position. If one is added between two datagrams,
 * the last destination of the first is repeated in the second. Only the new destination is missing, and it did not exist when the list was
 * requested.
 */
export const repeatedDestinations = repeatsOf('destination', 8)
