import { setImmediate as turn } from 'node:timers/promises'

/** Milliseconds that work may hold the event loop. */
const LONGEST = 3

/** Calls of {@link Pause.isDue} for which the clock is looked at once: a look takes as long as comparing a destination. */
const CALLS = 16

/**
 * Lets the event loop turn while work goes on for long: `if (pause.isDue()) await pause.take()` after each small step. Two steps rather
 * than one, because to await what is not due would take longer than the step.
 */
export class Pause {
  #since = performance.now()
  #calls = 0

  /** Whether the event loop has been held for long enough. */
  isDue(): boolean {
    if (++this.#calls < CALLS) return false
    this.#calls = 0
    return performance.now() - this.#since >= LONGEST
  }

  async take(): Promise<void> {
    await turn()
    this.#since = performance.now()
  }
}
