/** What a check can find. */
export type Outcome = 'good' | 'bad' | 'untried'

/**
 * What one check of one target found.
 *
 * - `'good'`: the target does what was asked of it.
 * - `'bad'`: it does not.
 * - `'untried'`: the question could not be asked, for want of a descriptor, a local address, a route or a permission. It says nothing about
 *   the server, so it never counts against it.
 */
export interface Answer {
  outcome: Outcome
  /** What was found, in words that follow the name of the check: 'GET /service.txt answered 503'. */
  words: string
  /** What the check says about the weight, if it says anything. Only good answers have it. */
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
