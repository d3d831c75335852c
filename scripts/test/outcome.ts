/** How a stage went: numbers of tests, and what to tell about it. */
export interface Outcome {
  passed: number
  failed: number
  skipped: number
  /** Why tests were skipped, or what went wrong outside of a test. */
  note?: string
}

export const outcome = (passed: number, failed: number, skipped = 0, note?: string): Outcome => ({ passed, failed, skipped, ...note === undefined ? {} : { note } })

/** All outcomes as one. */
export const total = (outcomes: Outcome[]): Outcome => outcomes.reduce(
  (sum, one) => ({ passed: sum.passed + one.passed, failed: sum.failed + one.failed, skipped: sum.skipped + one.skipped }),
  outcome(0, 0),
)

/** '12 passed, 0 failed, 1 skipped' */
export const inWords = ({ passed, failed, skipped }: Outcome): string => `${passed} passed, ${failed} failed, ${skipped} skipped`

/** Whether there is something to be proud of: a run without tests is none. */
export const good = ({ passed, failed }: Outcome): boolean => failed === 0 && passed > 0
