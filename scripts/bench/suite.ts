import type { Program } from '../setup/programs.js'
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
  /** It needs no IPVS: it is measured on the machine itself, unless another place is asked for. */
  anywhere?: true
  /** It runs only where it is named: it takes long, or needs programs that other parts do not. */
  onRequest?: true
  /** Programs that it needs besides those of all parts. */
  needs?: readonly Program[]
  /** What stands in the column beside what is measured: the C reference where nothing is said. */
  beside?: string
  measure(run: Run): Promise<Row[]>
}

/** Microseconds from the call until the work is done. */
export async function clocked(work: () => unknown): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) * 1000
}

/** How often work is done before it is warm: until V8's young generation has been written to from end to end. */
const warmUps = 4

/**
 * The same for work that is warm: something like it was done right before, on a heap without the rubbish of what came earlier, and more
 * than once. To collect garbage gives memory back to the system, and to touch that again costs a page fault a page, thirty microseconds
 * each in user-mode Linux.
 */
export async function clockedWarm(warmUp: () => unknown, work: () => unknown): Promise<number> {
  collectGarbage()
  for (let i = 0; i < warmUps; i++) await warmUp()
  return clocked(work)
}
