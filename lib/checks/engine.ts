import type { Answer } from './answer.js'
import type { Attempt, Resource } from './attempt.js'
import { RunningClock } from './clock.js'
import { DueQueue } from './due-queue.js'
import { Run } from './run.js'

/** Milliseconds between two looks at the deadlines of what is under way. */
const LOOK = 25
/** How long a start may be delayed, in milliseconds, so that checks due close together start together. */
const GATHER = 5

/** The shortest pause between two attempts of a check, in milliseconds, whatever its interval is. */
const BREATH = 10

/** How many attempts are under way at once, at most. */
export type Limits = Record<Resource, number>

/** Numbers since the engine began. */
export interface EngineCounts {
  good: number
  bad: number
  untried: number
  /** Attempts under way. */
  underWay: number
  /** Checks that are due and wait for a free place. */
  waiting: number
  /** Milliseconds that the event loop was late in all. */
  late: number
}

/** What follows from an answer. */
export type Heard = (run: Run, answer: Answer, changed: boolean) => void

/**
 * Decides when each check runs, and ends attempts whose time is over: with one timer for all of them, because there are thousands.
 *
 * Times are those of a clock that stops while the event loop is late. Otherwise a busy checker would take healthy servers for dead.
 */
export class Engine {
  readonly #clock: RunningClock
  readonly #due = new DueQueue<Run>()
  readonly #waiting: Record<Resource, Run[]> = { socket: [], program: [] }
  readonly #free: Limits
  readonly #underWay = new Set<Attempt>()
  readonly #heard: Heard
  readonly #counts = { good: 0, bad: 0, untried: 0 }
  #timer: NodeJS.Timeout | undefined
  /** When the timer fires, in milliseconds of performance.now(). */
  #wake = Infinity
  #looking = false
  #spread = 0
  #closed = false

  constructor(limits: Limits, heard: Heard, clock = new RunningClock()) {
    this.#free = { ...limits }
    this.#heard = heard
    this.#clock = clock
  }

  counts(): EngineCounts {
    const waiting = this.#waiting.socket.length + this.#waiting.program.length
    return { ...this.#counts, underWay: this.#underWay.size, waiting, late: Math.round(this.#clock.lost) }
  }

  /** Adds a check. First runs are spread over the warm-up as evenly as possible. */
  add(run: Run): void {
    // Multiples of the golden ratio fill an interval evenly, whatever their number.
    this.#spread = (this.#spread + 0.618_033_988_749_894_9) % 1
    run.due = this.#clock.now() + run.pace.warmup * this.#spread
    run.unwatch = run.probe.watch?.(() => this.#soon(run))
    this.#due.add(run)
    this.#arm()
  }

  /** Adds a check that begins at once. */
  ask(run: Run): void {
    run.due = this.#clock.now()
    this.#due.add(run)
    this.#arm()
  }

  /** Removes a check and ends its attempt. */
  remove(run: Run): void {
    run.ended = true
    run.unwatch?.()
    this.#due.remove(run)
    const { attempt } = run
    if (attempt === undefined) return
    run.attempt = undefined
    attempt.stop()
    this.#leave(run, attempt)
  }

  /** Ends everything. */
  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    for (const attempt of this.#underWay) attempt.stop()
    this.#underWay.clear()
  }

  /** Runs a check now, or again when the current attempt ends. */
  #soon(run: Run): void {
    if (this.#closed || run.ended || run.waits) return
    if (run.attempt !== undefined) run.again = true
    else {
      this.#due.remove(run)
      run.due = this.#clock.now()
      this.#due.add(run)
      this.#arm()
    }
  }

  #arm(): void {
    if (this.#closed) return
    const first = this.#due.first()
    let delay = this.#underWay.size > 0 ? LOOK : Infinity
    if (first !== undefined) delay = Math.min(delay, Math.max(GATHER, first.due - this.#clock.now()))
    if (delay === Infinity) return
    delay = Math.min(Math.ceil(delay), 2_000_000_000)
    const wake = performance.now() + delay
    if (this.#timer !== undefined && this.#wake <= wake + 1) return
    clearTimeout(this.#timer)
    this.#wake = wake
    this.#clock.expect(delay)
    this.#timer = setTimeout(this.#tick, delay)
  }

  readonly #tick = (): void => {
    this.#timer = undefined
    this.#clock.arrive()
    this.#startDue()
    this.#lookAtDeadlines()
    this.#arm()
  }

  #startDue(): void {
    const now = this.#clock.now()
    for (let run; (run = this.#due.first()) !== undefined && run.due <= now + GATHER;) {
      this.#due.remove(run)
      if (this.#free[run.probe.uses] > 0) this.#start(run)
      else {
        run.waits = true
        this.#waiting[run.probe.uses].push(run)
      }
    }
  }

  #start(run: Run): void {
    this.#free[run.probe.uses]--
    run.waits = false
    const attempt = run.probe.start(this.#clock, run)
    if (attempt.over) {
      // The attempt answered at once.
      this.#free[run.probe.uses]++
      return
    }
    run.attempt = attempt
    this.#underWay.add(attempt)
  }

  /** What a run calls with each answer. */
  readonly answered = (run: Run, answer: Answer, changed: boolean, attempt: Attempt): void => {
    this.#counts[answer.outcome]++
    this.#heard(run, answer, changed)
    if (!run.ended) {
      run.due = this.#clock.now() + Math.max(run.again ? 0 : run.pause(), BREATH)
      run.again = false
      this.#due.add(run)
    }
    if (this.#underWay.has(attempt)) this.#leave(run, attempt)
    // A run that is not due first has another one before it, and a timer is set for that. Reading the clock would cost more than this look.
    if (this.#timer === undefined || this.#due.first() === run) this.#arm()
  }

  /** An attempt has ended: another takes its place. */
  #leave(run: Run, attempt: Attempt): void {
    this.#underWay.delete(attempt)
    const { uses } = run.probe
    this.#free[uses]++
    const waiting = this.#waiting[uses]
    while (waiting.length > 0 && this.#free[uses] > 0) {
      const next = waiting.shift()!
      if (!next.ended) this.#start(next)
    }
  }

  #lookAtDeadlines(): void {
    if (this.#looking || this.#underWay.size === 0) return
    const now = this.#clock.now()
    for (const attempt of this.#underWay) {
      if (attempt.started + attempt.timeout > now) continue
      // Sockets are read first: the answer may be waiting there.
      this.#looking = true
      setImmediate(this.#endLate)
      return
    }
  }

  readonly #endLate = (): void => {
    this.#looking = false
    if (this.#closed) return
    const now = this.#clock.now()
    for (const attempt of [...this.#underWay]) if (!attempt.over && attempt.started + attempt.timeout <= now) attempt.expire()
  }
}
