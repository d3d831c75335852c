/** The callbacks that wait for a signal, and the one listener that calls them. */
interface Waiting {
  readonly callbacks: Set<() => void>
  readonly listener: () => void
}

const waiting = new WeakMap<AbortSignal, Waiting>()

function listen(signal: AbortSignal): Waiting {
  const callbacks = new Set<() => void>()
  const made: Waiting = { callbacks, listener: () => { for (const callback of [...callbacks]) callback() } }
  waiting.set(signal, made)
  signal.addEventListener('abort', made.listener)
  return made
}

/**
 * Calls back when the signal is aborted. Returns a function that cancels this. A signal gets one listener, however many callbacks wait for
 * it: programs use one signal for everything that should end together, and Node warns of a leak from the eleventh listener on.
 */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (signal === undefined) return () => {}
  const { callbacks, listener } = waiting.get(signal) ?? listen(signal)
  callbacks.add(callback)
  return () => {
    if (!callbacks.delete(callback) || callbacks.size > 0) return
    signal.removeEventListener('abort', listener)
    waiting.delete(signal)
  }
}

/**
 * Waits for something that may take forever, but only until a signal is aborted. `Promise.race` with one promise for the signal would keep
 * a reaction for each wait as long as the signal lives.
 */
export class UntilAborted {
  readonly #signal: AbortSignal | undefined
  #stop: (() => void) | undefined
  readonly close: () => void

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal
    this.close = onAbort(signal, () => this.#stop?.())
  }

  /** The value, or what its promise is fulfilled with; `undefined` once the signal is aborted. One wait at a time. */
  wait<Value>(work: Value | PromiseLike<Value>): Value | PromiseLike<Value | undefined> {
    if (this.#signal === undefined) return work
    return new Promise((resolve, reject) => {
      this.#stop = () => resolve(undefined)
      if (this.#signal!.aborted) this.#stop()
      Promise.resolve(work).then(resolve, reject)
    })
  }
}
