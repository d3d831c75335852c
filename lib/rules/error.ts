/** A mistake in a rule: what is wrong, where, and what was expected instead. */
export class RulesError extends Error {
  readonly code = 'ERR_IPVS_RULES'
  /** What is wrong, without the place. */
  readonly problem: string
  /** What was expected in its place. */
  readonly expected: string
  /** Line in the text, from 1. */
  readonly line: number
  /** Column in that line, from 1, counted in UTF-16 units as editors do. */
  readonly column: number
  /** ipvsadm's exit status for such a mistake: 255 if it does not understand its command line, 2 for a bad value. */
  readonly exitStatus: 2 | 255
  /** All mistakes in the text, this one first, in the order of the lines. Not enumerable. */
  declare readonly errors: readonly RulesError[]

  constructor(problem: string, expected: string, line: number, column: number, exitStatus: 2 | 255 = 2) {
    super(`line ${line}, column ${column}: ${problem}; expected ${expected}`)
    this.name = 'RulesError'
    this.problem = problem
    this.expected = expected
    this.line = line
    this.column = column
    this.exitStatus = exitStatus
    setErrors(this, [this])
  }
}

/** Sets the `errors` of the first of several mistakes to all of them, and returns it. */
export function firstOf(errors: readonly RulesError[]): RulesError {
  setErrors(errors[0], errors)
  return errors[0]
}

function setErrors(error: RulesError, errors: readonly RulesError[]): void {
  Object.defineProperty(error, 'errors', { value: errors, enumerable: false, configurable: true })
}
