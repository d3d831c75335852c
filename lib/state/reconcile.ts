import { EventEmitter } from 'node:events'
import { object, refuseUnknown, type Known } from '../arguments/validate.js'
import { invalidType, outOfRange } from '../model/errors.js'
import { Work, type TableHandle } from './apply.js'
import { destinationId, serviceId } from './complete.js'
import { readDesired, type DesiredState } from './desired.js'
import { applySettings, LONGEST, seconds, type ApplySettings } from './options.js'
import type { ApplyOptions, ApplyResult, Desired } from './types.js'

/** Options of `reconcile`. All times are in seconds, fractions allowed. */
export interface ReconcileOptions extends Omit<ApplyOptions, 'dryRun'> {
  /** From one look at the table to the next, 10 by default: how long what others change stays. While something drains, `drain.interval` counts where it is shorter. */
  interval?: number
  /** By which part of the interval each wait differs at random, 0 to 1, so that many programs do not look at once. 0.1 by default. */
  jitter?: number
  /** How long a new desired state waits for the next one, so that a burst is one change. 0.05 by default. */
  coalesce?: number
  /** The first wait after an error or a refusal, doubled by each further one up to `max`. `{ min: 0.5, max: 60 }` by default. */
  backOff?: { min?: number, max?: number }
}

/** Events of a {@link Reconciler} and their arguments. */
export interface ReconcilerEvents {
  /** Something was done, or refused: what, and why. Of work that an error or `close()` ended too. */
  applied: [result: ApplyResult]
  /** The table is as desired, and nothing drains. */
  settled: []
  /**
   * It did not work: the error, or the refusals; the next attempt comes after so many seconds. `Infinity`: a state of the async iterable cannot be read, or the iterable has
   * failed, and the last state stays. It has no consequences if nobody listens.
   */
  failed: [failure: { error?: unknown, result?: ApplyResult, retryIn: number }]
  /** The loop has ended. */
  closed: []
}

interface Pace {
  interval: number
  jitter: number
  coalesce: number
  min: number
  max: number
}

const OWN = ['interval', 'jitter', 'coalesce', 'backOff']
const BACK_OFF: Known = { what: 'backing off', names: new Set(['min', 'max']) }

