import { setTimeout as wait } from 'node:timers/promises'

/** Milliseconds until etcd is tried again, doubled each time up to the second. */
const [AGAIN, LATEST] = [100, 2_000]

/** Waits before etcd is tried again. Not all wait as long: all programs of a fleet have lost it at the same moment. */
export async function waitToRetry(failures: number, signal: AbortSignal): Promise<void> {
  const pause = Math.min(LATEST, AGAIN * 2 ** failures) * (1 + Math.random() / 4)
  await wait(pause, undefined, { signal }).catch(() => {})
}
