import type { EventEmitter } from 'node:events'

/**
 * Emits an event. A listener that throws does to the process what it does anywhere in an async function, and nothing to the work that the
 * event is about.
 */
export function tell(emitter: EventEmitter, name: string, args: readonly unknown[]): void {
  try {
    emitter.emit(name, ...args)
  } catch (error) {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- whatever the listener throws
    void Promise.reject(error)
  }
}
