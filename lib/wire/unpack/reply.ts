import { inEntry, reply } from '../layout.js'
import type { NativeReply } from '../addon.js'

/** Bytes seen as numbers of several sizes: a packed reply, or packed requests. */
export interface View {
  readonly u8: Uint8Array
  readonly u16: Uint16Array
  readonly u32: Uint32Array
  readonly i32: Int32Array
}

/** How a request ended: 0, a negative errno, or one of the two below. */
export const { done: DONE, unknown: UNKNOWN, notSent: NOT_SENT } = reply.outcomes

/** In units of four bytes: the size of an entry, and where things are in the first one. */
const ENTRY = reply.entrySize / 4
const FIRST = reply.headerSize / 4
const OUTCOME = FIRST + inEntry('outcome', 'i32')
const RECORD_COUNT = FIRST + inEntry('recordCount', 'u32')
const RECORDS = FIRST + inEntry('recordsOffset', 'u32')
const TEXT = FIRST + inEntry('text', 'u32')

const decoder = new TextDecoder()

/** A packed reply: for each request how it ended, its records, and the kernel's text. */
export class Reply implements View {
  readonly u8: Uint8Array
  readonly u16: Uint16Array
  readonly u32: Uint32Array
  readonly i32: Int32Array
  readonly u64: BigUint64Array

  constructor(readonly buffer: ArrayBuffer) {
    this.u8 = new Uint8Array(buffer)
    // Texts, which come last, may end anywhere.
    const length = (size: number): number => Math.floor(buffer.byteLength / size)
    this.u16 = new Uint16Array(buffer, 0, length(2))
    this.u32 = new Uint32Array(buffer, 0, length(4))
    this.i32 = new Int32Array(buffer, 0, length(4))
    this.u64 = new BigUint64Array(buffer, 0, length(8))
  }

  /** How many requests it answers. */
  get requests(): number {
    return this.u32[0]
  }

  /** How the request with this number ended. */
  outcome(request: number): number {
    return this.i32[OUTCOME + request * ENTRY]
  }

  /** How many records answer it. */
  recordCount(request: number): number {
    return this.u32[RECORD_COUNT + request * ENTRY]
  }

  /** Where they begin. */
  recordsOf(request: number): number {
    return this.u32[RECORDS + request * ENTRY]
  }

  /** Why the answer to the request was lost, or why it was not sent: a negative errno, 0 for none. */
  cause(request: number): number {
    return -this.u32[RECORDS + request * ENTRY]
  }

  /** The kernel's extended text, where it sent one. */
  text(request: number): string | undefined {
    const at = this.u32[TEXT + request * ENTRY]
    return at === 0 ? undefined : decoder.decode(this.u8.subarray(at, this.u8.indexOf(0, at)))
  }
}

/** The reply, or `undefined` where all was carried out and there is nothing to read. */
export const replyOf = (answer: NativeReply): Reply | undefined => answer === null ? undefined : new Reply(answer)
