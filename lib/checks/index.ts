/**
 * Health checks: one check of one target, or thousands of them again and again in a thread of their own.
 */

export type { Outcome, WeightWord } from './answer.js'
export { check, type CheckAnswer } from './check.js'
export { Checker, type CheckerOptions } from './checker.js'
export type {
  CheckedDestination, CheckerStatus, CheckFailure, CheckStatus, CheckTrouble, CheckUpdate, DestinationStatus, HealthChange,
} from './protocol.js'
export type { Target } from './prepare.js'
