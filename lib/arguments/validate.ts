import { conflict, invalidType, invalidValue, outOfRange } from '../model/errors.js'
import type { Range } from '../model/limits.js'

/**
 * Checks of single values. Each returns the value, or throws an error that names the field. They run for every field of every operation, so
 * nothing is built unless one throws.
 */

/** An object with named properties. */
export type Properties = Record<string, unknown>

/**
 * Reads a property in the same time whatever the hidden class of the object is. With V8 11 (Node 20) `{ ...key, scheduler: 'rr' }`, which
 * is how programs write services, gives each object a hidden class of its own. A plain access then misses the cache in code that sees many
 * such objects, which costs a hundred nanoseconds.
 */
export const property = (properties: Properties, name: string): unknown => properties[name]

const integerIn = ({ min, max }: Range): string => `an integer from ${min} to ${max}`

function refuseInteger(value: unknown, field: string, range: Range): never {
  if (typeof value !== 'number') throw invalidType(field, integerIn(range), value)
  throw outOfRange(field, integerIn(range), value)
}

/** Checks for an integer in a range within 0 to 2³²-1. Refuses fractions, NaN, -0, bigint and text. */
export function integer(value: unknown, field: string, range: Range): number {
  const isInside = typeof value === 'number' && value >>> 0 === value && value >= range.min && value <= range.max
  if (isInside && (value !== 0 || 1 / value > 0)) return value
  return refuseInteger(value, field, range)
}

export function boolean(value: unknown, field: string): boolean {
  if (typeof value === 'boolean') return value
  throw invalidType(field, 'true or false', value)
}

export function string(value: unknown, field: string, expected = 'a string'): string {
  if (typeof value === 'string') return value
  throw invalidType(field, expected, value)
}

/** Checks for one of the names of a table. Returns what the table has for it. */
export function oneOf<T>(value: unknown, field: string, table: ReadonlyMap<string, T>): T {
  const found = table.get(value as string)
  if (found !== undefined) return found
  const expected = `one of ${[...table.keys()].map((name) => `'${name}'`).join(', ')}`
  throw typeof value === 'string' ? invalidValue(field, expected, value) : invalidType(field, expected, value)
}

/** Checks for an object that is neither an array nor a function. */
export function object(value: unknown, field: string): Properties {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Properties
  throw invalidType(field, 'an object', value)
}

/** Visible ASCII: what names in the kernel are made of. */
const NAME = /^[\x21-\x7e]+$/

/** Checks for a name that the kernel can take: visible ASCII, at most `length` bytes. */
export function name(value: unknown, field: string, length: number): string {
  const text = string(value, field)
  if (text.length > length) throw invalidValue(field, `at most ${length} characters long`, text)
  if (!NAME.test(text)) throw invalidValue(field, 'a name of visible ASCII characters, without spaces', text)
  return text
}

/** The properties that an object may have. */
export interface Known {
  what: string
  names: ReadonlySet<string>
  /** What to do instead, for names that users try. */
  hints?: Readonly<Record<string, string>>
}

/** Whether this is an object without a class, of this realm or of another. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/**
 * Throws at the first enumerable property that is neither known nor `undefined`. Also refuses an object of a class if it has none of the
 * known properties. Otherwise a `Map`, or a promise that was not awaited, would pass for an empty object where all properties can be left
 * out.
 */
export function refuseUnknown(properties: Properties, field: string, { what, names, hints }: Known): void {
  for (const property in properties) {
    if (names.has(property) || properties[property] === undefined) continue
    const hint = hints?.[property] ?? `is not a property of ${what}, which has ${[...names].join(', ')}`
    throw conflict(`${field}.${property}`, hint)
  }
  if (isPlain(properties)) return
  for (const name of names) if (name in properties) return
  throw invalidType(field, `an object with properties of ${what}: ${[...names].join(', ')}`, properties)
}

/** Counts the enumerable properties. Counting takes a few nanoseconds; looking at each name would take much longer for each operation. */
export function countOf(properties: Properties): number {
  let count = 0
  // eslint-disable-next-line @typescript-eslint/no-unused-vars
  for (const _ in properties) count++
  return count
}

/**
 * Throws if a property is not known. Looks at the names only if there are not as many enumerable properties as were `read`. There are fewer
 * if the object's class has getters, which are not counted.
 */
export function onlyKnown(properties: Properties, read: number, field: string, known: Known): void {
  if (countOf(properties) !== read) refuseUnknown(properties, field, known)
}
