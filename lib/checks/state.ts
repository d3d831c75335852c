/** How many answers it takes to change a verdict. */
export interface Thresholds {
  /** Bad answers in a row until up becomes down. */
  failures: number
  /** Good answers in a row until down becomes up. */
  successes: number
}

export type Health = 'up' | 'down'

/**
 * What a row of answers says of a target.
 *
 * It is undecided until enough answers of one kind have come in a row; until then the caller decides. A question that could not be asked is
 * no answer: it neither counts nor interrupts a row.
 */
export class Verdict {
  health: Health | undefined
  /** Answers in a row of the kind that came last. */
  row = 0
  /** Whether the last answer was good; `undefined` before the first. */
  last: boolean | undefined

  /** Takes an answer. Returns whether `health` changed. */
  record(isGood: boolean, { failures, successes }: Thresholds): boolean {
    this.row = this.last === isGood ? this.row + 1 : 1
    this.last = isGood
    const health = isGood ? 'up' : 'down'
    if (this.health === health || this.row < (isGood ? successes : failures)) return false
    this.health = health
    return true
  }
}
