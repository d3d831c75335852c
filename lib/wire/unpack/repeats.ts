import { index, records } from '../layout.js'
import type { Reply } from './reply.js'

/** How often a list of services with repeated entries is asked for again. */
export const ATTEMPTS = 5

/** Numbers of the records of a list that are there a second time, or `undefined` where all are different. */
export type Repeats = (reply: Reply, request: number) => Set<number> | undefined

let slots = new Int32Array(64)

function emptySlots(count: number): Int32Array {
  if (count > slots.length) slots = new Int32Array(count)
  else slots.fill(0, 0, count)
  return slots
}

/** What looks for them by the keys that the records begin with. Lists up to `surelyWhole` records come in one datagram, and so have no repetitions. */
function repeatsOf(name: 'service' | 'destination', surelyWhole: number): Repeats {
  const { size, keySize } = records[name]
  const PRESENT = index(name, 'present', 'u32')
  const KEY_WORDS = keySize / 4
  const WORDS = size / 4
  return (reply, request) => {
    const count = reply.recordCount(request)
    if (count <= surelyWhole) return undefined
    const { u32 } = reply
    const first = reply.recordsOf(request) >>> 2
    const last = 2 ** (33 - Math.clz32(count | 8)) - 1
    const slots = emptySlots(last + 1)
    let repeated: Set<number> | undefined
    for (let record = 0; record < count; record++) {
      const at = first + record * WORDS
      let hash = 0
      for (let word = 0; word < KEY_WORDS; word++) if (word !== PRESENT) hash = Math.imul(hash ^ u32[at + word], 0x9e3779b1) + word | 0
      hash ^= hash >>> 15
      for (let slot = hash & last; ; slot = slot + 1 & last) {
        if (slots[slot] === 0) {
          slots[slot] = record + 1
          break
        }
        const other = first + (slots[slot] - 1) * WORDS
        let word = 0
        while (word < KEY_WORDS && (word === PRESENT || u32[at + word] === u32[other + word])) word++
        if (word === KEY_WORDS) {
          (repeated ??= new Set()).add(record)
          break
        }
      }
    }
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
