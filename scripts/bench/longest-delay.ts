import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

/** Microseconds of the longest time that the event loop was held while the work was under way, as perf_hooks sees it. */
export async function longestDelay(work: () => Promise<unknown>): Promise<number> {
  const monitor = monitorEventLoopDelay({ resolution: 1 })
  monitor.enable()
  // The monitor measures from one of its ticks to the next: it needs one before the work, and one after.
  await sleep(20)
  monitor.reset()
  await work()
  await sleep(5)
  monitor.disable()
  return monitor.max / 1000
}
