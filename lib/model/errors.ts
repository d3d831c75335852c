import { constants } from 'node:os'
import { getSystemErrorMap, getSystemErrorName } from 'node:util'
import type { Request } from './types.js'

const systemNames = new Map(Object.entries(constants.errno).map(([name, number]) => [-number, name]))

/** The name of an errno, which is negative. Node's list lacks those that libuv does not use, such as EBADMSG. */
export const errnoName = (errno: number): string =>
  getSystemErrorMap().get(errno)?.[0] ?? systemNames.get(errno) ?? getSystemErrorName(errno)

/** What is known of a request that failed: the kernel refused it, its answer was lost, or it was never sent. */
export type Failure = 'refused' | 'unknown' | 'not-sent'

/** Why a handle could not be opened. */
export type OpenReason = 'permission' | 'unavailable' | 'namespace'

interface Details {
  /** Negative, as in `node:fs`. */
  errno: number
  operation: Request
  outcome?: Failure
  reason?: OpenReason
  text?: string
}

/** A refusal of the kernel, or a failure on the way to it. The message says what was wrong and, if that is known, what to do. */
export class IpvsError extends Error {
  override readonly name = 'IpvsError'
  /** Name of the errno: 'EEXIST'. 'ERR_IPVS_ANSWER_LOST' where the outcome is 'unknown'. */
  readonly code: string
  /** The errno, negative as in `node:fs`. */
  readonly errno: number
  /**
   * What was asked, with the objects that were given. Methods that read have the same shape: `{ type: 'destinations', service }`. Opening
   * is `{ type: 'open' }`.
   */
  readonly operation: Request
  /** 'refused' by the kernel; 'unknown': its answer was lost, so it may have been carried out; or 'not-sent'. */
  readonly outcome: Failure
  /** Why opening failed: no 'permission', IPVS is 'unavailable' in this kernel, or the network 'namespace' cannot be entered. */
  declare readonly reason?: OpenReason
  /** The kernel's own message (extended acknowledgement), if it sent one. */
  declare readonly text?: string

  constructor(message: string, { errno, operation, outcome = 'refused', reason, text }: Details) {
    super(text === undefined ? message : `${message} (kernel: ${text})`)
    this.code = outcome === 'unknown' ? 'ERR_IPVS_ANSWER_LOST' : errnoName(errno)
    this.errno = errno
    this.operation = operation
    this.outcome = outcome
    if (reason !== undefined) this.reason = reason
    if (text !== undefined) this.text = text
  }
}

/**
 * Makes an error without a stack. When the kernel's answer arrives, the stack shows nothing of the program that asked, and recording it
 * costs more than the rest of the error.
 */
export function withoutStack<Made>(make: () => Made): Made {
  const limit = Error.stackTraceLimit
  // An assignment would throw if the intrinsics are frozen.
  Reflect.set(Error, 'stackTraceLimit', 0)
  try {
    return make()
  } finally {
    Reflect.set(Error, 'stackTraceLimit', limit)
  }
}

/** The code of an error about an argument. The codes are Node's own. */
export type ArgumentErrorCode = 'ERR_INVALID_ARG_TYPE' | 'ERR_OUT_OF_RANGE' | 'ERR_INVALID_ARG_VALUE'

/** Bad input: a `TypeError` or `RangeError` that names the field. */
export interface ArgumentError extends Error {
  code: ArgumentErrorCode
  /** The field in question: 'destination.weight'. */
  field: string
}

const ours = new WeakSet<object>()

function argumentError(Kind: ErrorConstructor, code: ArgumentErrorCode, field: string, message: string): ArgumentError {
  const error = Object.assign(new Kind(message), { code, field })
  ours.add(error)
  return error
}

/** Whether the library itself made this error about an argument. A getter of an argument can throw errors that look the same. */
export const isArgumentError = (error: unknown): error is ArgumentError =>
  typeof error === 'object' && error !== null && ours.has(error)

function kindOf(value: object): string {
  const { constructor } = value as { constructor?: unknown }
  const isNamed = typeof constructor === 'function' && !['', 'Object'].includes(constructor.name)
  return isNamed ? `an instance of ${constructor.name}` : 'an object'
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  switch (typeof value) {
    case 'string': return `'${value.length > 60 ? `${value.slice(0, 60)}…` : value}'`
    case 'bigint': return `${value}n`
    case 'number': return Object.is(value, -0) ? '-0' : String(value)
    case 'boolean': return String(value)
    case 'object': return Array.isArray(value) ? 'an array' : kindOf(value)
    default: return `a ${typeof value}`
  }
}

export const invalidType = (field: string, expected: string, received: unknown): ArgumentError =>
  argumentError(TypeError, 'ERR_INVALID_ARG_TYPE', field, received === undefined
    ? `${field} is missing: it must be ${expected}`
    : `${field} must be ${expected}. Received ${shown(received)}`)

/** An update that leaves something out. `needed` has every property that it needs, with the value that it was given. */
export function incomplete(what: string, needed: Readonly<Record<string, unknown>>): ArgumentError {
  const field = `${what}.${Object.keys(needed).find((name) => needed[name] === undefined)}`
  const why = 'because the kernel resets what is left out. Read it, change it, and write it back'
  return argumentError(TypeError, 'ERR_INVALID_ARG_TYPE', field, `${field} is missing: an update takes the whole ${what}, ${why}`)
}

export const outOfRange = (field: string, expected: string, received: unknown): ArgumentError =>
  argumentError(RangeError, 'ERR_OUT_OF_RANGE', field, `${field} must be ${expected}. Received ${shown(received)}`)

export const invalidValue = (field: string, expected: string, received: unknown): ArgumentError =>
  argumentError(TypeError, 'ERR_INVALID_ARG_VALUE', field, `${field} must be ${expected}. Received ${shown(received)}`)

/** Bad input that is wrong because of more than one value. */
export const conflict = (field: string, message: string): ArgumentError =>
  argumentError(TypeError, 'ERR_INVALID_ARG_VALUE', field, `${field} ${message}`)

/** The error of a call that a getter of an argument makes on the handle that is reading this argument. */
export const reentrantError = (): Error => Object.assign(
  new Error('A getter of an argument calls the handle that is reading the argument. Read what it needs beforehand'),
  { code: 'ERR_IPVS_REENTRANT' },
)

/** The error of every call on a closed handle. */
export const closedError = (): Error =>
  Object.assign(new Error('This handle is closed. Open another with open()'), { code: 'ERR_IPVS_CLOSED' })