function pace({ interval, jitter, coalesce, backOff }: ReconcileOptions): Pace {
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

/**
 * A loop that keeps the table at a desired state: looks at it in intervals, repairs what others changed, follows a desired state that changes.
 *
 * Made by `Ipvs.reconcile`. It keeps the process alive until it is closed. The handle must stay open for as long, and can be used beside it.
 */
export class Reconciler extends EventEmitter<ReconcilerEvents> implements AsyncDisposable {
  readonly #handle: TableHandle
  readonly #settings: ApplySettings
  readonly #pace: Pace
  readonly #stop = new AbortController()
  /** When a destination was first seen to drain, by the clock of `performance.now()`. */
  readonly #drainingSince = new Map<string, number>()
  #desired: DesiredState | undefined
  #timer: NodeJS.Timeout | undefined
  #due = 0
  #running: Promise<void> | undefined
  /** A look is due as soon as the running one has ended. */
  #again = false
  #failures = 0
  #iterator: AsyncIterator<Desired> | undefined
  #closing: Promise<void> | undefined
  /** Keeps the process alive while nothing is due. */
  readonly #alive: NodeJS.Timeout
  readonly #leave: (() => void) | undefined

  /** @internal */
  constructor(handle: TableHandle, desired: Desired | AsyncIterable<Desired> | undefined, options: ReconcileOptions | undefined) {
    super()
    this.#handle = handle
    const settings = applySettings(options, 'reconcile', OWN)
    this.#pace = pace(options ?? {})
    const { signal } = settings
    this.#settings = { ...settings, signal: this.#stop.signal }
    if (typeof desired === 'object' && desired !== null && Symbol.asyncIterator in desired) this.#follow(desired)
    else if (desired !== undefined) this.set(desired)
    this.#alive = setInterval(() => {}, LONGEST * 1000)
    if (signal !== undefined) {
      const close = (): void => void this.close()
      this.#leave = () => signal.removeEventListener('abort', close)
      signal.addEventListener('abort', close, { once: true })
    }
    if (signal?.aborted === true) void this.close()
  }

  /** Says anew what the table should be. Bad input throws at the next look at the table, as a 'failed' event; until then, and after, the last state that was set counts. */
  set(desired: Desired): void {
    if (this.#closing !== undefined) throw Object.assign(new Error('This reconciler is closed'), { code: 'ERR_IPVS_CLOSED' })
    this.#desired = readDesired(desired)
    this.#schedule(this.#pace.coalesce)
  }

  /** Looks at the table now; fulfilled when that is done. Its outcome is an event, as always. */
  async look(): Promise<void> {
    if (this.#desired === undefined || this.#closing !== undefined) return this.#closing
    if (this.#running !== undefined) await this.#running
    clearTimeout(this.#timer)
    this.#timer = undefined
    await (this.#running ??= this.#cycle())
  }

  #follow(states: AsyncIterable<Desired>): void {
    const iterator = this.#iterator = states[Symbol.asyncIterator]()
    const next = async (): Promise<void> => {
      for (;;) {
        const next = await iterator.next()
        // The last state stays desired when nobody has another.
        if (next.done === true || this.#closing !== undefined) return
        try {
          this.set(next.value)
        } catch (error) {
          this.#fail(error)
        }
      }
    }
    // Whoever knows what is desired has failed.
    next().catch((error: unknown) => this.#fail(error))
  }

  /** There is no new state: the last one stays. */
  #fail(error: unknown): void {
    if (this.#closing === undefined) this.#tell('failed', { error, retryIn: Infinity })
  }

  /** Emits an event. A listener that throws does to the process what it does anywhere in an async function, and nothing to the loop. */
  #tell<Name extends keyof ReconcilerEvents>(name: Name, ...args: ReconcilerEvents[Name]): void {
    try {
      (this as EventEmitter).emit(name, ...args)
    } catch (error) {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- whatever the listener throws
      void Promise.reject(error)
    }
  }

  #schedule(delay: number): void {
    if (this.#closing !== undefined) return
    if (this.#running !== undefined) {
      this.#again = true
      return
    }
    const wait = Math.min(delay, LONGEST) * 1000
    const due = performance.now() + wait
    // The first state of a burst says when, so that a burst without end is no reason to wait for ever.
    if (this.#timer !== undefined && this.#due <= due) return
    clearTimeout(this.#timer)
    this.#due = due
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#running ??= this.#cycle()
    }, wait)
  }

  /** One look at the table, and what follows from it. Never rejects. */
  async #cycle(): Promise<void> {
    this.#again = false
    let delay: number
    const work = new Work(this.#handle, this.#desired!, this.#settings)
    try {
      delay = this.#report(await work.once((service, destination) => this.#expired(`${serviceId(service)} ${destinationId(destination)}`)))
    } catch (error) {
      delay = this.#retryIn()
      // What was done before it ended, by an error or by `close`.
      const result = work.result()
      if (result.notSent.length < result.plan.operations.length) this.#tell('applied', result)
      if (this.#closing === undefined) this.#tell('failed', { error, retryIn: delay })
    } finally {
      this.#running = undefined
    }
    this.#schedule(this.#again ? this.#pace.coalesce : delay)
  }

  /** Emits what a look led to; returns the seconds until the next one. */
  #report(result: ApplyResult): number {
    const { plan, rollback } = result
    const draining = plan.draining ?? []
    const ids = new Set(draining.map(({ service, destination }) => `${serviceId(service)} ${destinationId(destination)}`))
    for (const id of this.#drainingSince.keys()) if (!ids.has(id)) this.#drainingSince.delete(id)
    if (rollback === undefined) for (const id of ids) if (!this.#drainingSince.has(id)) this.#drainingSince.set(id, performance.now())
    if (plan.operations.length > 0) this.#tell('applied', result)
    if (result.done.length < plan.operations.length) {
      const retryIn = this.#retryIn()
      this.#tell('failed', { result, retryIn })
      return retryIn
    }
    this.#failures = 0
    if (plan.operations.length === 0 && draining.length === 0) this.#tell('settled')
    const { interval, jitter } = this.#pace
    const next = draining.length > 0 ? Math.min(interval, this.#settings.drain!.interval) : plan.operations.length > 0 ? Math.min(interval, this.#pace.coalesce) : interval
    return next * (1 + jitter * (2 * Math.random() - 1))
  }

  #retryIn(): number {
    const { min, max, jitter } = this.#pace
    return Math.min(max, min * 2 ** this.#failures++) * (1 - jitter * Math.random())
  }

  #expired(id: string): boolean {
    const since = this.#drainingSince.get(id)
    return since !== undefined && performance.now() - since >= this.#settings.drain!.timeout * 1000
  }

  /** Ends the loop: what is being sent is finished, nothing more is begun, and what drains stays at weight 0. Can be called again. */
  close(): Promise<void> {
    return this.#closing ??= (async () => {
      clearTimeout(this.#timer)
      clearInterval(this.#alive)
      this.#leave?.()
      this.#stop.abort()
      const leave = async (): Promise<unknown> => this.#iterator?.return?.()
      leave().catch(() => {})
      await this.#running
      this.#tell('closed')
    })()
  }

  [Symbol.asyncDispose](): Promise<void> { return this.close() }
}

/** `Ipvs.reconcile`. */
export const reconcile = (handle: TableHandle, desired?: Desired | AsyncIterable<Desired>, options?: ReconcileOptions): Reconciler => new Reconciler(handle, desired, options)
