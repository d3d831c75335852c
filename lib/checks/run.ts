import type { Answer, Outcome, WeightWord } from './answer.js'
import type { Attempt, Asker, Probe } from './attempt.js'
import type { Due } from './due-queue.js'
import { Verdict, type Thresholds } from './state.js'

/** When a check runs. All in milliseconds. */
export interface Pace extends Thresholds {
  /** From the end of a check to the start of the next. */
  interval: number
  /** From the end of a check with a bad answer to the next, while the target is not down yet. */
  retryInterval: number
  /** Over which the first checks are spread. */
  warmup: number
}

/** Receives each answer. */
export interface RunEvents {
  answered(run: Run, answer: Answer, changed: boolean, attempt: Attempt): void
}

const NOBODY: readonly string[] = []

/**
 * One check of one target, repeated, shared by all destinations that have it. It keeps the results; the {@link Engine} decides when it
 * runs.
 */
export class Run implements Asker, Due {
  due = 0
  place = -1
  attempt: Attempt | undefined
  /** Whether it waits for a free socket. */
  waits = false
  /** Whether it was removed while it waited. */
  ended = false
  /** Ends the watch for changed answers. */
  unwatch: (() => void) | undefined
  /** Whether the answer may have changed while the check was running. */
  again = false
  readonly verdict = new Verdict()
  /** Mostly one: a set of one takes several times the memory of an array of one. */
  #watchers: readonly string[] | Set<string> = NOBODY
  /** When `verdict.health` became what it is, as of Date.now(). */
  since = 0
  /** What was answered last, good or bad; `undefined` before the first answer. */
  words: string | undefined
  /** When that was, as of Date.now(). */
  lastAt = 0
  /** Milliseconds that the last good answer took; -1 before there was one. */
  lastGood = -1
  /** Milliseconds that the last answer took, good or bad; -1 before there was one. */
  lastTook = -1
  /** Answers so far. */
  readonly counts: Record<Outcome, number> = { good: 0, bad: 0, untried: 0 }
  /** Why it could not be tried the last time; `undefined` where it could. */
  trouble: string | undefined
  /** What the last good answer says about the weight. */
  weight: WeightWord | undefined

  constructor(readonly id: string, readonly probe: Probe, readonly pace: Pace, private readonly events: RunEvents) {}

  answered(answer: Answer, attempt: Attempt): void {
    this.attempt = undefined
    let changed = false
    this.counts[answer.outcome]++
    if (answer.outcome !== 'untried') {
      const isGood = answer.outcome === 'good'
      changed = this.verdict.record(isGood, this.pace)
      this.lastAt = Date.now()
      this.words = answer.words
      this.lastTook = attempt.took
      if (changed) this.since = this.lastAt
      if (isGood) {
        this.lastGood = this.lastTook
        this.weight = answer.weight
      }
    }
    this.events.answered(this, answer, changed, attempt)
  }

  /** Ids of the destinations that have this check. */
  get watchers(): Iterable<string> {
    return this.#watchers
  }

  get isWatched(): boolean {
    const watchers = this.#watchers
    return (watchers instanceof Set ? watchers.size : watchers.length) > 0
  }

  addWatcher(id: string): void {
    const watchers = this.#watchers
    if (watchers instanceof Set) watchers.add(id)
    else this.#watchers = watchers.length === 0 ? [id] : new Set([...watchers, id])
  }

  removeWatcher(id: string): void {
    const watchers = this.#watchers
    if (watchers instanceof Set) watchers.delete(id)
    else if (watchers[0] === id) this.#watchers = NOBODY
  }

  /** Milliseconds from now to the next check. */
  pause(): number {
    const { verdict, pace } = this
    return verdict.last === false && verdict.health !== 'down' ? pace.retryInterval : pace.interval
  }
}
