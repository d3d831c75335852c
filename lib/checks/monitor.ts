import type { Check } from '../configuration/types.js'
import type { Answer } from './answer.js'
import { RunningClock } from './clock.js'
import { Engine, type Limits } from './engine.js'
import { identity, paceOf, prepare } from './prepare.js'
import type { CheckedDestination, CheckerStatus, CheckStatus, CheckUpdate, DestinationStatus, News } from './protocol.js'
import { Run } from './run.js'
import { Watched, type Initially, type Slot } from './watched.js'

const seconds = (milliseconds: number): number => milliseconds / 1_000

/**
 * Knows which destination has which checks. A check that several destinations share runs once. A destination is up when all of its checks
 * are.
 */
export class Monitor {
  readonly #engine: Engine
  readonly #runs = new Map<string, Run>()
  readonly #destinations = new Map<string, Watched>()
  readonly #tell: (news: News) => void
  #news: News = { changes: [], troubles: [], failures: [] }
  #isTelling = false

  /** @param tell Called with what has changed, at most once in a turn of the event loop. */
  constructor(limits: Limits, tell: (news: News) => void, clock = new RunningClock()) {
    this.#tell = tell
    this.#engine = new Engine(limits, this.#heard, clock)
  }

  /** Takes a new configuration. Checks that are the same go on as they are, and keep what they know. */
  update({ set = [], removed = [] }: CheckUpdate): void {
    // What has not been reported yet is about the previous configuration.
    this.#flush()
    const released: Slot[] = []
    for (const id of removed) {
      const watched = this.#destinations.get(id)
      if (watched === undefined) continue
      this.#destinations.delete(id)
      for (const slot of watched.slots) slot.run.removeWatcher(id)
      released.push(...watched.slots)
    }
    for (const destination of set) released.push(...this.#set(destination))
    // Checks are removed last: another destination may have taken over what one gave up.
    for (const { run } of released) if (!run.isWatched && this.#runs.delete(run.id)) this.#engine.remove(run)
  }

  /** Returns the checks that it had before. */
  #set(destination: CheckedDestination): Slot[] {
    const { id, weight, checks } = destination
    const known = this.#destinations.get(id)
    const watched = known ?? new Watched(id, weight)
    watched.configuredWeight = weight
    const before = watched.slots
    for (const { run } of before) run.removeWatcher(id)
    watched.slots = checks.map((check) => {
      const run = this.#runFor(destination, check)
      const initially =
        known === undefined
          ? firstThought(destination, check)
          : (before.find((slot) => slot.run === run)?.initially ?? (known.up ? 'up' : 'down'))
      return { run, initially, tellsAll: check.type !== 'file' && check.logEachFailure === true }
    })
    for (const { run } of watched.slots) run.addWatcher(id)
    if (known === undefined) {
      this.#destinations.set(id, watched)
      watched.up = watched.slots.every(({ initially }) => initially !== 'down')
    }
    this.#evaluate(watched)
    return before
  }

  #runFor(destination: CheckedDestination, check: Check): Run {
    const id = identity(destination, check)
    let run = this.#runs.get(id)
    if (run === undefined) {
      run = new Run(id, prepare(destination, check), paceOf(check), this.#engine)
      this.#runs.set(id, run)
      this.#engine.add(run)
    }
    return run
  }

  readonly #heard = (run: Run, answer: Answer): void => {
    if (answer.outcome === 'untried') this.#troubled(run, answer.words)
    else {
      if (run.trouble !== undefined) this.#troubled(run, undefined)
      for (const id of run.watchers) {
        const watched = this.#destinations.get(id)!
        watched.heard(run)
        const isTold = this.#evaluate(watched, run)
        if (!isTold && answer.outcome === 'bad' && watched.slots.some((slot) => slot.run === run && slot.tellsAll)) {
          this.#news.failures.push({ id, check: run.probe.what, words: answer.words, at: run.lastAt })
          this.#soon()
        }
      }
    }
  }

  /** Reports once that it cannot be tried, and once that it can be tried again. */
  #troubled(run: Run, words: string | undefined): void {
    const isNew = (run.trouble === undefined) !== (words === undefined)
    run.trouble = words
    if (!isNew) return
    const trouble = { ids: [...run.watchers], check: run.probe.what }
    this.#news.troubles.push(words === undefined ? trouble : { ...trouble, words })
    this.#soon()
  }

  /** Reports a destination whose state differs from the last report. */
  #evaluate(watched: Watched, by?: Run): boolean {
    const down = watched.firstDown()
    const up = down === undefined
    const weight = watched.weightNow()
    const isTransition = up !== watched.up
    if (!isTransition && weight === watched.weight) return false
    const at = by?.lastAt ?? Date.now()
    watched.up = up
    watched.weight = weight
    if (isTransition) watched.since = at
    const decided = by ?? down
    this.#news.changes.push({
      id: watched.id,
      up,
      weight,
      isTransition,
      at,
      ...(decided?.words === undefined ? {} : { check: decided.probe.what, words: decided.words, answers: decided.verdict.row }),
      ...(decided === undefined || decided.lastGood < 0 ? {} : { lastGood: seconds(decided.lastGood) }),
    })
    this.#soon()
    return true
  }

  /** Everything of one turn of the event loop is reported together. */
  #soon(): void {
    if (this.#isTelling) return
    this.#isTelling = true
    setImmediate(this.#flush)
  }

  readonly #flush = (): void => {
    if (!this.#isTelling) return
    this.#isTelling = false
    const news = this.#news
    this.#news = { changes: [], troubles: [], failures: [] }
    this.#tell(news)
  }

  /** The state of all destinations, or of those with these names. */
  status(ids?: readonly string[]): CheckerStatus {
    const chosen = ids === undefined ? [...this.#destinations.values()] : ids.flatMap((id) => this.#destinations.get(id) ?? [])
    return { destinations: chosen.map(destinationStatus), counts: { ...this.#engine.counts(), checks: this.#runs.size } }
  }

  /** Ends all checks. */
  close(): void {
    for (const run of this.#runs.values()) this.#engine.remove(run)
    this.#runs.clear()
    this.#destinations.clear()
    this.#engine.close()
  }
}

/** What is assumed of a new destination. */
function firstThought({ initially = 'new', startDown = false }: CheckedDestination, check: Check): Initially {
  if (initially !== 'new') return initially
  return check.startDown ?? startDown ? 'down' : 'assumed'
}

function checkStatus({ run }: Slot): CheckStatus {
  const { verdict } = run
  return {
    check: run.probe.what,
    health: verdict.health ?? 'undecided',
    ...(verdict.health === undefined ? {} : { since: run.since }),
    ...(run.words === undefined
      ? {}
      : { last: { outcome: verdict.last === true ? 'good' : 'bad', words: run.words, at: run.lastAt, row: verdict.row } }),
    ...(run.lastGood < 0 ? {} : { lastGood: seconds(run.lastGood) }),
    ...(run.lastTook < 0 ? {} : { duration: seconds(run.lastTook) }),
    counts: { ...run.counts },
    ...(run.trouble === undefined ? {} : { trouble: run.trouble }),
  }
}

const destinationStatus = ({ id, up, weight, since, slots }: Watched): DestinationStatus => ({
  id,
  up,
  weight,
  since,
  checks: slots.map(checkStatus),
})
