/**
 * Netlink messages and their attributes, in the byte order of the machine (netlink(7)):
 * `{ u32 length | u16 type | u16 flags | u32 sequence | u32 port | payload }`, and in the payload, after a fixed part, attributes
 * `{ u16 length | u16 type | value }`. Both are padded to four bytes.
 */

/** Whether numbers begin with their lowest byte here. */
export const LITTLE = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

export const HEADER = 16
const ATTRIBUTE = 4
/** The upper two bits of an attribute's type say that it is nested, or in network byte order. */
const TYPE = 0x3fff

const NLMSG_ERROR = 2
const NLMSG_DONE = 3
const NLM_F_REQUEST = 0x1
const NLM_F_DUMP = 0x300
const NLM_F_MULTI = 0x2
const NLM_F_DUMP_INTR = 0x10

const aligned = (length: number): number => length + 3 & ~3

/** A message, or what ends an answer. */
export interface Message {
  type: number
  sequence: number
  /** Whether the message is part of a list. */
  listed: boolean
  /** Whether the list that the message is part of changed while the kernel wrote it. */
  interrupted: boolean
  payload: DataView
  /** Where the message ends an answer: 0, or a negative errno. */
  end?: number
}

/** The messages of what has arrived. What ends in the middle of a message is left out. */
export function* messagesOf(bytes: ArrayBuffer): Generator<Message> {
  const view = new DataView(bytes)
  for (let at = 0; at + HEADER <= view.byteLength;) {
    const length = view.getUint32(at, LITTLE)
    if (length < HEADER || at + length > view.byteLength) return
    const type = view.getUint16(at + 4, LITTLE)
    const payload = new DataView(bytes, at + HEADER, length - HEADER)
    const flags = view.getUint16(at + 6, LITTLE)
    const message: Message = {
      type, payload, sequence: view.getUint32(at + 8, LITTLE),
      listed: (flags & NLM_F_MULTI) !== 0, interrupted: (flags & NLM_F_DUMP_INTR) !== 0,
    }
    if (type === NLMSG_ERROR || type === NLMSG_DONE) message.end = payload.byteLength < 4 ? 0 : Math.min(payload.getInt32(0, LITTLE), 0)
    yield message
    at += aligned(length)
  }
}

/** The attributes of a payload, from a place on, by their types. Of one that is there twice, the last. */
export function attributesOf(payload: DataView, from: number): Map<number, DataView> {
  const attributes = new Map<number, DataView>()
  for (let at = from; at + ATTRIBUTE <= payload.byteLength;) {
    const length = payload.getUint16(at, LITTLE)
    if (length < ATTRIBUTE || at + length > payload.byteLength) break
    attributes.set(
      payload.getUint16(at + 2, LITTLE) & TYPE,
      new DataView(payload.buffer, payload.byteOffset + at + ATTRIBUTE, length - ATTRIBUTE),
    )
    at += aligned(length)
  }
  return attributes
}

/** The bytes of a value. */
export const bytesOf = (value: DataView): Uint8Array => new Uint8Array(value.buffer, value.byteOffset, value.byteLength)

/** A text that ends with its first zero byte. */
export function textOf(value: DataView): string {
  const bytes = bytesOf(value)
  const end = bytes.indexOf(0)
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString('latin1')
}

/** A request: the numbers of its fixed part, as bytes, and its attributes. */
export function request(
  type: number, { dump, sequence, fixed, attributes = [] }:
  { dump: boolean, sequence: number, fixed: Uint8Array, attributes?: readonly (readonly [type: number, value: Uint8Array])[] },
): Uint8Array {
  const length = attributes.reduce((sum, [, value]) => sum + aligned(ATTRIBUTE + value.length), HEADER + aligned(fixed.length))
  const bytes = new Uint8Array(length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, length, LITTLE)
  view.setUint16(4, type, LITTLE)
  view.setUint16(6, NLM_F_REQUEST | (dump ? NLM_F_DUMP : 0), LITTLE)
  view.setUint32(8, sequence, LITTLE)
  bytes.set(fixed, HEADER)
  let at = HEADER + aligned(fixed.length)
  for (const [number, value] of attributes) {
    view.setUint16(at, ATTRIBUTE + value.length, LITTLE)
    view.setUint16(at + 2, number, LITTLE)
    bytes.set(value, at + ATTRIBUTE)
    at += aligned(ATTRIBUTE + value.length)
  }
  return bytes
}
