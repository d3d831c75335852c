import { index, records } from '../layout.js'
import type { Reply } from './reply.js'

/** How many times a list of services with repeated entries is read again. */
export const ATTEMPTS = 5

/** Finds the numbers of a list's records that occurred before. `undefined` if all records differ. */
export type Repeats = (reply: Reply, request: number) => Set<number> | undefined

let slots = new Int32Array(64)

function emptySlots(count: number): Int32Array {
  if (count > slots.length) slots = new Int32Array(count)
  else slots.fill(0, 0, count)
  return slots
}

/** Compares records by their leading keys. A list of up to `surelyWhole` records comes in one datagram, so it cannot have repetitions. */
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
      for (let word = 0; word < KEY_WORDS; word++) {
        if (word !== PRESENT) hash = Math.imul(hash ^ u32[at + word], 0x9e3779b1) + word | 0
      }
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
