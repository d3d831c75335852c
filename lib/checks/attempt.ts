import { bad, type Answer } from './answer.js'
import type { RunningClock } from './clock.js'

/** Receives the answer. */
export interface Asker {
  answered(answer: Answer, attempt: Attempt): void
}

/** What an attempt uses while it lasts. There is a limit on how many run at once. */
export type Resource = 'socket' | 'program'

/** A check of a target, prepared once: whatever can be worked out in advance has been. */
export interface Probe {
  readonly uses: Resource
  /** Milliseconds from the start of an attempt to its end, at most. */
  readonly timeout: number
  /** What is asked, in few words: 'TCP connection', 'GET /service.txt'. */
  readonly what: string
  /** Asks once. The answer can come before this returns. */
  start(clock: RunningClock, asker: Asker): Attempt
  /** Calls back when the answer may have changed, if the check can notice that. Returns a function that ends the watch. */
  watch?(changed: () => void): () => void
}

/**
 * One question to one target, from its start to its answer. It answers once, or never if it is stopped first. Everything it opened is
 * closed by then. Its starter watches the time and calls `expire` when the time is over.
 */
export abstract class Attempt {
  /** When it began. */
  readonly began: number
  /** When its time began to count. An attempt that asks several questions has the whole time for each. */
  started: number
  #over = false

  /** @param timeout Milliseconds, from `started` on. */
  constructor(protected readonly clock: RunningClock, readonly asker: Asker, readonly timeout: number) {
    this.began = this.started = clock.now()
  }

  /** Milliseconds since it began. */
  get took(): number {
    return this.clock.now() - this.began
  }

  /** Whether it has answered, or was stopped. */
  get over(): boolean {
    return this.#over
  }

  /** What has not happened yet, for the message of an attempt that took too long: 'no connection'. */
  protected abstract missing(): string

  /** Closes everything that is open. Called once. */
  protected abstract close(): void

  /** Gives the answer, unless there is one already. */
  protected answer(answer: Answer): void {
    if (this.#over) return
    this.#over = true
    this.close()
    this.asker.answered(answer, this)
  }

  /** The time is over. */
  expire(): void {
    this.answer(this.afterTime())
  }

  /** The answer when the time is over. */
  protected afterTime(): Answer {
    return bad(`${this.missing()} within ${this.timeout / 1000} s`)
  }

  /** Ends it without an answer. */
  stop(): void {
    if (this.#over) return
    this.#over = true
    this.close()
  }
}
