import { boolean, integer, object, oneOf, string, type Properties } from '../arguments/validate.js'
import { conflict, invalidType, invalidValue, isArgumentError, outOfRange, type ArgumentError } from '../model/errors.js'
import type { Range } from '../model/limits.js'

/**
 * Shapes of values. A shape checks a value and describes itself as JSON schema. Validation and schema share one table of shapes, so they
 * always agree.
 */

export type JsonSchema = Record<string, unknown>

/** Collects every mistake. Shapes never throw, so that the rest of the configuration is checked too. */
export type Mistakes = ArgumentError[]

export interface Shape {
  /** Adds the value's mistakes to `mistakes`. */
  check(value: unknown, field: string, mistakes: Mistakes): void
  schema(): JsonSchema
}

/** A property of a record. */
export interface Field {
  shape: Shape
  required?: true
  /** The default value; left out if it depends on other properties. */
  default?: unknown
}

/** Makes a shape from a function that throws for a wrong value. */
function single(judge: (value: unknown, field: string) => unknown, schema: JsonSchema): Shape {
  return {
    check(value, field, mistakes) {
      try {
        judge(value, field)
      } catch (error) {
        if (!isArgumentError(error)) throw error
        mistakes.push(error)
      }
    },
    schema: () => schema,
  }
}

export const integerIn = (range: Range): Shape =>
  single((value, field) => integer(value, field, range), { type: 'integer', minimum: range.min, maximum: range.max })

/** Integers that can be negative. */
export const signedIn = ({ min, max }: Range): Shape => single((value, field) => {
  if (typeof value !== 'number') throw invalidType(field, `an integer from ${min} to ${max}`, value)
  if (!Number.isInteger(value) || value < min || value > max) throw outOfRange(field, `an integer from ${min} to ${max}`, value)
}, { type: 'integer', minimum: min, maximum: max })

export const secondsIn = ({ min, max }: Range): Shape => single((value, field) => {
  if (typeof value !== 'number') throw invalidType(field, 'a number of seconds', value)
  if (!(value >= min && value <= max)) throw outOfRange(field, `a number of seconds from ${min} to ${max}`, value)
}, { type: 'number', minimum: min, maximum: max })

export const yesOrNo: Shape = single(boolean, { type: 'boolean' })

/** @param expected what the text must be, in words */
export const text = (pattern: RegExp, expected: string): Shape => single((value, field) => {
  if (!pattern.test(string(value, field, expected))) throw invalidValue(field, expected, value)
}, { type: 'string', pattern: pattern.source })

export const oneWord = (...words: string[]): Shape => {
  const table = new Map(words.map((word) => [word, word]))
  return single((value, field) => oneOf(value, field, table), { type: 'string', enum: words })
}

export const oneNumber = (...numbers: number[]): Shape => single((value, field) => {
  if (numbers.includes(value as number)) return
  throw (typeof value === 'number' ? invalidValue : invalidType)(field, `the number ${numbers.join(' or ')}`, value)
}, { enum: numbers })

/** Also accepts `null`, for none. */
export const orNull = (shape: Shape): Shape => ({
  check(value, field, mistakes) {
    if (value !== null) shape.check(value, field, mistakes)
  },
  schema: () => ({ anyOf: [shape.schema(), { type: 'null' }] }),
})

export const list = (shape: Shape, what: string, least = 0): Shape => ({
  check(value, field, mistakes) {
    if (!Array.isArray(value)) mistakes.push(invalidType(field, `an array of ${what}`, value))
    else if (value.length < least) mistakes.push(conflict(field, `needs at least ${least} of its ${what}`))
    else for (let i = 0; i < value.length; i++) shape.check(value[i], `${field}[${i}]`, mistakes)
  },
  schema: () => ({ type: 'array', items: shape.schema(), ...least > 0 && { minItems: least } }),
})

/** One integer, or the first and the last of a range. */
export const numberOrSpan = (range: Range): Shape => {
  const number = integerIn(range)
  return {
    check(value, field, mistakes) {
      if (!Array.isArray(value)) number.check(value, field, mistakes)
      else if (value.length !== 2) mistakes.push(conflict(field, 'must be a number, or two of them: the first and the last'))
      else value.forEach((one, index) => number.check(one, `${field}[${index}]`, mistakes))
    },
    schema: () => ({ anyOf: [number.schema(), { type: 'array', items: number.schema(), minItems: 2, maxItems: 2 }] }),
  }
}

export type Fields = Readonly<Record<string, Field>>

/** An object with known properties. */
export interface RecordShape extends Shape {
  /** Name of its TypeScript type, which is also that of its definition in the schema. */
  readonly type: string
  readonly what: string
  readonly fields: Fields
  /** The full schema, to which `schema()` refers. */
  definition(): JsonSchema
}

/**
 * @param type name of its TypeScript type
 * @param what its description, for messages
 */
export function record(type: string, what: string, fields: Fields, hints: Readonly<Record<string, string>> = {}): RecordShape {
  const names = Object.keys(fields)
  const required = names.filter((name) => fields[name].required)
  return {
    type, what, fields,
    check(value, field, mistakes) {
      let properties: Properties
      try {
        properties = object(value, field)
      } catch (error) {
        mistakes.push(error as ArgumentError)
        return
      }
      for (const name in properties) {
        const given = properties[name]
        if (given === undefined) continue
        const known = Object.hasOwn(fields, name) ? fields[name] : undefined
        if (known !== undefined) known.shape.check(given, place(field, name), mistakes)
        else mistakes.push(conflict(place(field, name), hints[name] ?? `is not a property of ${what}, which has ${names.join(', ')}`))
      }
      for (const name of required) {
        if (properties[name] === undefined) mistakes.push(missing(place(field, name), fields[name].shape))
      }
    },
    schema: () => ({ $ref: `#/$defs/${type}` }),
    definition: () => ({
      type: 'object',
      properties: Object.fromEntries(names.map((name) => {
        const { shape, default: byDefault } = fields[name]
        return [name, { ...shape.schema(), ...byDefault !== undefined && { default: byDefault } }]
      })),
      ...required.length > 0 && { required },
      additionalProperties: false,
    }),
  }
}

/** A missing value gets the same message as a wrong one. */
function missing(field: string, shape: Shape): ArgumentError {
  const mistakes: Mistakes = []
  shape.check(undefined, field, mistakes)
  return mistakes[0] ?? conflict(field, 'is missing')
}

export const place = (field: string, name: string): string => field === '' ? name : `${field}.${name}`

/** One of several records, chosen by the object's properties. */
export function variants(
  records: readonly RecordShape[], choose: (properties: Properties, field: string) => RecordShape,
): Shape & { records: readonly RecordShape[] } {
  return {
    records,
    check(value, field, mistakes) {
      try {
        choose(object(value, field), field).check(value, field, mistakes)
      } catch (error) {
        if (!isArgumentError(error)) throw error
        mistakes.push(error)
      }
    },
    schema: () => ({ anyOf: records.map((one) => one.schema()) }),
  }
}
