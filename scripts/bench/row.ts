import type { Summary } from 'ipvs/bench'

/** One line of the benchmark's table. */
export interface Row {
  what: string
  value: number
  /** What the value is: microseconds a rule, a call, a line or a run (printed in the unit that suits), megabytes, or a plain multiple. */
  unit: 'µs/rule' | 'µs/object' | 'µs/call' | 'µs/line' | 'µs' | 'MB' | '×'
  /** The C reference, or what stands beside it, at the same work, in the same unit, from the same run. */
  reference?: number
  /** value / reference, or what the goal is about where it is not the C reference. */
  ratio?: number
  /** The most that the ratio (or, where there is none, the value) may be, or with `atLeast` the least. */
  goal?: number
  atLeast?: boolean
  note?: string
  /** Percentiles and histogram of single calls. */
  distribution?: Summary
}

/** Whether a row's goal is met; undefined where none is set. */
export function isMet({ value, ratio = value, goal, atLeast }: Row): boolean | undefined {
  return goal === undefined ? undefined : atLeast ? ratio >= goal : ratio <= goal
}
