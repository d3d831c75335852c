/** What is wrong with a rule, where, and what was expected instead. */
export class RulesError extends Error {
  readonly code = 'ERR_IPVS_RULES'
  /** What is wrong, without the place. */
  readonly problem: string
  /** What was expected in its place. */
  readonly expected: string
  /** Line of the text, from 1. */
  readonly line: number
  /** Column in that line, from 1, counted in UTF-16 units as editors do. */
  readonly column: number
  /** Exit status that ipvsadm ends with at such a mistake: 255 where it does not understand its command line, 2 for a bad value. */
  readonly exitStatus: 2 | 255
  /** All that is wrong with the text, this first mistake included, in the order of its lines. Not enumerable. */
  declare readonly errors: readonly RulesError[]

  constructor(problem: string, expected: string, line: number, column: number, exitStatus: 2 | 255 = 2) {
    super(`line ${line}, column ${column}: ${problem}; expected ${expected}`)
    this.name = 'RulesError'
    this.problem = problem
    this.expected = expected
    this.line = line
    this.column = column
    this.exitStatus = exitStatus
    tellAll(this, [this])
  }
}

/** Makes the first of several mistakes carry them all. */
export function firstOf(errors: readonly RulesError[]): RulesError {
  tellAll(errors[0], errors)
  return errors[0]
}

function tellAll(error: RulesError, errors: readonly RulesError[]): void {
  Object.defineProperty(error, 'errors', { value: errors, enumerable: false, configurable: true })
}
