/** Keys as etcd has them: bytes, in base64 for the gateway. */

export const encoded = (text: string): string => Buffer.from(text).toString('base64')

export const decoded = (text: string): string => Buffer.from(text, 'base64').toString()

/** A range of keys for the gateway. */
export interface KeyRange {
  key: string
  range_end: string
}

/** All keys that begin with this text. Its last byte is ASCII, so that the end of the range is that byte plus one. */
export function keysBelow(text: string): KeyRange {
  const end = Buffer.from(text)
  end[end.length - 1]++
  return { key: encoded(text), range_end: end.toString('base64') }
}

/** The first key that can follow this one; both in base64. */
export const keyAfter = (key: string): string => Buffer.concat([Buffer.from(key, 'base64'), Buffer.alloc(1)]).toString('base64')

/** Where a fleet's services are, below its prefix. */
export const servicesBelow = (prefix: string): string => `${prefix}/v1/services/`

/** What a key below `PREFIX/v1/services/` is about. */
export type Subject = { name: string, id?: string }

/**
 * What a key below `PREFIX/v1/services/` is about: 'NAME' is a service, 'NAME/destinations/ID' is a destination that registered itself.
 * `undefined` for anything else.
 */
export function subjectOf(rest: string): Subject | undefined {
  const parts = rest.split('/')
  if (parts.includes('')) return undefined
  if (parts.length === 1) return { name: parts[0] }
  return parts.length === 3 && parts[1] === 'destinations' ? { name: parts[0], id: parts[2] } : undefined
}
