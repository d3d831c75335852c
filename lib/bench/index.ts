/**
 * Timing helpers for programs that measure how fast their rules take effect. The package's own benchmark uses them too.
 *
 * ```ts
 * import { measure, compare, timed } from 'ipvs/bench'
 * ```
 *
 * All durations are microseconds.
 *
 * @module ipvs/bench
 */
export { compare, timed } from './compare.js'
export type { CompareOptions, Comparison, Contender, Standing, Timings } from './compare.js'
export { clockCost, measure, measureSync, systemCallCost } from './measure.js'
export type { MeasureOptions, Measurement } from './measure.js'
export { formatDuration, formatHistogram, median, summarize } from './samples.js'
export type { HistogramBar, Summary } from './samples.js'
