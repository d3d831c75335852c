import { check } from '../checks/index.js'
import type { CheckAnswer } from '../checks/check.js'
import type { CompleteProgram } from '../configuration/complete.js'

/** A script is asked of no address. */
const NOWHERE = { address: '0.0.0.0', port: 0 }

/**
 * Programs to notify. Those about one subject run in order, one after another; those about different ones side by side. They run as a check by script does: without a shell,
 * in a process group that ends with them, within their time limit, with the environment of this process less IFS and LD_*.
 */
export class Programs {
  readonly #last = new Map<string, Promise<void>>()

  /** @param subject what the program is about, as text that tells it from others */
  run(subject: string, { command, timeout, user, group }: CompleteProgram, ended: (answer: CheckAnswer) => void): void {
    const before = this.#last.get(subject) ?? Promise.resolve()
    const run = before.then(async () => ended(await check(NOWHERE, { type: 'script', command, timeout, user, group })))
      // What a listener throws is no reason to run nothing any more.
      .catch((error: unknown) => void Promise.reject(error as Error))
      .finally(() => {
        if (this.#last.get(subject) === run) this.#last.delete(subject)
      })
    this.#last.set(subject, run)
  }

  /** Fulfilled when all have ended. */
  async ended(): Promise<void> {
    while (this.#last.size > 0) await Promise.all(this.#last.values())
  }
}
