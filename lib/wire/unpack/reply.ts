import { inEntry, reply } from '../layout.js'
import type { NativeReply } from '../addon.js'

/** Packed bytes (a reply or requests) as typed arrays of several element sizes. */
export interface View {
  readonly u8: Uint8Array
  readonly u16: Uint16Array
  readonly u32: Uint32Array
  readonly i32: Int32Array
}

/** Packed bytes that contain counters. */
export interface ListingView extends View {
  readonly u64: BigUint64Array
}

/** The outcomes of a request. Any other outcome is a negative errno. */
export const { done: DONE, unknown: UNKNOWN, notSent: NOT_SENT } = reply.outcomes

/** In units of four bytes: the size of an entry, and the members of the first one. */
const ENTRY = reply.entrySize / 4
const FIRST = reply.headerSize / 4
const OUTCOME = FIRST + inEntry('outcome', 'i32')
const RECORD_COUNT = FIRST + inEntry('recordCount', 'u32')
const RECORDS = FIRST + inEntry('recordsOffset', 'u32')
const TEXT = FIRST + inEntry('text', 'u32')

const decoder = new TextDecoder()

/** Reads text from at most `length` bytes, up to the NUL. */
export function readText(bytes: Uint8Array, at: number, length: number): string {
  let end = at
  while (end < at + length && bytes[end] !== 0) end++
  return decoder.decode(bytes.subarray(at, end))
}

const words = new Map<number, string>()

/** As {@link readText}, for names that occur often: a name of up to four bytes, like those of schedulers, is decoded only once. */
export function readWord(bytes: Uint8Array, at: number, length: number): string {
  if (bytes[at + 4] !== 0 && bytes[at + 3] !== 0 && bytes[at + 2] !== 0 && bytes[at + 1] !== 0) return readText(bytes, at, length)
  let key = 0
  for (let i = 0; i < 4 && bytes[at + i] !== 0; i++) key = key << 8 | bytes[at + i]
  let word = words.get(key)
  if (word === undefined) words.set(key, word = readText(bytes, at, length))
  return word
}

/** A packed reply: each request's outcome, records and kernel message. */
export class Reply implements ListingView {
  readonly u8: Uint8Array
  readonly u16: Uint16Array
  readonly u32: Uint32Array
  readonly i32: Int32Array
  readonly u64: BigUint64Array

  constructor(readonly buffer: ArrayBuffer) {
    this.u8 = new Uint8Array(buffer)
    // The texts at the end may have any length.
    const length = (size: number): number => Math.floor(buffer.byteLength / size)
    this.u16 = new Uint16Array(buffer, 0, length(2))
    this.u32 = new Uint32Array(buffer, 0, length(4))
    this.i32 = new Int32Array(buffer, 0, length(4))
    this.u64 = new BigUint64Array(buffer, 0, length(8))
  }

  /** The number of requests it answers. */
  get requests(): number {
    return this.u32[0]
  }

  /** The outcome of the request with this number. */
  outcome(request: number): number {
    return this.i32[OUTCOME + request * ENTRY]
  }

  /** The number of records that answer the request. */
  recordCount(request: number): number {
    return this.u32[RECORD_COUNT + request * ENTRY]
  }

  /** Where the request's records begin. */
  recordsOf(request: number): number {
    return this.u32[RECORDS + request * ENTRY]
  }

  /** Why the request's answer was lost, or why it was not sent: a negative errno, 0 for none. */
  cause(request: number): number {
    return -this.u32[RECORDS + request * ENTRY]
  }

  /** The kernel's extended error message, if it sent one. */
  text(request: number): string | undefined {
    const at = this.u32[TEXT + request * ENTRY]
    return at === 0 ? undefined : readText(this.u8, at, this.u8.length - at)
  }
}

/** Reads a reply. `undefined` if every request was carried out and there is nothing to read. */
export const replyOf = (answer: NativeReply): Reply | undefined => answer === null ? undefined : new Reply(answer)

/** Memory of large replies, for reuse. New memory costs many times more. */
const spareSpaces: ArrayBuffer[] = []

/** The most spaces that are kept: as many as a snapshot uses at the same time. */
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
