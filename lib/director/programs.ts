import type { CheckAnswer } from '../checks/index.js'
import type { CompleteProgram } from '../configuration/complete.js'
import type { ScriptCheck } from '../configuration/types.js'

/** Programs that run at once, at most. */
const MOST = 32

/** Runs a program as a check by script does: without a shell, in a process group that ends with it, within its time limit. */
export type RunProgram = (check: ScriptCheck) => Promise<CheckAnswer>

/**
 * Programs to notify. Those about one subject run in order, one after another; those about different ones side by side, so many at once.
 */
export class Programs {
  readonly #run: RunProgram
  readonly #most: number
  readonly #last = new Map<string, Promise<void>>()
  /** Those that wait for another program to end. */
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(run: RunProgram, most = MOST) {
    this.#run = run
    this.#most = most
  }

  /** @param subject what the program is about, as text that tells it from others */
  run(subject: string, { command, timeout, user, group }: CompleteProgram, ended: (answer: CheckAnswer) => void): void {
    const before = this.#last.get(subject) ?? Promise.resolve()
    const run = before.then(() => this.#inTurn({ type: 'script', command, timeout, user, group })).then(ended)
      // What a listener throws is no reason to run nothing any more.
      .catch((error: unknown) => void Promise.reject(error as Error))
      .finally(() => {
        if (this.#last.get(subject) === run) this.#last.delete(subject)
      })
    this.#last.set(subject, run)
  }

  async #inTurn(check: ScriptCheck): Promise<CheckAnswer> {
    if (this.#running === this.#most) await new Promise<void>((go) => this.#waiting.push(go))
    else this.#running++
    try {
      return await this.#run(check)
    } catch (error) {
      return { outcome: 'untried', check: check.command[0], words: `${check.command[0]} could not be run to its end: ${(error as Error).message}`, duration: 0 }
    } finally {
      // The place goes on to the next one.
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next()
    }
  }

  /** Fulfilled when all have ended. */
  async ended(): Promise<void> {
    while (this.#last.size > 0) await Promise.all(this.#last.values())
  }
}
