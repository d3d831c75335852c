import type { EventEmitter } from 'node:events'

/**
 * Emits an event. If a listener throws, its error becomes an unhandled rejection, as in any async function, and the work that the event is
 * about goes on.
 */
export function tell(emitter: EventEmitter, name: string, args: readonly unknown[]): void {
  try {
    emitter.emit(name, ...args)
  } catch (error) {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- whatever the listener throws
    void Promise.reject(error)
  }
}
