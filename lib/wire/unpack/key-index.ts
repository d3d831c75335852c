import { index, records } from '../layout.js'
import type { Reply, View } from './reply.js'

/** Typed arrays are dear to make, and each small look at the table has two indexes. */
const NOTHING = new Uint32Array(0)

/** Finds the records of a list by the bytes of their keys, without decoding them. It is a hash table of record numbers. */
export class KeyIndex {
  /** Index of the word that says which fields a record has; it is not part of the key. All sizes here are in units of four bytes. */
  readonly #present: number
  readonly #keyWords: number
  readonly #words: number
  #list: Uint32Array = NOTHING
  #first = 0
  /** Record numbers, counted from 1; 0 for an empty slot. The size is a power of two, and at least twice the number of records. */
  #slots = new Int32Array(64)
  #last = 0

  constructor(name: 'service' | 'destination') {
    const { size, keySize } = records[name]
    this.#present = index(name, 'present', 'u32')
    this.#keyWords = keySize / 4
    this.#words = size / 4
  }

  /** Empties the table, for a list of `count` records from `first` on. */
  begin({ u32 }: View, first: number, count: number): void {
    this.#list = u32
    this.#first = first >>> 2
    const slots = 2 ** (33 - Math.clz32(count | 8))
    if (slots > this.#slots.length) this.#slots = new Int32Array(slots)
    else this.#slots.fill(0, 0, slots)
    this.#last = slots - 1
  }

  /** Enters the record with this number. If a record with the same key was entered before, returns its number, otherwise -1. */
  add(record: number): number {
    const slot = this.#slotOf(this.#list, this.#first + record * this.#words)
    const other = this.#slots[slot] - 1
    if (other < 0) this.#slots[slot] = record + 1
    return other
  }

  /** Number of the record whose key is the one at `at`, or -1. */
  find({ u32 }: View, at: number): number {
    return this.#slots[this.#slotOf(u32, at >>> 2)] - 1
  }

  /** Whether the record with this number, entered or not, has the key at `at`. */
  has({ u32 }: View, at: number, record: number): boolean {
    return this.#same(u32, at >>> 2, record)
  }

  #same(u32: Uint32Array, at: number, record: number): boolean {
    const present = this.#present
    const keyWords = this.#keyWords
    const list = this.#list
    const other = this.#first + record * this.#words
    for (let word = 0; word < keyWords; word++) if (word !== present && u32[at + word] !== list[other + word]) return false
    return true
  }

  /** The slot that has the key at `at`, or the empty one where it belongs. */
  #slotOf(u32: Uint32Array, at: number): number {
    const present = this.#present
    const keyWords = this.#keyWords
    const slots = this.#slots
    let hash = 0
    for (let word = 0; word < keyWords; word++) if (word !== present) hash = Math.imul(hash ^ u32[at + word], 0x9e3779b1) + word | 0
    hash ^= hash >>> 15
    for (let slot = hash & this.#last; ; slot = slot + 1 & this.#last) {
      if (slots[slot] === 0 || this.#same(u32, at, slots[slot] - 1)) return slot
    }
  }
}

/** Finds the numbers of a list's records that occurred before. `undefined` if all records differ. */
export type Repeats = (reply: Reply, request: number) => Set<number> | undefined

/** How many destinations surely come in one datagram. A list of no more than these has no repetitions. */
export const WHOLE_DESTINATIONS = 8

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
export const repeatedDestinations = repeatsOf('destination', WHOLE_DESTINATIONS)
