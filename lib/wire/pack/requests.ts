import { inRequest, request } from '../layout.js'
import { reentrantError } from '../../model/errors.js'

/** Bytes before the first record of a request. */
export const HEADER_SIZE = request.headerSize

const DUMP = request.dump
const SIZE = inRequest('size', 'u16')
const COMMAND = inRequest('command', 'u16')
const FLAGS = inRequest('flags', 'u16')
const RESERVED = inRequest('reserved', 'u16')

/**
 * Packed requests in a growing, reusable buffer.
 *
 * A request is written at the place that {@link reserve} returns. It counts only after {@link commit}, so bad input found in between leaves
 * no trace.
 */
export class Requests {
  u8!: Uint8Array
  u16!: Uint16Array
  u32!: Uint32Array
  i32!: Int32Array
  /** Bytes in use. */
  length = 0
  /** Requests in use. */
  count = 0
  #beingWritten = false
  /** The request that was looked up last, and where it begins. */
  #foundIndex = 0
  #found = 0

  constructor(capacity: number) {
    this.#view(new ArrayBuffer(capacity))
  }

  #view(buffer: ArrayBuffer): void {
    this.u8 = new Uint8Array(buffer)
    this.u16 = new Uint16Array(buffer)
    this.u32 = new Uint32Array(buffer)
    this.i32 = new Int32Array(buffer)
  }

  /** Whether an operation's arguments are being written at the moment. */
  get beingWritten(): boolean {
    return this.#beingWritten
  }

  /**
   * Call before reading an operation's arguments. A getter among them may call another operation. That one is refused, because both
   * requests would be written to the same place.
   */
  begin(): void {
    if (this.#beingWritten) throw reentrantError()
    this.#beingWritten = true
  }

  /** Call after reading the arguments, valid or not. */
  end(): void {
    this.#beingWritten = false
  }

  /** Makes room for a request with `size` bytes of records. Returns where the records begin. */
  reserve(size: number): number {
    const end = this.length + HEADER_SIZE + size
    if (end > this.u8.length) {
      const old = this.u8
      this.#view(new ArrayBuffer(Math.max(end, old.length * 2)))
      this.u8.set(old)
    }
    return this.length + HEADER_SIZE
  }

  /** Adds the request that was written at the place of the last {@link reserve}. */
  commit(command: number, size: number, dump = false): void {
    const at = this.length >> 1
    this.u16[at + SIZE] = HEADER_SIZE + size
    this.u16[at + COMMAND] = command
    this.u16[at + FLAGS] = dump ? DUMP : 0
    this.u16[at + RESERVED] = 0
    this.length += HEADER_SIZE + size
    this.count++
  }

  /** Where the records of the request with this number begin. Fast if the numbers are asked for in ascending order. */
  recordsOf(index: number): number {
    if (index < this.#foundIndex) this.#foundIndex = this.#found = 0
    while (this.#foundIndex < index) {
      this.#found += this.u16[(this.#found >> 1) + SIZE]
      this.#foundIndex++
    }
    return this.#found + HEADER_SIZE
  }

  /** Command of the request with this number. */
  commandOf(index: number): number {
    return this.u16[(this.recordsOf(index) - HEADER_SIZE >>> 1) + 1]
  }

  /** Bytes of the records of the request with this number. */
  sizeOf(index: number): number {
    return this.u16[this.recordsOf(index) - HEADER_SIZE >>> 1] - HEADER_SIZE
  }

  /** Copies the requests into memory of exactly their size. */
  copy(): Requests {
    const copy = new Requests(this.length)
    copy.u8.set(this.u8.subarray(0, this.length))
    copy.length = this.length
    copy.count = this.count
    return copy
  }

  /** Removes all requests and keeps the memory. */
  clear(): void {
    if (this.#beingWritten) throw reentrantError()
    this.length = this.count = this.#foundIndex = this.#found = 0
  }
}

/** Bytes of a new buffer, enough for a piece of a batch. */
const CAPACITY = 384 << 10

/** The most buffers that are kept: three megabytes in all. */
const KEPT = 8

/** Buffers for reuse. New memory is expensive: the first access to each page costs as much as packing several requests. */
const spare: Requests[] = []

/** An empty buffer. */
export const takeBuffer = (): Requests => spare.pop() ?? new Requests(CAPACITY)

/** Returns a buffer that nothing refers to any more. */
export function returnBuffer(requests: Requests): void {
  if (spare.length >= KEPT || requests.u8.length !== CAPACITY) return
  requests.clear()
  spare.push(requests)
}

/** Copies a few waiting requests into memory of their own size, so that their buffer can be reused. Many requests stay where they are. */
export function compact(requests: Requests): Requests {
  if (requests.u8.length !== CAPACITY || requests.length > CAPACITY / 16) return requests
  const copy = requests.copy()
  returnBuffer(requests)
  return copy
}
