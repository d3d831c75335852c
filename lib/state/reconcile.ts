import { EventEmitter } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { afterMicrotasks } from '../client/pause.js'
import { isArgumentError } from '../model/errors.js'
import { keyOf, serviceId } from '../model/keys.js'
import type { ServiceKey } from '../model/types.js'
import { tell } from '../model/tell.js'
import { Work } from './apply.js'
import { readDesired, type DesiredState } from './desired.js'
import { DrainClock } from './drain-clock.js'
import type { TableHandle } from './handle.js'
import { applySettings, LONGEST, type ApplySettings } from './options.js'
import { pace, PACE_NAMES, type Pace, type ReconcileOptions } from './pace.js'
import type { ApplyResult, Desired, DesiredUpdate } from './types.js'
import { KeptState, merged, readUpdate, stateOf, type Changes } from './update.js'
import { Pending, WantedState, WantedUpdate, type InForce, type Wanted } from './wanted.js'

/**
 * Events of a {@link Reconciler} and their arguments. `generation` is the number of the state that an event is about. Each state that is
 * set, and each update, gets the next number, from 1.
 */
export interface ReconcilerEvents {
  /** Something was done or refused: the operations, and why. Also emitted for work that an error or `close()` ended. */
  applied: [result: ApplyResult & { generation: number }]
  /** The table is as desired, and nothing drains. */
  converged: [state: { generation: number }]
  /**
   * An attempt failed, with the error or the refusals. The next one comes after `retryIn` seconds. `Infinity` means that there is none: the
   * state has a mistake and is refused whole, or the async iterable of states has failed. The last good state then stays in force. The
   * event needs no listener.
   */
  failed: [failure: { error?: unknown, result?: ApplyResult, generation: number, retryIn: number }]
  /** The loop has ended. */
  closed: []
}

/** Whether an error means that the desired state itself has a mistake, which the next look would find too. */
const isMistake = (error: unknown): boolean => isArgumentError(error) && /^(desired|update)\b/.test(error.field)

const closedError = (): Error => Object.assign(new Error('This reconciler is closed'), { code: 'ERR_IPVS_CLOSED' })

/** The error of an update before any state. Without a state, an update would mean that nothing else should be in the table. */
const withoutState = (): Error =>
  Object.assign(new Error('update() changes the desired state, and there is none yet: set() one first'), { code: 'ERR_IPVS_NO_STATE' })

/** A rejected promise. It causes no unhandled rejection if nobody awaits it. */
function rejected(error: unknown): Promise<never> {
  // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- whatever reading the state throws
  const answer = Promise.reject(error)
  answer.catch(() => {})
  return answer
}

/** What a look is about. */
interface Look {
  readonly desired: DesiredState
  /** Number of the state that is in force once the table is as this look wants it. */
  readonly generation: number
  /** The pending state, or the pending updates, that the look is about. */
  readonly state?: WantedState
  readonly updates?: { wanted: readonly WantedUpdate[], changes: Changes }
}

/**
 * Keeps the table at a desired state. It looks at the table in intervals, repairs what others changed, and follows a desired state that
 * changes.
 *
 * `Ipvs.reconcile` makes it. It keeps the process alive until it is closed. The handle must stay open as long, and can be used beside it.
 *
 * @example
 * ```js
 * const reconciler = ipvs.reconcile([{ ...web, scheduler: 'rr' }], { prune: 'owned', owns: { protocol: 'tcp', address: '10.10.10.100' } })
 * reconciler.on('failed', ({ error, result, retryIn }) => console.error(error ?? result.refused, retryIn))
 * await reconciler.set([{ ...web, scheduler: 'wlc' }])
 * await reconciler.update({ services: [{ ...web, port: 443, scheduler: 'wlc' }], removed: [web] })
 * await reconciler.look()
 * await reconciler.close()
 * ```
 */
