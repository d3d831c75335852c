import { EventEmitter } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { object, refuseUnknown, type Known } from '../arguments/validate.js'
import { invalidType, isArgumentError, outOfRange } from '../model/errors.js'
import { fullDestinationId } from '../model/keys.js'
import { readDesired, type DesiredState } from './desired.js'
import type { TableHandle } from './handle.js'
import { applySettings, LONGEST, seconds, type ApplySettings } from './options.js'
import type { ApplyOptions, ApplyResult, Desired } from './types.js'
import { Work } from './work.js'

/** Options of `reconcile`. All times are in seconds, fractions allowed. */
export interface ReconcileOptions extends Omit<ApplyOptions, 'dryRun' | 'only'> {
  /**
   * From one look at the table to the next, 10 by default: how long what others change stays. While something drains, `drain.interval`
   * counts where it is shorter.
   */
  interval?: number
  /** By which part of the interval each wait differs at random, 0 to 1, so that many programs do not look at once. 0.1 by default. */
  jitter?: number
  /** How long a new desired state waits for the next one, so that a burst is one change. 0.05 by default. */
  coalesce?: number
  /** The first wait after an error or a refusal, doubled by each further one up to `max`. `{ min: 0.5, max: 60 }` by default. */
  backOff?: { min?: number, max?: number }
}

/**
 * Events of a {@link Reconciler} and their arguments. `generation` is the number of the state that it is about: each state that is set has
 * the next one, from 1.
 */
export interface ReconcilerEvents {
  /** Something was done, or refused: what, and why. Of work that an error or `close()` ended too. */
  applied: [result: ApplyResult & { generation: number }]
  /** The table is as desired, and nothing drains. */
  settled: [state: { generation: number }]
  /**
   * It did not work: the error, or the refusals; the next attempt comes after so many seconds. `Infinity`: the state has a mistake and is
   * refused whole, or the async iterable of states has failed; the last good state stays in force. It has no consequences if nobody
   * listens.
   */
  failed: [failure: { error?: unknown, result?: ApplyResult, generation: number, retryIn: number }]
  /** The loop has ended. */
  closed: []
}

/** What has become of a state that was set. */
export interface InForce {
  /** Number of the state that is in force: the state's own, or that of a later one which was set meanwhile. */
  generation: number
  /** What the kernel refused of it. It is tried again, with longer and longer waits. */
  refused: ApplyResult['refused']
}

/** A state that was set. */
class Wanted {
  /** Whether it was compared with the table and had no mistake. */
  good = false
  readonly inForce: Promise<InForce>
  resolve!: (answer: InForce) => void
  reject!: (error: unknown) => void

  constructor(readonly generation: number, readonly desired: DesiredState) {
    this.inForce = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    // Prevents an unhandled rejection if nobody awaits it.
    this.inForce.catch(() => {})
  }
}

/** States of a burst that are kept until one of them is known to be good. More would only take memory. */
const KEPT = 100

/** Whether an error says that the desired state itself has a mistake, which is there at the next look too. */
const isMistake = (error: unknown): boolean => isArgumentError(error) && error.field.startsWith('desired')

const closedError = (): Error => Object.assign(new Error('This reconciler is closed'), { code: 'ERR_IPVS_CLOSED' })

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
 * A loop that keeps the table at a desired state: looks at it in intervals, repairs what others changed, follows a desired state that
 * changes.
 *
 * Made by `Ipvs.reconcile`. It keeps the process alive until it is closed. The handle must stay open for as long, and can be used beside
 * it.
 */
