import { index, records } from '../native/layout.js'
import type { Reply } from './reply.js'

const { size, keySize } = records.service
const PRESENT = index('service', 'present', 'u32')
const KEY_WORDS = keySize / 4
const WORDS = size / 4

/** How often a list of services with repeated entries is asked for again. */
export const ATTEMPTS = 5

/**
 * Numbers of the records of a list of services that are there a second time, or `undefined` where all are different.
 *
 * From Linux 7.1 on the kernel moves services to a larger hash table in the background, some milliseconds after the table has grown. A list that is
 * being read meanwhile goes on by counting, so as many services are missing from it as are repeated: whoever finds a repetition should ask again.
 */
export function repeatedServices(reply: Reply, request: number): Set<number> | undefined {
  const count = reply.recordCount(request)
  const { u32 } = reply
  const first = reply.recordsOf(request) >> 2
  const slots = new Int32Array(2 ** (33 - Math.clz32(count | 8)))
  let repeated: Set<number> | undefined
  for (let record = 0; record < count; record++) {
    const at = first + record * WORDS
    let hash = 0
    for (let word = 0; word < KEY_WORDS; word++) if (word !== PRESENT) hash = Math.imul(hash ^ u32[at + word], 0x9e3779b1) + word | 0
    hash ^= hash >>> 15
    for (let slot = hash & slots.length - 1; ; slot = slot + 1 & slots.length - 1) {
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
