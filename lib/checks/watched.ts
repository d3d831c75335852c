import type { Run } from './run.js'
import type { Health } from './state.js'

/**
 * What is assumed of a destination until its checks have decided.
 *
 * - `'up'`, `'down'`: what was known last. It holds until `failures` bad, or `successes` good answers in a row say otherwise.
 * - `'assumed'`: up, but only until the first answer, which decides by itself when it is bad.
 */
export type Initially = Health | 'assumed'

/** A check as one destination sees it. */
export interface Slot {
  readonly run: Run
  initially: Initially
  /** Whether every bad answer is reported. */
  tellsAll: boolean
}

const MOST = 2_147_483_647

/** A destination with all of its checks: up when each of them is. */
export class Watched {
  slots: Slot[] = []
  /** The state in the last report. */
  up = true
  /** The weight in the last report. */
  weight: number
  /** When `up` became what it is, as of Date.now(). */
  since = Date.now()

  constructor(readonly id: string, public configuredWeight: number) {
    this.weight = configuredWeight
  }

  /** Takes the first answer of a check that is still undecided into account. */
  heard(run: Run): void {
    if (run.verdict.health !== undefined) return
    for (const slot of this.slots)
      if (slot.run === run && slot.initially === 'assumed') slot.initially = run.verdict.last === true ? 'up' : 'down'
  }

  /** The first check that says that it is down. */
  firstDown(): Run | undefined {
    return this.slots.find(({ run, initially }) => (run.verdict.health ?? initially) === 'down')?.run
  }

  /** The weight that follows from the configured one and from what the checks say: each adds its difference to it. Never below 0. */
  weightNow(): number {
    let weight = this.configuredWeight
    for (const { run } of this.slots) {
      if (run.weight === undefined) continue
      weight += run.weight.rule === 'add' ? run.weight.value : run.weight.value - this.configuredWeight
    }
    return Math.min(Math.max(weight, 0), MOST)
  }
}