export class Reconciler extends EventEmitter<ReconcilerEvents> implements AsyncDisposable {
  readonly #handle: TableHandle
  readonly #settings: ApplySettings
  readonly #pace: Pace
  readonly #draining = new DrainClock()
  /** The last state without a mistake, with the updates since then. */
  #kept: KeptState | undefined
  /** Number of the kept state. */
  #keptGeneration = 0
  readonly #pending = new Pending()
  /** States and updates whose promise is not settled. */
  #unanswered: Wanted[] = []
  /** Number of the last state that was set, or updated. */
  #generation = 0
  /** Number of the last state that was looked at. */
  #seen = 0
  /** Called at the end of a look. */
  #looked = (): void => {}
  /**
   * When the pending states and updates, the services that changed or drain, and the whole table are looked at, in milliseconds of
   * `performance.now()`.
   */
  readonly #due = { pending: Infinity, some: Infinity, whole: Infinity }
  /** Services that the last look at some services changed. The next look checks whether they are as desired. */
  #changed = new Map<string, ServiceKey>()
  #timer: NodeJS.Timeout | undefined
  #beginning = false
  #running: Promise<void> | undefined
  /** The look that is under way. */
  #underWay: { look: Look, work: Work } | undefined
  /** Ends it before it sends anything more. A new one for each look would take a tenth of what an update of one service takes. */
  #stop = new AbortController()
  /** Since when updates have put off the look at the whole table, in milliseconds of `performance.now()`. */
  #putOffSince: number | undefined
  #failures = 0
  /** Whether the last look ended with an error on the way to the kernel. */
  #broken = false
  /** Whether the last look at the whole table, and all looks since, left the table as desired. */
  #isWhole = false
  /** Whether the updates that are pending are tried one by one, because there is a mistake among them. */
  #oneByOne = false
  #iterator: AsyncIterator<Desired> | undefined
  #closing: Promise<void> | undefined
  /** Keeps the process alive while nothing is due. */
  readonly #alive: NodeJS.Timeout
  readonly #leave: (() => void) | undefined

  /** @internal */
  constructor(handle: TableHandle, desired: Desired | AsyncIterable<Desired> | undefined, options: ReconcileOptions | undefined) {
    super()
    this.#handle = handle
    const settings = applySettings(options, 'reconcile', PACE_NAMES)
    this.#pace = pace(options ?? {})
    const { signal } = settings
    this.#settings = settings
    if (typeof desired === 'object' && desired !== null && Symbol.asyncIterator in desired) this.#follow(desired)
    else if (desired !== undefined) void this.#want(new WantedState(++this.#generation, readDesired(desired)))
    this.#alive = setInterval(() => {}, LONGEST * 1000)
    if (signal !== undefined) {
      const close = (): void => void this.close()
      this.#leave = () => signal.removeEventListener('abort', close)
      signal.addEventListener('abort', close, { once: true })
    }
    if (signal?.aborted === true) void this.close()
  }

