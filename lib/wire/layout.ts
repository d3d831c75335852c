import type { Field, FieldType, Member, RecordName } from './addon.js'
import { addon } from './load.js'

/** The layout of packed requests and replies, as the addon declares it. */
export const { commands, records, request, reply } = addon.schema

const SIZE: Record<FieldType, number> = { u8: 1, u16: 2, u32: 4, i32: 4, u64: 8, bytes: 1, string: 1 }

function checked<Found extends Member>(found: Found | undefined, type: FieldType, name: string, place: string): Found {
  if (found?.type !== type || found.offset % SIZE[type] !== 0) {
    throw new Error(`ipvs: the native addon has no ${type} field "${name}" in its ${place}: `
      + 'it is of another version than the JavaScript part. Install the package again, or run npm run compile in a checkout')
  }
  return found
}

const field = (record: RecordName, name: string, type: FieldType): Field =>
  checked(records[record].fields[name], type, name, `${record} record`)

/**
 * Index of a field in a typed array of the field's element size, relative to the start of the record: `view[(at / size) + index]`. Throws
 * if the addon's layout has no such field of that type.
 */
export const index = (record: RecordName, name: string, type: FieldType): number => field(record, name, type).offset / SIZE[type]

const member = <Name extends string>(place: string, members: Record<Name, Member>) => (name: Name, type: FieldType): number =>
  checked<Member>(members[name], type, name, place).offset / SIZE[type]

/** As {@link index}, for the numbers in a request's header, a reply's header and a reply's entry. */
export const inRequest = member('request header', request.header)
export const inReply = member('reply header', reply.header)
export const inEntry = member('reply entry', reply.entry)

/** Length of a text field in bytes. */
export const textLength = (record: RecordName, name: string): number => field(record, name, 'string').length

/** The bits of `present` for these fields. */
export function bits(record: RecordName, ...names: string[]): number {
  let mask = 0
  for (const name of names) mask |= 1 << records[record].fields[name].bit
  return mask
}
