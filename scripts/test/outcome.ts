/** How a stage went: numbers of tests, and what to tell about it. */
export interface Outcome {
  passed: number
  failed: number
  skipped: number
  /** The names of what failed. */
  failures: string[]
  /** Why tests were skipped, or what went wrong outside of a test. */
  note?: string
}

/** Names of failures stand for themselves: there are as many failed tests, unless a number says that there are more. */
export function outcome(passed: number, failures: string[], skipped = 0, note?: string, failed = failures.length): Outcome {
  return { passed, failed, skipped, failures, ...note === undefined || note === '' ? {} : { note } }
}

/** All outcomes as one. */
export const total = (outcomes: Outcome[]): Outcome => {
  const sum = (property: 'passed' | 'failed' | 'skipped'): number => outcomes.reduce((sum, one) => sum + one[property], 0)
  const notes = outcomes.flatMap(({ note }) => note === undefined ? [] : [note])
  return outcome(sum('passed'), outcomes.flatMap(({ failures }) => failures), sum('skipped'), notes.join('\n'), sum('failed'))
}

/** '12 passed, 0 failed, 1 skipped' */
export const inWords = ({ passed, failed, skipped }: Outcome): string => `${passed} passed, ${failed} failed, ${skipped} skipped`

/** Whether there is something to be proud of: a run without tests is none. */
export const good = ({ passed, failed }: Outcome): boolean => failed === 0 && passed > 0

/** The end of a run: a line for each part, the names of all that failed, and the sum alone on the last line. */
export function summary(parts: { name: string, outcome: Outcome, seconds: number }[]): string {
  const width = Math.max(...parts.map(({ name }) => name.length))
  const lines = parts.map(({ name, outcome, seconds }) =>
    `${name.padEnd(width)} ${inWords(outcome)} (${seconds.toFixed(0)} s)${outcome.failed === 0 && outcome.note !== undefined ? ` ${outcome.note}` : ''}`)
  const failures = parts.flatMap(({ name, outcome }) => outcome.failures.map(failure => `  ${name}: ${failure}`))
  return [...lines, '', ...failures.length > 0 ? ['failed:', ...failures, ''] : [], inWords(total(parts.map(({ outcome }) => outcome)))].join('\n')
}
