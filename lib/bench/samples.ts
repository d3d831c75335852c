/** One bar of a histogram: how many samples took longer than `from` and at most `to` microseconds. */
export interface HistogramBar {
  from: number
  to: number
  count: number
}

/** A summary of timings. Durations are microseconds. */
export interface Summary {
  /** The number of timings. */
  count: number
  minimum: number
  /** Half of the timings are at most this long. */
  median: number
  /** 99 of 100 timings are at most this long. */
  p99: number
  /** 999 of 1,000 timings are at most this long. With fewer timings it is the longest one. */
  p999: number
  maximum: number
  mean: number
  /**
   * Two bars per doubling, so that microseconds and seconds fit the same histogram. Empty bars at both ends are left out. The lowest bar
   * includes all shorter timings.
   */
  histogram: HistogramBar[]
}

const barsPerDoubling = 2

/** Upper edge of the lowest bar: a hundredth of a microsecond, below the resolution of any clock. */
const shortest = 2 ** -6.5

/** Upper edge of a duration's bar, as a whole number of steps from one microsecond. */
const step = (duration: number): number => Math.ceil(Math.log2(Math.max(duration, shortest)) * barsPerDoubling)

function histogramOf(sorted: Float64Array): HistogramBar[] {
  const first = step(sorted[0])
  const bars: HistogramBar[] = []
  for (const duration of sorted) {
    const at = step(duration) - first
    while (bars.length <= at) {
      const edge = first + bars.length
      bars.push({ from: 2 ** ((edge - 1) / barsPerDoubling), to: 2 ** (edge / barsPerDoubling), count: 0 })
    }
    bars[at].count++
  }
  return bars
}

/** The percentile of sorted values by nearest rank, which is always one of the values. */
const percentile = (sorted: Float64Array, share: number): number =>
  sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]

/**
 * The median of a set of numbers; of an even count, the mean of the two in the middle.
 *
 * @throws RangeError if there are none
 *
 * @example
 * ```js
 * import { median } from 'ipvs/bench'
 *
 * console.log(median([3, 1, 2]))                            // 2
 * ```
 */
export function median(values: Iterable<number>): number {
  const sorted = Float64Array.from(values).sort()
  if (sorted.length === 0) throw new RangeError('values: the median of nothing is not defined, give at least one number')
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/**
 * Percentiles and histogram of timings.
 *
 * @param durations microseconds, in any order; not modified
 * @throws RangeError if there are none
 *
 * @example
 * ```js
 * import { summarize } from 'ipvs/bench'
 *
 * console.log(summarize([1, 2, 30]).maximum)                // 30
 * ```
 */
export function summarize(durations: Iterable<number>): Summary {
  const sorted = Float64Array.from(durations).sort()
  if (sorted.length === 0) throw new RangeError('durations: give at least one timing')
  return {
    count: sorted.length,
    minimum: sorted[0],
    median: median(sorted),
    p99: percentile(sorted, 0.99),
    p999: percentile(sorted, 0.999),
    maximum: sorted[sorted.length - 1],
    mean: sorted.reduce((sum, duration) => sum + duration, 0) / sorted.length,
    histogram: histogramOf(sorted),
  }
}

/**
 * Microseconds in three significant digits with a suitable unit: '0.52 µs', '13.4 µs', '2.10 ms', '1.05 s'.
 *
 * @example
 * ```js
 * import { formatDuration } from 'ipvs/bench'
 *
 * console.log(formatDuration(2100))                         // 2.10 ms
 * ```
 */
export function formatDuration(microseconds: number): string {
  const [value, unit] = microseconds >= 999_500 ? [microseconds / 1e6, 's']
    : microseconds >= 999.5 ? [microseconds / 1e3, 'ms']
    : [microseconds, 'µs']
  const decimals = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2
  return `${value.toFixed(decimals)} ${unit}`
}

/**
 * Formats a histogram as text, one bar per line.
 *
 * @param width length of the longest bar in characters
 *
 * @example
 * ```js
 * import { formatHistogram, summarize } from 'ipvs/bench'
 *
 * console.log(formatHistogram(summarize([1, 1, 2, 30]).histogram).join('\n'))
 * ```
 */
export function formatHistogram(histogram: readonly HistogramBar[], width = 50): string[] {
  const most = Math.max(...histogram.map(bar => bar.count))
  const counts = String(most).length
  return histogram.map(({ to, count }) => {
    const bar = '#'.repeat(count === 0 ? 0 : Math.max(1, Math.round((count / most) * width)))
    return `${formatDuration(to).padStart(9)} ${String(count).padStart(counts)} ${bar}`.trimEnd()
  })
}
