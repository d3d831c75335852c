import { object, refuseUnknown, type Known } from '../arguments/validate.js'
import { invalidType, outOfRange } from '../model/errors.js'
import { seconds } from './options.js'
import type { ApplyOptions } from './types.js'

/** Options of `reconcile`. All times are in seconds, fractions allowed. */
export interface ReconcileOptions extends Omit<ApplyOptions, 'dryRun' | 'only'> {
  /**
   * The time between two looks at the table, 10 by default, 0.001 to 2,147,483. Changes by others last for up to that time. Draining
   * destinations are also looked at every `drain.interval`.
   */
  interval?: number
  /** The part of the interval by which each wait differs at random, 0 to 1, so that many programs do not look at once. 0.1 by default. */
  jitter?: number
  /**
   * How long a new desired state waits for the next one, so that a burst of states costs one look at the table. 0.05 by default. Updates do
   * not wait; those that come while another one is carried out are carried out together.
   */
  coalesce?: number
  /**
   * The waits after errors and refusals. The first one is `min`; each further failure doubles it, up to `max`. `{ min: 0.5, max: 60 }` by
   * default.
   */
  backOff?: { min?: number, max?: number }
}

/** When a loop looks at the table, in seconds, and the part of a wait that is random. */
export interface Pace {
  interval: number
  jitter: number
  coalesce: number
  min: number
  max: number
}

/** Names of the options that `reconcile` has and `apply` does not have. */
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
