import { KeyIndex } from './key-index.js'
import type { Reply } from './reply.js'

/** How often a list of services with repeated entries is asked for again. */
export const ATTEMPTS = 5

/** Numbers of the records of a list that are there a second time, or `undefined` where all are different. */
export type Repeats = (reply: Reply, request: number) => Set<number> | undefined

/** What looks for them by their keys. Lists of up to `surelyWhole` records come in one datagram, and so have no repetitions. */
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
 * From Linux 7.1 on the kernel moves services to a larger hash table in the background, some milliseconds after the table has grown. A list that is
 * being read meanwhile goes on by counting, so as many services are missing from it as are repeated: whoever finds a repetition should ask again.
 */
export const repeatedServices = repeatsOf('service', 1)

/**
 * A destination is added at the head of its service's list, which a dump goes through by counting: where one is added between two datagrams, the last one of the
 * first comes again at the head of the second. Nothing is missing then but the new one, which was not there when the list was asked for.
 */
export const repeatedDestinations = repeatsOf('destination', 8)