  /**
   * Sets a new desired state. A state with a mistake is refused whole, and the last good one stays in force.
   *
   * The promise is fulfilled when the state is in force, or a later one that was set meanwhile. It does not wait for draining destinations.
   * Errors on the way to the kernel do not reject it, because the state is tried again. It rejects with the mistake, or with
   * ERR_IPVS_CLOSED if `close()` comes first. It may be ignored: a mistake is a 'failed' event too.
   */
  set(desired: Desired): Promise<InForce> {
    if (this.#closing !== undefined) return rejected(closedError())
    let state: DesiredState
    try {
      state = readDesired(desired)
    } catch (error) {
      this.#fail(error, ++this.#generation)
      return rejected(error)
    }
    return this.#want(new WantedState(++this.#generation, state))
  }

  /**
   * Changes the desired state by service. `services` are added, or replace those with the same key; `removed` are keys of services that are
   * no longer desired. Only these services are read, planned and changed, so the cost does not depend on the size of the table. `prune`
   * decides whether a service that is no longer desired is removed.
   *
   * As with `set`, an update with a mistake is refused whole, and the promise is fulfilled when the update is in force. An update begins at
   * once. Updates that come while another one is carried out are carried out together. A routine look at the whole table that has sent
   * nothing yet is put off, for up to `interval`, and begins anew later.
   *
   * Rejects with ERR_IPVS_NO_STATE if no state was set before.
   */
  update(changes: DesiredUpdate): Promise<InForce> {
    if (this.#closing !== undefined) return rejected(closedError())
    const generation = ++this.#generation
    try {
      const read = readUpdate(changes)
      if (this.#kept === undefined && this.#pending.state === undefined) throw withoutState()
      return this.#want(new WantedUpdate(generation, read))
    } catch (error) {
      this.#fail(error, generation)
      return rejected(error)
    }
  }

  #want(wanted: Wanted): Promise<InForce> {
    this.#pending.push(wanted)
    this.#unanswered.push(wanted)
    // The first state of a burst sets the time, so that an endless burst does not wait forever.
    const waits = wanted instanceof WantedState || this.#broken || this.#pending.state !== undefined
    this.#due.pending = Math.min(this.#due.pending, waits ? performance.now() + this.#pace.coalesce * 1000 : -Infinity)
    if (!waits) this.#putOff()
    this.#arm()
    return wanted.inForce
  }

  /**
   * Puts off a routine look at the whole table, because an update would have to wait until all of it has been read. Does not put off a look
   * that sends something, nor one that was put off for a whole interval.
   */
  #putOff(): void {
    if (this.#underWay === undefined) return
    const { look: { desired, state }, work } = this.#underWay
    if (desired.only !== undefined || state !== undefined || work.hasBegun) return
    const now = performance.now()
    this.#putOffSince ??= now
    if (now - this.#putOffSince < this.#pace.interval * 1000) this.#stop.abort()
  }

  /** Looks at the table now. The promise is fulfilled when the look has ended. Its outcome is an event, as always. */
  async look(): Promise<void> {
    if (this.#running !== undefined) await this.#running
    if (this.#isIdle || this.#closing !== undefined) return this.#closing
    this.#due.whole = -Infinity
    // Pending states and updates come first.
    do await this.#begin()
    while (this.#due.whole === -Infinity && !this.#broken && !this.#isIdle && this.#closing === undefined)
  }

  /** Whether there is nothing to look for. */
  get #isIdle(): boolean {
    return this.#kept === undefined && this.#pending.isEmpty
  }

  #follow(states: AsyncIterable<Desired>): void {
    const iterator = this.#iterator = states[Symbol.asyncIterator]()
    const next = async (): Promise<void> => {
      for (;;) {
        const next = await iterator.next()
        // The last state stays desired when the iterable ends.
        if (next.done === true || this.#closing !== undefined) return
        void this.set(next.value)
        const generation = this.#generation
        // The iterable may never wait by itself. Without a pause it would be asked for state after state, and nothing else in the process
        // would get a turn.
        if (this.#pending.last?.generation !== generation) await turn()
        else while (this.#seen < generation) await new Promise<void>((resolve) => {
          this.#looked = resolve
        })
      }
    }
    // The source of states has failed.
    next().catch((error: unknown) => this.#fail(error))
  }

  /** Emits an error that leaves no new state. The last one stays in force. */
  #fail(error: unknown, generation = this.#generation): void {
    if (this.#closing === undefined) this.#tell('failed', { error, generation, retryIn: Infinity })
  }

  #tell<Name extends keyof ReconcilerEvents>(name: Name, ...args: ReconcilerEvents[Name]): void {
    tell(this, name, args)
  }

  /** Sets the timer for the look that is due next. */
  #arm(): void {
    if (this.#closing !== undefined || this.#running !== undefined || this.#isIdle) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    const wait = Math.min(this.#due.pending, this.#due.some, this.#due.whole) - performance.now()
    if (wait > 0) {
      this.#timer = setTimeout(() => void this.#begin(), Math.min(Math.ceil(wait), LONGEST * 1000))
      return
    }
    if (this.#beginning) return
    this.#beginning = true
    // Updates that are called until then travel along. A timer would take a millisecond.
    afterMicrotasks(() => {
      this.#beginning = false
      void this.#begin()
    })
  }

  /** Begins the look that is due, unless one is under way. */
  #begin(): Promise<void> {
    if (this.#running !== undefined) return this.#running
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#closing !== undefined || this.#isIdle) return Promise.resolve()
    const look = this.#next()
    if (look !== undefined) return this.#running = this.#cycle(look)
    this.#arm()
    return Promise.resolve()
  }

  /** Makes the next look. Pending states and updates come first: a look must not bring the table back to the state before them. */
  #next(): Look | undefined {
    const { state } = this.#pending
    if (state !== undefined) return { desired: state.desired, generation: state.generation, state }
    if (!this.#pending.isEmpty) {
      const all = this.#pending.updates
      const wanted = this.#oneByOne ? all.slice(0, 1) : [...all]
      const changes = merged(wanted.map((update) => update.changes))
      return { desired: stateOf(changes), generation: wanted.at(-1)!.generation, updates: { wanted, changes } }
    }
    const generation = this.#keptGeneration
    const now = performance.now()
    if (this.#due.whole <= now) return { desired: this.#kept!.state, generation }
    // A timer can be early by a fraction.
    if (this.#due.some > now) return undefined
    const only = new Map([...this.#changed, ...this.#draining.keys()])
    return { desired: this.#kept!.about(only), generation }
  }

  /** Carries out a look at the table, and what follows from it. Never rejects. */
  async #cycle(look: Look): Promise<void> {
    await this.#look(look)
    this.#running = undefined
    this.#seen = Math.max(this.#seen, look.generation)
    this.#looked()
    this.#arm()
  }

  async #look(look: Look): Promise<void> {
    const { desired, generation } = look
    if (this.#stop.signal.aborted) this.#stop = new AbortController()
    const { signal } = this.#stop
    const work = new Work(this.#handle, desired, { ...this.#settings, signal })
    const since = performance.now()
    this.#underWay = { look, work }
    try {
      const result = await work.once((service, destination) => this.#draining.age(service, destination) >= this.#patience)
      this.#broken = false
      if (look.updates !== undefined) this.#kept!.change(look.updates.changes)
      this.#report(result, look)
      if (look.state !== undefined) this.#kept = await KeptState.of(desired)
      if ((look.state ?? look.updates) !== undefined) {
        this.#keptGeneration = generation
        this.#pending.removeUntil(generation)
      }
      this.#duePending()
    } catch (error) {
      if (signal.aborted && this.#closing === undefined) this.#again(since)
      else if (isMistake(error) && (look.state ?? look.updates) !== undefined) this.#refuse(look, error)
      else this.#break(work, error, generation)
    } finally {
      this.#underWay = undefined
    }
  }

  /**
   * Sets the time at which a look that was put off begins anew. A look that somebody waits for begins as soon as the updates are in force.
   */
  #again(since: number): void {
    if (this.#due.whole === -Infinity) return
    const now = performance.now()
    // At most a tenth of the time goes into looks that are put off.
    this.#due.whole = now + 9 * (now - since)
  }

  /** How long a destination may drain, in milliseconds. */
  get #patience(): number {
    return (this.#settings.drain?.timeout ?? Infinity) * 1000
  }

  /** Sets the time of the next attempt after an error that says nothing about the state. */
  #break(work: Work, error: unknown, generation: number): void {
    const retryIn = this.#retryIn()
    this.#broken = true
    const again = performance.now() + retryIn * 1000
    if (this.#pending.isEmpty) this.#due.whole = again
    else {
      this.#due.pending = again
      // Pending states and updates come first, whatever else is due.
      this.#due.whole = Math.max(this.#due.whole, again)
    }
    this.#due.some = Infinity
    // Emits what was done before an error or `close` ended the work.
    const result = work.result()
    if (result.done + result.refused.length + result.unknown.length > 0) this.#tell('applied', { ...result, generation })
    if (this.#closing === undefined) this.#tell('failed', { error, generation, retryIn })
  }

  /** Drops a state or an update with a mistake. */
  #refuse({ state, updates }: Look, error: unknown): void {
    if (updates !== undefined && updates.wanted.length > 1) this.#oneByOne = true
    else this.#drop(state ?? updates!.wanted[0], error)
    if (this.#kept === undefined && this.#pending.state === undefined)
      for (const update of this.#pending.clear()) this.#drop(update, withoutState())
    this.#duePending()
  }

  #drop(wanted: Wanted, error: unknown): void {
    this.#pending.remove(wanted)
    this.#unanswered = this.#unanswered.filter((other) => other !== wanted)
    wanted.reject(error)
    this.#fail(error, wanted.generation)
  }

  /** Sets the time at which the rest of what is pending is looked at. */
  #duePending(): void {
    if (this.#pending.isEmpty) this.#oneByOne = false
    if (this.#pending.isEmpty) this.#due.pending = Infinity
    else this.#due.pending = this.#pending.state === undefined ? -Infinity : performance.now() + this.#pace.coalesce * 1000
  }

  /** Settles the promises of states and updates that are in force. A state also settles those of all that it has superseded. */
  #answer({ generation, desired, updates }: Look, refused: ApplyResult['refused']): void {
    const first = updates !== undefined ? updates.wanted[0].generation : desired.only === undefined ? 0 : Infinity
    const open: Wanted[] = []
    for (const wanted of this.#unanswered) {
      if (wanted.generation >= first && wanted.generation <= generation) wanted.resolve({ generation, refused })
      else open.push(wanted)
    }
    this.#unanswered = open
  }

  /** Emits the outcome of a look, and sets the times of the next ones. */
  #report(result: ApplyResult, look: Look): void {
    const { plan, rollback } = result
    const { generation, desired: { only } } = look
    const operations = plan.operations.length
    this.#draining.note(plan.draining ?? [], only, rollback === undefined)
    if (operations > 0) this.#tell('applied', { ...result, generation })
    const complete = result.done === operations
    if (complete || result.refused.length > 0) this.#answer(look, result.refused)
    const { interval, coalesce } = this.#pace
    const now = performance.now()
    if (only === undefined) {
      this.#putOffSince = undefined
      this.#isWhole = complete
      this.#changed.clear()
    } else {
      for (const id of only.keys()) this.#changed.delete(id)
      for (const operation of plan.operations) if ('service' in operation && operation.service !== undefined) {
        const key = keyOf(operation.service)
        this.#changed.set(serviceId(key), key)
      }
    }
    if (complete) {
      if (this.#isWhole) this.#failures = 0
      if (only === undefined) this.#due.whole = now + this.#varied(operations > 0 ? Math.min(interval, coalesce) : interval)
    } else {
      this.#isWhole = false
      const retryIn = this.#retryIn()
      const again = now + retryIn * 1000
      this.#due.whole = only === undefined ? again : Math.min(this.#due.whole, again)
      this.#tell('failed', { result, generation, retryIn })
    }
    const some = this.#changed.size > 0 ? now + this.#varied(Math.min(interval, coalesce))
      : this.#draining.isEmpty ? Infinity : now + this.#varied(Math.min(interval, this.#settings.drain!.interval))
    // A steady stream of updates must not postpone this forever.
    this.#due.some = look.updates === undefined ? some : Math.min(this.#due.some, some)
    if (complete && operations === 0 && this.#isWhole && this.#draining.isEmpty && this.#changed.size === 0)
      this.#tell('converged', { generation })
  }

  /** Converts seconds to milliseconds, with a random difference each time. */
  #varied(seconds: number): number {
    return Math.min(LONGEST, seconds * (1 + this.#pace.jitter * (2 * Math.random() - 1))) * 1000
  }

  #retryIn(): number {
    const { min, max, jitter } = this.#pace
    return Math.min(max, min * 2 ** this.#failures++) * (1 - jitter * Math.random())
  }

  /**
   * Ends the loop. What is being sent is finished, nothing more is begun, and destinations that drain stay at weight 0. Can be called
   * again.
   */
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
export const reconcile = (handle: TableHandle, desired?: Desired | AsyncIterable<Desired>, options?: ReconcileOptions): Reconciler =>
  new Reconciler(handle, desired, options)
