import { tracingChannel } from 'node:diagnostics_channel'
import type { BatchTrace } from 'ipvs'

/** The transactions with the kernel during an action, each with the number of its requests. */
export async function watchBatches(action: () => Promise<unknown>): Promise<BatchTrace[]> {
  const seen: BatchTrace[] = []
  const ignore = (): void => undefined
  const channel = tracingChannel<unknown, BatchTrace>('ipvs:batch')
  const listeners = {
    start: (trace: BatchTrace): void => {
      seen.push(trace)
    },
    end: ignore,
    asyncStart: ignore,
    asyncEnd: ignore,
    error: ignore,
  }
  channel.subscribe(listeners)
  try {
    await action()
  } finally {
    channel.unsubscribe(listeners)
  }
  return seen
}
