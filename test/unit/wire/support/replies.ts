import type { RecordName } from '../../../../lib/wire/addon.js'
import { inEntry, inReply, records, reply as layout } from '../../../../lib/wire/layout.js'
import { HEADER_SIZE, type Requests } from '../../../../lib/wire/pack/requests.js'

/** How a request of a made-up reply ended, and what answers it. */
export interface Answer {
  outcome?: number
  /** Of what was lost or not sent: the errno, positive. */
  cause?: number
  text?: string
  records?: Uint8Array[]
}

/** Packs a reply as the addon does: header, entries, records, texts. */
export function packReply(answers: Answer[]): ArrayBuffer {
  const encoder = new TextEncoder()
  const texts = answers.map(({ text }) => text === undefined ? new Uint8Array() : encoder.encode(`${text}\0`))
  const recordsAt = layout.headerSize + answers.length * layout.entrySize
  const recordBytes = answers.flatMap(({ records = [] }) => records).reduce((sum, record) => sum + record.length, 0)
  const textsAt = recordsAt + recordBytes
  // The addon fills up to a multiple of eight; what reads a reply does not depend on it.
  const total = textsAt + texts.reduce((sum, text) => sum + text.length, 0)
  const buffer = new ArrayBuffer(total)
  const bytes = new Uint8Array(buffer)
  const words = new Uint32Array(buffer, 0, recordsAt / 4)
  words[inReply('requestCount', 'u32')] = answers.length
  words[inReply('recordsOffset', 'u32')] = recordsAt
  words[inReply('textsOffset', 'u32')] = textsAt
  words[inReply('total', 'u32')] = total
  let record = recordsAt
  let text = textsAt
  answers.forEach(({ outcome = 0, cause, records = [] }, i) => {
    const entry = (layout.headerSize + i * layout.entrySize) / 4
    words[entry + inEntry('outcome', 'i32')] = outcome
    words[entry + inEntry('recordCount', 'u32')] = records.length
    words[entry + inEntry('recordsOffset', 'u32')] = cause ?? record
    words[entry + inEntry('text', 'u32')] = texts[i].length === 0 ? 0 : text
    for (const one of records) {
      bytes.set(one, record)
      record += one.length
    }
    bytes.set(texts[i], text)
    text += texts[i].length
  })
  return buffer
}

/** A record of a reply that begins like the record at `at` in packed requests, as when the kernel answers with what it was told. */
export function echo(requests: Requests, at: number, name: RecordName): Uint8Array {
  const record = new Uint8Array(records[name].size)
  record.set(requests.u8.subarray(at, at + records[name].requestSize))
  return record
}

/** Sets a field of a record. */
export function set(record: Uint8Array, name: RecordName, field: string, value: number | bigint): void {
  const { offset, type, bit } = records[name].fields[field]
  const view = new DataView(record.buffer)
  const little = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
  if (type === 'u64') view.setBigUint64(offset, BigInt(value), little)
  else if (type === 'u32' || type === 'i32') view.setUint32(offset, Number(value), little)
  else if (type === 'u16') view.setUint16(offset, Number(value), little)
  else view.setUint8(offset, Number(value))
  const present = records[name].fields.present.offset
  view.setUint32(present, view.getUint32(present, little) | 1 << bit, little)
}

/** Where the records of the first request begin. */
export const FIRST = HEADER_SIZE