export class Reconciler extends EventEmitter<ReconcilerEvents> implements AsyncDisposable {
  readonly #handle: TableHandle
  readonly #settings: ApplySettings
  readonly #pace: Pace
  readonly #stop = new AbortController()
  /** When a destination was first seen to drain, by the clock of `performance.now()`. */
  readonly #drainingSince = new Map<string, number>()
  /**
   * What is wanted: the last one. Those before it are there for the case that it has a mistake: first one that is good, if there is one.
   */
  #states: Wanted[] = []
  /** States whose promise is not settled. */
  #unanswered: Wanted[] = []
  /** Number of the last state that was set. */
  #generation = 0
  /** Number of the last state that was looked at. */
  #seen = 0
  /** Called when a look has ended. */
  #looked = (): void => {}
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
    else if (desired !== undefined) this.#want(readDesired(desired))
    this.#alive = setInterval(() => {}, LONGEST * 1000)
    if (signal !== undefined) {
      const close = (): void => void this.close()
      this.#leave = () => signal.removeEventListener('abort', close)
      signal.addEventListener('abort', close, { once: true })
    }
    if (signal?.aborted === true) void this.close()
  }

  /**
   * Says anew what the table should be. A state with a mistake is refused whole, and the last good one stays in force.
   *
   * Fulfilled when the state, or a later one that was set meanwhile, is in force; what drains is not waited for. An error of the way to the
   * kernel is no answer: it is tried again. Rejects with the mistake, or with ERR_IPVS_CLOSED where `close()` came before. Nobody has to
   * wait for it: a mistake is a 'failed' event too.
   */
  set(desired: Desired): Promise<InForce> {
    const rejected = (error: unknown): Promise<never> => {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- whatever reading the state throws
      const answer = Promise.reject(error)
      // Prevents an unhandled rejection if nobody awaits it.
      answer.catch(() => {})
      return answer
    }
    if (this.#closing !== undefined) return rejected(closedError())
    let state: DesiredState
    try {
      state = readDesired(desired)
    } catch (error) {
      this.#fail(error, ++this.#generation)
      return rejected(error)
    }
    return this.#want(state).inForce
  }

  #want(desired: DesiredState): Wanted {
    const states = this.#states
    const state = new Wanted(++this.#generation, desired)
    states.push(state)
    if (states.length > KEPT) states.splice(states[0].good ? 1 : 0, 1)
    this.#unanswered.push(state)
    this.#schedule(this.#pace.coalesce)
    return state
  }

  /** Looks at the table now; fulfilled when that is done. Its outcome is an event, as always. */
  async look(): Promise<void> {
    if (this.#running !== undefined) await this.#running
    if (this.#states.length === 0 || this.#closing !== undefined) return this.#closing
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
        void this.set(next.value)
        const generation = this.#generation
        // The iterable may never wait by itself. It would be asked for state after state, and nothing else in the process had its turn.
        if (this.#states.at(-1)?.generation !== generation) await turn()
        else while (this.#seen < generation) await new Promise<void>((resolve) => {
          this.#looked = resolve
        })
      }
    }
    // Whoever knows what is desired has failed.
    next().catch((error: unknown) => this.#fail(error))
  }

  /** There is no new state: the last one stays. */
  #fail(error: unknown, generation = this.#generation): void {
    if (this.#closing === undefined) this.#tell('failed', { error, generation, retryIn: Infinity })
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
    const state = this.#states.at(-1)!
    const { generation } = state
    const work = new Work(this.#handle, state.desired, this.#settings)
    try {
      const result = await work.once((service, destination) => this.#expired(fullDestinationId(service, destination)))
      state.good = true
      this.#states = [state, ...this.#states.filter((other) => other.generation > generation)]
      delay = this.#report(result, generation)
    } catch (error) {
      if (!state.good && isMistake(error)) {
        this.#refuse(state, error)
        delay = this.#pace.coalesce
      } else {
        delay = this.#retryIn()
        // What was done before it ended, by an error or by `close`.
        const result = work.result()
        if (result.done + result.refused.length + result.unknown.length > 0) this.#tell('applied', { ...result, generation })
        if (this.#closing === undefined) this.#tell('failed', { error, generation, retryIn: delay })
      }
    } finally {
      this.#running = undefined
    }
    this.#seen = Math.max(this.#seen, generation)
    this.#looked()
    if (this.#states.length > 0) this.#schedule(this.#again ? this.#pace.coalesce : delay)
  }

  /** A state with a mistake is as if it had never been set. */
  #refuse(state: Wanted, error: unknown): void {
    this.#states = this.#states.filter((other) => other !== state)
    this.#unanswered = this.#unanswered.filter((other) => other !== state)
    state.reject(error)
    this.#fail(error, state.generation)
  }

  /** A state is in force, and with it those that it has superseded. */
  #answer(answer: InForce): void {
    const open: Wanted[] = []
    for (const state of this.#unanswered) {
      if (state.generation <= answer.generation) state.resolve(answer)
      else open.push(state)
    }
    this.#unanswered = open
  }

  /** Emits what a look led to; returns the seconds until the next one. */
  #report(result: ApplyResult, generation: number): number {
    const { plan, rollback } = result
    const draining = plan.draining ?? []
    const ids = new Set(draining.map(({ service, destination }) => fullDestinationId(service, destination)))
    for (const id of this.#drainingSince.keys()) if (!ids.has(id)) this.#drainingSince.delete(id)
    if (rollback === undefined) for (const id of ids) if (!this.#drainingSince.has(id)) this.#drainingSince.set(id, performance.now())
    if (plan.operations.length > 0) this.#tell('applied', { ...result, generation })
    const complete = result.done === plan.operations.length
    if (complete || result.refused.length > 0) this.#answer({ generation, refused: result.refused })
    if (!complete) {
      const retryIn = this.#retryIn()
      this.#tell('failed', { result, generation, retryIn })
      return retryIn
    }
    this.#failures = 0
    if (plan.operations.length === 0 && draining.length === 0) this.#tell('settled', { generation })
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
      for (const { reject } of this.#unanswered.splice(0)) reject(closedError())
      this.#tell('closed')
    })()
  }

  [Symbol.asyncDispose](): Promise<void> { return this.close() }
}

/** `Ipvs.reconcile`. */
export const reconcile = (handle: TableHandle, desired?: Desired | AsyncIterable<Desired>, options?: ReconcileOptions): Reconciler => new Reconciler(handle, desired, options)
