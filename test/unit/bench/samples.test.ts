import { formatDuration, formatHistogram, median, summarize } from 'ipvs/bench'
import { describe, expect, it } from 'vitest'

const oneToAThousand = Array.from({ length: 1000 }, (_, i) => 1000 - i)

describe('a summary of timings', () => {
  it('names the middle, the slowest hundredth and the slowest thousandth', () => {
    expect(summarize(oneToAThousand)).toMatchObject({
      count: 1000,
      minimum: 1,
      median: 500.5,
      p99: 990,
      p999: 999,
      maximum: 1000,
      mean: 500.5,
    })
  })

  it('of a single timing is that timing', () => {
    expect(summarize([7])).toMatchObject({ count: 1, minimum: 7, median: 7, p99: 7, p999: 7, maximum: 7, mean: 7 })
  })

  it('leaves the timings in their order', () => {
    const timings = [3, 1, 2]
    summarize(timings)
    expect(timings).toEqual([3, 1, 2])
  })

  it('has every timing in exactly one bar of the histogram, and the bars touch', () => {
    const { histogram } = summarize([...oneToAThousand, 0.25, 1e6])
    expect(histogram.reduce((sum, bar) => sum + bar.count, 0)).toBe(1002)
    for (let i = 1; i < histogram.length; i++) expect(histogram[i].from).toBe(histogram[i - 1].to)
    expect(histogram[0].from).toBeLessThan(0.25)
    expect(histogram[histogram.length - 1].to).toBeGreaterThanOrEqual(1e6)
  })

  it('takes a timing of nothing', () => {
    const { median, histogram } = summarize([0, 0, 1])
    expect(median).toBe(0)
    expect(histogram[0].count).toBe(2)
    expect(histogram.length).toBeLessThan(20)
  })

  it('of nothing is refused', () => {
    expect(() => summarize([])).toThrow(/at least one/)
    expect(() => median([])).toThrow(/at least one/)
  })
})

describe('durations as text', () => {
  it.each([
    [0, '0.00 µs'], [0.523, '0.52 µs'], [9.996, '10.0 µs'], [13.44, '13.4 µs'], [99.96, '100 µs'], [999.6, '1.00 ms'],
    [2104, '2.10 ms'], [999_600, '1.00 s'], [61_000_000, '61.0 s'],
  ])('%d is %s', (microseconds, text) => expect(formatDuration(microseconds)).toBe(text))
})

describe('a histogram as text', () => {
  it('draws the longest bar over the whole width, and something for every bar that is not empty', () => {
    const lines = formatHistogram([{ from: 1, to: 2, count: 1000 }, { from: 2, to: 4, count: 0 }, { from: 4, to: 8, count: 1 }], 10)
    expect(lines).toEqual(['  2.00 µs 1000 ##########', '  4.00 µs    0', '  8.00 µs    1 #'])
  })
})
