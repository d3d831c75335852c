import { boolean, integer, object, oneOf, refuseUnknown, type Known, type Properties } from '../arguments/validate.js'
import { conflict, invalidType, outOfRange } from '../model/errors.js'
import type { ServiceKey } from '../model/types.js'
import { namedServices } from './desired.js'
import { ownership, type Owns } from './ownership.js'
import type { ApplyOptions, DrainOptions, PlanOptions } from './types.js'

/** Options of `apply` that are about carrying out a plan, not about making it. */
const CARRY_OUT_NAMES = ['signal', 'onProgress', 'rollback', 'batchSize', 'withhold']
const APPLY_NAMES = ['prune', 'owns', 'drain', 'concurrencyCheck', ...CARRY_OUT_NAMES]

const DRAIN: Known = { what: 'draining', names: new Set(['until', 'timeout', 'interval']) }
const CHECK: Known = { what: 'the concurrency check', names: new Set(['attempts']) }

const PRUNE = new Map([['none', 'none'], ['owned', 'owned'], ['all', 'all']] as const)
const WITHHOLD = new Map([['service', 'service'], ['all', 'all']] as const)
const UNTIL = new Map([['all', 'all'], ['established', 'established']] as const)

/** Longest time in seconds that a timer of Node can wait. */
export const LONGEST = 2_147_483

const MANY = { min: 1, max: 2 ** 31 - 1 }

/** The options of `plan`, checked and complete. */
export interface PlanSettings {
  prune: boolean
  owns: Owns
  /** Whether `owns` was given. */
  shared: boolean
  drain: Required<DrainOptions> | undefined
}

/** The options of `apply`, checked and complete. */
export interface ApplySettings extends PlanSettings {
  dryRun: boolean
  /** The services to plan, by id. If it is missing, the whole table is planned. */
  only: ReadonlyMap<string, ServiceKey> | undefined
  signal: AbortSignal | undefined
  onProgress: NonNullable<ApplyOptions['onProgress']>
  rollback: boolean
  /** How often the concurrency check reads the table again at most; 0 means no check. */
  attempts: number
  batchSize: number
  withhold: 'service' | 'all'
}

/** Checks for a time in seconds, which may be a fraction. */
export function seconds(value: unknown, field: string, min = 0): number {
  if (typeof value !== 'number') throw invalidType(field, 'a number of seconds', value)
  if (!(value >= min && value <= LONGEST)) throw outOfRange(field, `a number of seconds from ${min} to ${LONGEST}`, value)
  return value
}

function drainSettings(value: unknown): Required<DrainOptions> | undefined {
  if (value === undefined || value === false) return undefined
  const given: Properties = value === true ? {} : object(value, 'options.drain')
  refuseUnknown(given, 'options.drain', DRAIN)
  return {
    until: given.until === undefined ? 'all' : oneOf(given.until, 'options.drain.until', UNTIL),
    timeout: given.timeout === undefined ? 300 : seconds(given.timeout, 'options.drain.timeout'),
    interval: given.interval === undefined ? 0.25 : seconds(given.interval, 'options.drain.interval', 0.001),
  }
}

/** Checks that the options are an object with known names. */
export function optionsObject(options: unknown, method: string, names: readonly string[]): Properties {
  if (options === undefined) return {}
  const given = object(options, 'options')
  refuseUnknown(given, 'options', { what: `the options of ${method}`, names: new Set(names) })
  return given
}

function planSettings(given: PlanOptions): PlanSettings {
  const prune = given.prune === undefined ? 'none' : oneOf(given.prune, 'options.prune', PRUNE)
  if (prune === 'owned' && given.owns === undefined)
    throw conflict('options.owns', "is missing: prune 'owned' removes what is this program's, and owns says what that is")
  return { prune: prune !== 'none', owns: ownership(given.owns), shared: given.owns !== undefined, drain: drainSettings(given.drain) }
}


export function signalOption(signal: unknown): AbortSignal | undefined {
  if (signal === undefined || signal instanceof AbortSignal) return signal
  throw invalidType('options.signal', 'an AbortSignal', signal)
}

function attempts(value: ApplyOptions['concurrencyCheck']): number {
  if (value === undefined || value === false) return 0
  if (value === true) return 5
  const given = object(value, 'options.concurrencyCheck')
  refuseUnknown(given, 'options.concurrencyCheck', CHECK)
  return given.attempts === undefined ? 5 : integer(given.attempts, 'options.concurrencyCheck.attempts', MANY)
}

/** @param own names of options that this method has and others like `apply` do not have */
export function applySettings(
  options: ApplyOptions | undefined,
  method = 'apply',
  own: readonly string[] = ['dryRun', 'only'],
): ApplySettings {
  const given = optionsObject(options, method, [...APPLY_NAMES, ...own]) as ApplyOptions
  const { onProgress } = given
  if (onProgress !== undefined && typeof onProgress !== 'function') throw invalidType('options.onProgress', 'a function', onProgress)
  return {
    ...planSettings(given),
    dryRun: given.dryRun === undefined ? false : boolean(given.dryRun, 'options.dryRun'),
    only: given.only === undefined ? undefined : namedServices(given.only, 'options.only'),
    signal: signalOption(given.signal),
    onProgress: onProgress ?? (() => {}),
    rollback: given.rollback === undefined ? false : boolean(given.rollback, 'options.rollback'),
    attempts: attempts(given.concurrencyCheck),
    batchSize: given.batchSize === undefined ? Infinity : integer(given.batchSize, 'options.batchSize', MANY),
    withhold: given.withhold === undefined ? 'service' : oneOf(given.withhold, 'options.withhold', WITHHOLD),
  }
}

/** The options of `apply` when it is given a plan. */
export function carryOutSettings(options: ApplyOptions | undefined): ApplySettings {
  optionsObject(options, 'apply with a plan', [...CARRY_OUT_NAMES, 'dryRun'])
  return applySettings(options)
}
