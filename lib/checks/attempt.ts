import { bad, type Answer } from './answer.js'
import type { RunningClock } from './clock.js'

/** Who asked, and is told the answer. */
export interface Asker {
  answered(answer: Answer, attempt: Attempt): void
}

/** What an attempt takes up while it lasts: there are limits on how many of them at once. */
export type Resource = 'socket' | 'program'

/** A check of a target, made ready once: everything that can be worked out beforehand is. */
export interface Probe {
  readonly uses: Resource
  /** Milliseconds from the start of an attempt to its end, at most. */
  readonly timeout: number
  /** What is asked, in few words: 'TCP connection', 'GET /service.txt'. */
  readonly what: string
  /** Asks once. The answer can come before this returns. */
  start(clock: RunningClock, asker: Asker): Attempt
  /** Calls back whenever the answer may have become another, where that can be noticed. Returns what ends it. */
  watch?(changed: () => void): () => void
}

/**
 * One question to one target, from its start to its answer. It answers exactly once, or never when it is stopped before; everything that it
 * opened is closed by then. Whoever started it watches the time, and calls `expire` when it is over.
 */
export abstract class Attempt {
  /** When it began. */
  readonly began: number
  /** From when on its time counts: an attempt that asks several questions has the whole time for each. */
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

  /** What has not happened yet, for the words of an answer that took too long: 'no connection'. */
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
