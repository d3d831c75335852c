/**
 * Waits for what may take for ever, until a signal comes. (`Promise.race` with one promise for the signal would keep a reaction to it for each wait, to the end
 * of them all.)
 */
export class UntilAborted {
  readonly #signal: AbortSignal | undefined
  #stop: (() => void) | undefined
  readonly #aborted = (): void => this.#stop?.()

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal
    signal?.addEventListener('abort', this.#aborted)
  }

  /** What the promise is fulfilled with, or `undefined` once the signal has come. One wait at a time. */
  wait<Value>(work: PromiseLike<Value>): PromiseLike<Value | undefined> {
    if (this.#signal === undefined) return work
    return new Promise((resolve, reject) => {
      this.#stop = () => resolve(undefined)
      if (this.#signal!.aborted) this.#stop()
      work.then(resolve, reject)
    })
  }

  close(): void {
    this.#signal?.removeEventListener('abort', this.#aborted)
  }
}
