/** Milliseconds that a timer may be late before it counts as lateness of the event loop. Deadlines are that inexact too. */
export const SLACK = 20

/**
 * A clock that stands still while its event loop does not come to its work, because another piece of work, another process or a paused
 * machine held it up.
 *
 * A deadline measured by it is no deadline of the checker: a server that answered in time, and whose answer waited in the kernel because
 * nobody came to fetch it, is not late. What it cannot see is lateness of less than {@link SLACK} milliseconds.
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
    // Beyond this the loop is late, and it will only be seen how late it is when the timer fires.
    return Math.min(time, this.#expected + SLACK) - this.#lost
  }

  /** Milliseconds that the event loop was late in all. */
  get lost(): number {
    return this.#lost
  }

  /** Tells when the loop is to come by next: in so many milliseconds. */
  expect(delay: number): void {
    this.arrive()
    this.#expected = this.#read() + delay
  }

  /** Tells that the loop has come by: called first thing by the timer that `expect` was about. Harmless otherwise. */
  arrive(): void {
    const late = this.#read() - this.#expected
    if (late > SLACK) this.#lost += late - SLACK
    this.#expected = Infinity
  }
}
