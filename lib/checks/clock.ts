/** How many milliseconds late a timer may fire before the event loop counts as late. Deadlines are no more exact than this. */
export const SLACK = 20

/**
 * A clock that stops while its event loop is held up, by other work, another process or a paused machine.
 *
 * Deadlines by this clock are about the server, not about the checker: a server that answered in time is not late because its answer waited
 * in the kernel. Delays of less than {@link SLACK} milliseconds go unnoticed.
 */
export class RunningClock {
  #lost = 0
  #expected = Infinity
  readonly #read: () => number

  /** @param read Milliseconds that never go back. */
  constructor(read: () => number = () => performance.now()) {
    this.#read = read
  }

  /** Milliseconds in which the event loop has been running, from an arbitrary moment on. */
  now(): number {
    const time = this.#read()
    // Past this moment the loop is late. How late is known when the timer fires.
    return Math.min(time, this.#expected + SLACK) - this.#lost
  }

  /** Milliseconds that the event loop was late in all. */
  get lost(): number {
    return this.#lost
  }

  /** Says when the loop is expected next, in milliseconds from now. */
  expect(delay: number): void {
    this.arrive()
    this.#expected = this.#read() + delay
  }

  /** Says that the loop has come by. The timer that `expect` announced calls it first; other calls are harmless. */
  arrive(): void {
    const late = this.#read() - this.#expected
    if (late > SLACK) this.#lost += late - SLACK
    this.#expected = Infinity
  }
}
