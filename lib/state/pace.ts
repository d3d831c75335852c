import { object, refuseUnknown, type Known } from '../arguments/validate.js'
import { invalidType, outOfRange } from '../model/errors.js'
import { seconds } from './options.js'
import type { ApplyOptions } from './types.js'

/** Options of `reconcile`. All times are in seconds, fractions allowed. */
export interface ReconcileOptions extends Omit<ApplyOptions, 'dryRun' | 'only'> {
  /**
   * The time between two looks at the table, 10 by default, which is how long changes by others last. Draining destinations are looked at
   * every `drain.interval` in between.
   */
  interval?: number
  /** By which part of the interval each wait differs at random, 0 to 1, so that many programs do not look at once. 0.1 by default. */
  jitter?: number
  /**
   * How long a new desired state waits for the next one, so that a burst costs one look at the table. 0.05 by default. Updates do not wait;
   * those that come while one is carried out travel together.
   */
  coalesce?: number
  /** The first wait after an error or a refusal, doubled by each further one up to `max`. `{ min: 0.5, max: 60 }` by default. */
  backOff?: { min?: number, max?: number }
}

/** When a loop looks. */
export interface Pace {
  interval: number
  jitter: number
  coalesce: number
  min: number
  max: number
}

/** Names of the options that `reconcile` has and `apply` has not. */
export const PACE_NAMES = ['interval', 'jitter', 'coalesce', 'backOff']

const BACK_OFF: Known = { what: 'backing off', names: new Set(['min', 'max']) }

export function pace({ interval, jitter, coalesce, backOff }: ReconcileOptions): Pace {
  if (jitter !== undefined && typeof jitter !== 'number') throw invalidType('options.jitter', 'a number from 0 to 1', jitter)
  if (jitter !== undefined && !(jitter >= 0 && jitter <= 1)) throw outOfRange('options.jitter', 'a number from 0 to 1', jitter)
  if (backOff !== undefined) refuseUnknown(object(backOff, 'options.backOff'), 'options.backOff', BACK_OFF)
  const min = backOff?.min === undefined ? 0.5 : seconds(backOff.min, 'options.backOff.min', 0.001)
  return {
    interval: interval === undefined ? 10 : seconds(interval, 'options.interval', 0.001),
    jitter: jitter ?? 0.1,
    coalesce: coalesce === undefined ? 0.05 : seconds(coalesce, 'options.coalesce'),
    min,
    max: backOff?.max === undefined ? Math.max(60, min) : seconds(backOff.max, 'options.backOff.max', min),
  }
}
