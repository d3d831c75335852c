import { collectGarbage } from './garbage.js'
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

/** Microseconds from the call until the work is done. */
export async function clocked(work: () => unknown): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) * 1000
}

/**
 * The same for work that is warm: something like it was done right before, on a heap without the rubbish of what came earlier.
 * Fresh memory costs a page fault a page, thirty microseconds each in user-mode Linux.
 */
export async function clockedWarm(warmUp: () => unknown, work: () => unknown): Promise<number> {
  collectGarbage()
  await warmUp()
  return clocked(work)
}
