import type { Place } from './place.js'
import type { Row } from './row.js'
import type { Shape } from './workload.js'

/** What the command line and the machine say about a run. */
export interface Run {
  place: Place
  /** Turns of each contender; the medians of them count. */
  rounds: number
  /** The one shape to measure, where the user named one. */
  shape?: Shape
  /** Takes the shapes in that take minutes on a slow machine. */
  large: boolean
  /** Microseconds that the cheapest system call takes here. */
  systemCall: number
}

/** One part of the benchmark. It leaves nothing behind. */
export interface Suite {
  title: string
  measure(run: Run): Promise<Row[]>
}

/**
 * Microseconds from the call until the work is done.
 *
 * Work that is to be measured warm is done once untimed right before: starting another program makes the kernel copy every page that
 * this process writes to next, and a page fault costs ten microseconds in user-mode Linux.
 */
export async function clocked(work: () => unknown): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) * 1000
}
