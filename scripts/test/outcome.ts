/** The result of a stage: numbers of tests, and notes. */
export interface Outcome {
  passed: number
  failed: number
  skipped: number
  /** The names of failed tests. */
  failures: string[]
  /** Why tests were skipped, or errors outside of a test. */
  note?: string
}

/** Makes an outcome. The number of failures is that of their names, unless a larger number is given. */
export function outcome(passed: number, failures: string[], skipped = 0, note?: string, failed = failures.length): Outcome {
  return { passed, failed, skipped, failures, ...note === undefined || note === '' ? {} : { note } }
}

/** Adds outcomes up. */
export const total = (outcomes: Outcome[]): Outcome => {
  const sum = (property: 'passed' | 'failed' | 'skipped'): number => outcomes.reduce((sum, one) => sum + one[property], 0)
  const notes = outcomes.flatMap(({ note }) => note === undefined ? [] : [note])
  return outcome(sum('passed'), outcomes.flatMap(({ failures }) => failures), sum('skipped'), notes.join('\n'), sum('failed'))
}

/** '12 passed, 0 failed, 1 skipped' */
export const inWords = ({ passed, failed, skipped }: Outcome): string => `${passed} passed, ${failed} failed, ${skipped} skipped`

/** Whether a run succeeded. A run without tests did not. */
export const good = ({ passed, failed }: Outcome): boolean => failed === 0 && passed > 0

/** The summary of a run: a line for each part, the names of all failed tests, and the total alone on the last line. */
export function summary(parts: { name: string, outcome: Outcome, seconds: number }[]): string {
  const width = Math.max(...parts.map(({ name }) => name.length))
  const lines = parts.map(({ name, outcome, seconds }) =>
    `${name.padEnd(width)} ${inWords(outcome)} (${seconds.toFixed(0)} s)${outcome.failed === 0 && outcome.note !== undefined ? ` ${outcome.note}` : ''}`)
  const failures = parts.flatMap(({ name, outcome }) => outcome.failures.map(failure => `  ${name}: ${failure}`))
  return [
    ...lines, '', ...failures.length > 0 ? ['failed:', ...failures, ''] : [], inWords(total(parts.map(({ outcome }) => outcome))),
  ].join('\n')
}
