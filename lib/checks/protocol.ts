import type { Check } from '../configuration/types.js'
import type { Outcome } from './answer.js'
import type { CheckAnswer } from './check.js'
import type { EngineCounts } from './engine.js'
import type { Target } from './prepare.js'
import type { Health } from './state.js'

/** A destination whose checks are to run. */
export interface CheckedDestination extends Target {
  /** Its name in all reports. */
  id: string
  /** The weight that is configured. Checks that speak of the weight change it. */
  weight: number
  /** All of them must be good. Without any it is up. */
  checks: Check[]
  /**
   * What was known last: 'up' and 'down' hold until enough answers in a row say otherwise. 'new' (the default) is up until the first
   * answer, or down with `startDown`. It counts only the first time a destination is named: later on, its checks know better.
   */
  initially?: Health | 'new'
  /** A new destination is down until it was good. False by default; a check's own `startDown` counts before it. */
  startDown?: boolean
}

/** Which destinations are checked from now on, by difference. */
export interface CheckUpdate {
  /** New and changed destinations. Unchanged checks continue. */
  set?: readonly CheckedDestination[]
  /** Those that are checked no longer. */
  removed?: readonly string[]
}

/** A destination's state differs from the last report. */
export interface HealthChange {
  id: string
  up: boolean
  /** The weight that it should have while it is up. */
  weight: number
  /** Whether `up` changed; otherwise it is the weight alone. */
  isTransition: boolean
  /** When, in milliseconds as of `Date.now()`. */
  at: number
  /** The check whose answer decided: 'GET /service.txt'. Missing where a new configuration did. */
  check?: string
  /** What it found: 'GET /service.txt answered 503'. */
  words?: string
  /** After how many answers in a row. */
  answers?: number
  /** Seconds that the last good answer of that check took. */
  lastGood?: number
}

/** A check cannot be tried, or can be tried again. Each is reported once and changes no state. */
export interface CheckTrouble {
  /** Whom it concerns. */
  ids: string[]
  check: string
  /** Why not; missing when the trouble is over. */
  words?: string
}

/** A bad answer to a check with `logEachFailure`. */
export interface CheckFailure {
  id: string
  check: string
  words: string
  /** In milliseconds as of `Date.now()`. */
  at: number
}

/** What happened since the last message. */
export interface News {
  changes: HealthChange[]
  troubles: CheckTrouble[]
  failures: CheckFailure[]
}

/** The state of one check of a destination. */
export interface CheckStatus {
  check: string
  /** 'undecided' before there were enough answers in a row. */
  health: Health | 'undecided'
  /** Since when, in milliseconds as of `Date.now()`; missing while it is undecided. */
  since?: number
  /** What the last answer was, and how many of its kind came in a row. */
  last?: { outcome: Exclude<Outcome, 'untried'>, words: string, at: number, row: number }
  /** Seconds that the last good answer took. */
  lastGood?: number
  /** Seconds that the last answer took, good or bad. */
  duration?: number
  /** Answers since the check began, whichever destinations have it; 'untried' counts attempts without an answer. */
  counts: Record<Outcome, number>
  /** Why it cannot be tried at present. */
  trouble?: string
}

/** The state of a destination. */
export interface DestinationStatus {
  id: string
  up: boolean
  weight: number
  /** Since when it is up or down, in milliseconds as of `Date.now()`. */
  since: number
  checks: CheckStatus[]
}

/** The state of everything. */
export interface CheckerStatus {
  destinations: DestinationStatus[]
  counts: EngineCounts & {
    /** Checks that run: the same one of several destinations is one. */
    checks: number
  }
}

/** Messages to the checker's thread. */
export type ToWorker =
  | { type: 'update', number: number } & CheckUpdate
  | { type: 'status', number: number, ids?: readonly string[] }
  | { type: 'check', number: number, target: Target, check: Check }
  | { type: 'close' }

/** What it reports. Reports have the number of the update that was in force. */
export type FromWorker =
  | { type: 'ready' }
  | { type: 'refused', message: string, code?: string, errno?: number }
  | { type: 'news', update: number } & News
  | { type: 'answer', number: number, answer: CheckerStatus | CheckAnswer }

/** What it is started with. */
export interface WorkerOptions {
  /** Descriptor of the network namespace to check from. */
  netns?: number
  /** Name that one checker of a network namespace can have at a time. */
  onlyOne?: string
  /** Sockets open at once, at most. */
  sockets: number
  /** Programs running at once, at most. */
  programs: number
}
