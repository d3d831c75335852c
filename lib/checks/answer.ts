/** What a check can find. */
export type Outcome = 'good' | 'bad' | 'untried'

/**
 * What one check of one target found.
 *
 * - `'good'`: the target does what was asked of it.
 * - `'bad'`: it does not.
 * - `'untried'`: nothing can be said, because the question could not even be asked: there is no descriptor left, no local address, no
 * route, no permission.
 *   It is never a reason to take a server for dead.
 */
export interface Answer {
  outcome: Outcome
  /** What was found, in words that go on from the name of the check: 'GET /service.txt answered 503'. */
  words: string
  /** For how the weight follows from the check, where the check says something about it. Only of good answers. */
  weight?: WeightWord
}

/** What a good answer says about the weight of the destination: 'set' to this number, or 'add' it to the weight that is configured. */
export interface WeightWord {
  rule: 'set' | 'add'
  value: number
}

export const good = (words: string, weight?: WeightWord): Answer =>
  weight === undefined ? { outcome: 'good', words } : { outcome: 'good', words, weight }
export const bad = (words: string): Answer => ({ outcome: 'bad', words })
export const untried = (words: string): Answer => ({ outcome: 'untried', words })
