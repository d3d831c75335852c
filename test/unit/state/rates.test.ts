import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Rates } from 'ipvs'
import { measure, RateMeter, type Counted, type Measurement } from '../../../lib/state/rates.js'
import { Estimator, every, live, type Event } from './support/estimator.js'

interface Look { at: number, connections: number, inBytes: number, difference: bigint }

interface Scene {
  /** Milliseconds of the first adding up, and from one to the next. */
  phase: number
  period?: (index: number) => number
  /** Connections in a period; from when until when. */
  traffic: { each: number, from?: number, until?: number, swell?: number }
  interval: number
  /** When the looks begin, and the whole ends. */
  from?: number
  end: number
  zeroed?: number[]
}

/** What looks at a kernel say. Its traffic is even, or swells a little, as a share of it in a second. */
function looks({ phase, period = () => 2000, traffic, interval, from = 60_000, end, zeroed = [] }: Scene): Look[] {
  const kernel = new Estimator()
  const meter = new RateMeter()
  const seen: Look[] = []
  const events: Event[] = []
  let passed = 0
  const upTo = (at: number): void => {
    const { each, from: begin = 0, until = Infinity, swell = 0 } = traffic
    const time = Math.max(0, Math.min(at, until) - begin)
    const whole = Math.floor(time * each * (1 + swell * time / 1000) / 2000)
    kernel.pass(whole - passed)
    passed = whole
  }
  for (let at = phase, index = 0; at <= end; at += period(index++)) events.push({ at, happens: () => { upTo(at); kernel.addUp() } })
  for (const at of zeroed) events.push({ at, happens: () => { upTo(at); kernel.zero() } })
  for (const at of every(interval, from, end)) {
    events.push({ at, happens: () => {
      meter.look(at / 1000)
      const { perSecond, difference } = meter.measure('web', kernel.list())
      seen.push({ at, connections: perSecond.connections, inBytes: perSecond.inBytes, difference: difference.connections })
    } })
  }
  live(kernel, events)
  return seen
}

/** How far the looks are from a rate at most, as a share of it. */
function deviation(seen: readonly Look[], rate: number): number {
  expect(seen).not.toEqual([])
  return Math.max(...seen.map(({ connections }) => Math.abs(connections / rate - 1)))
}

const phase = fc.integer({ min: 1, max: 1999 })
const each = fc.integer({ min: 20, max: 1_000_000 })

describe('steady traffic has a steady rate', () => {
  test.each([100, 250, 1000, 1900, 1999, 2000, 2001, 3000, 5000, 10_000, 60_000])('looked at every %i ms', (interval) => {
    for (const { at, connections, inBytes } of looks({ phase: 700, traffic: { each: 152 }, interval, end: 200_000 })) {
      // Until the first period ends at 60.7 seconds there is nothing but the kernel's average, which is rounded.
      expect(Math.abs(inBytes - 76 * 500)).toBeLessThan(at < 60_700 || at === 60_000 ? 10 : 1e-6)
      expect(connections).toBe(76)
    }
  })

  test('at any interval, phase and rate', () => {
    fc.assert(fc.property(phase, each, fc.integer({ min: 50, max: 60_000 }), (phase, each, interval) => {
      const [first, ...rest] = looks({ phase, traffic: { each }, interval, end: 60_000 + 12 * interval + 10_000 })
      // The first look has nothing but the kernel's average, which has come near it in the minute before.
      expect(Math.abs(first.connections - each / 2)).toBeLessThanOrEqual(1 + each * 0.0003)
      // A period has an odd number of connections more or less.
      expect(deviation(rest.slice(Math.ceil(2500 / interval)), each / 2) * each / 2).toBeLessThan(0.6)
    }), { numRuns: 200 })
  })

  test('with a kernel whose periods are uneven, and too long by its coarse clock', () => {
    fc.assert(
      fc.property(
        phase,
        fc.integer({ min: 1000, max: 1_000_000 }),
        fc.integer({ min: 50, max: 20_000 }),
        fc.array(fc.integer({ min: 1985, max: 2035 }), { minLength: 1 }),
        (phase, each, interval, periods) => {
          const seen = looks({
            phase,
            period: (index) => periods[index % periods.length],
            traffic: { each },
            interval,
            end: 60_000 + 20 * interval,
          })
          expect(deviation(seen, each / 2)).toBeLessThan(0.03)
        },
      ),
      { numRuns: 200 },
    )
  })

  test('within three parts in a hundred where looks are hours apart', () => {
    fc.assert(fc.property(phase, each, fc.integer({ min: 60_001, max: 4_000_000 }), (phase, each, interval) => {
      expect(deviation(looks({ phase, traffic: { each }, interval, end: 60_000 + 3 * interval }).slice(1), each / 2)).toBeLessThan(0.04)
    }), { numRuns: 20 })
  })

  test('when it is zeroed, at any moment, at any interval', () => {
    fc.assert(
      fc.property(
        phase,
        each,
        fc.integer({ min: 100, max: 10_000 }),
        fc.integer({ min: 60_001, max: 90_000 }),
        (phase, each, interval, zeroed) => {
          expect(deviation(looks({ phase, traffic: { each }, interval, end: 110_000, zeroed: [zeroed] }), each / 2)).toBeLessThan(0.05)
        },
      ),
      { numRuns: 200 },
    )
  })

  test('nearly steady traffic too, when it is zeroed again and again, so that counters overtake what they were', () => {
    const many = fc.integer({ min: 1000, max: 1_000_000 })
    fc.assert(
      fc.property(
        phase,
        many,
        fc.integer({ min: 100, max: 10_000 }),
        fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 8 }),
        (phase, each, interval, gaps) => {
          // In between, some look sees something counted. No two periods are the same: what repeats itself exactly cannot be told from what
          // stands still.
          const zeroed = gaps.map((_, i) => 60_000 + gaps.slice(0, i + 1).reduce((sum, gap) => sum + gap + 2 * interval + 4000, 0))
          const seen = looks({
            phase,
            traffic: { each, swell: 0.0005 },
            interval,
            end: 120_000,
            zeroed: zeroed.filter((at) => at < 115_000),
          })
          // What it has swollen by in two minutes is 12 parts in a hundred.
          expect(deviation(seen, each / 2)).toBeLessThan(0.25)
        },
      ),
      { numRuns: 200 },
    )
  })
})

describe('traffic that changes', () => {
  test('shows after one period, and is 0 when one has passed without any', () => {
    const scene = { phase: 500, traffic: { each: 100, from: 70_500, until: 80_500 }, interval: 250, end: 90_000 }
    const rateAt = (at: number): number => looks(scene).find((look) => look.at === at)!.connections
    expect(rateAt(72_250)).toBe(0)
    expect([72_500, 74_000, 76_250, 80_500, 82_250].map(rateAt)).toEqual([50, 50, 50, 50, 50])
    expect([82_500, 82_750, 90_000].map(rateAt)).toEqual([0, 0, 0])
  })

  test('that ends is 0 two and a half seconds later, whatever the phase and the interval', () => {
    fc.assert(fc.property(phase, each, fc.integer({ min: 100, max: 10_000 }), (phase, each, interval) => {
      const last = looks({ phase, traffic: { each, until: 70_000 }, interval, end: 90_000 + interval }).filter(
        ({ at }) => at > 70_000 + 2000 + 2500 + interval,
      )
      expect(new Set(last.map(({ connections }) => connections))).toEqual(new Set([0]))
    }))
  })

  test('a single connection counts for the period that it came in', () => {
    const rates = looks({ phase: 500, traffic: { each: 0.2 }, interval: 1000, end: 200_000 }).map(({ connections }) => connections)
    expect(new Set(rates)).toEqual(new Set([0, 0.5]))
    // One in ten seconds: on the average of the looks too.
    expect(rates.reduce((sum, rate) => sum + rate) / rates.length).toBeCloseTo(0.1, 2)
  })

  test('no rate is ever below 0, or above what has passed in all', () => {
    const happening = fc.record({
      after: fc.integer({ min: 1, max: 1500 }),
      packets: fc.integer({ min: 0, max: 1000 }),
      zero: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 60 }), fc.integer({ min: 50, max: 7000 }), phase, (happenings, interval, phase) => {
        const kernel = new Estimator()
        const meter = new RateMeter()
        const events: Event[] = []
        let now = 0
        let sent = 0
        for (const { after, packets, zero } of happenings) {
          now += after
          events.push({
            at: now,
            happens: () => {
              kernel.pass(packets)
              sent += packets
              if (zero) kernel.zero()
            },
          })
        }
        for (const at of every(2000, phase, now + 6000)) events.push({ at, happens: () => kernel.addUp() })
        for (const at of every(interval, 0, now + 6000)) {
          events.push({
            at,
            happens: () => {
              meter.look(at / 1000)
              const { perSecond, difference } = meter.measure('web', kernel.list())
              expect(perSecond.connections).toBeGreaterThanOrEqual(0)
              expect(perSecond.connections).toBeLessThanOrEqual(sent)
              expect(difference.connections).toBeGreaterThanOrEqual(0n)
            },
          })
        }
        live(kernel, events)
      }),
    )
  })
})

describe('entries', () => {
  const listed = (inBytes: bigint, rate = 0): Counted => ({
    stats: { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes, outBytes: 0n },
    rates: { connections: 0, inPackets: 0, outPackets: 0, inBytes: rate, outBytes: 0 } satisfies Rates,
  })
  const again = (before: Measurement, inBytes: bigint, rate: number, elapsed = 1): Measurement =>
    measure(before, listed(inBytes, rate), elapsed)

  test('that are new have the kernel\'s average, however much they have counted before', () => {
    expect(measure(undefined, listed(10n ** 15n, 7), 0)).toMatchObject({ perSecond: { inBytes: 7 }, difference: { inBytes: 0n } })
  })

  test('above 2⁵³ lose nothing', () => {
    expect(again(measure(undefined, listed(2n ** 63n, 1), 0), 2n ** 63n + 2n, 1)).toMatchObject({
      perSecond: { inBytes: 1 },
      difference: { inBytes: 2n },
    })
  })

  test('that were zeroed have the rate they had until the next period ends', () => {
    const steady = again(measure(undefined, listed(10_000n, 1000), 0), 12_000n, 1000)
    const zeroed = again(steady, 0n, 0)
    expect(zeroed).toMatchObject({ perSecond: { inBytes: 1000 }, difference: { inBytes: 0n } })
    expect(again(zeroed, 2000n, 250)).toMatchObject({ perSecond: { inBytes: 1000 }, difference: { inBytes: 2000n } })
  })

  test('that were zeroed and have overtaken what they were: the kernel\'s average tells', () => {
    const before = measure(undefined, listed(1500n, 1000), 0)
    expect(again(before, 2000n, 250)).toMatchObject({ perSecond: { inBytes: 1000 }, difference: { inBytes: 2000n } })
    // And where nobody zeroed them.
    expect(again(before, 2000n, 812)).toMatchObject({ perSecond: { inBytes: 250 }, difference: { inBytes: 500n } })
  })

  test('that the kernel stopped counting have no rate', () => {
    const steady = again(measure(undefined, listed(10_000n, 1000), 0), 12_000n, 1000)
    expect(again(steady, 12_000n, 1000, 2.4).perSecond.inBytes).toBe(1000)
    expect(again(steady, 12_000n, 1000, 2.6).perSecond.inBytes).toBe(0)
  })

  test('are told apart by name, and forgotten when they are gone for a look', () => {
    const meter = new RateMeter()
    meter.look(0)
    meter.measure('a', listed(0n))
    meter.measure('b', listed(0n))
    meter.look(1)
    expect(meter.measure('a', listed(2000n, 250)).perSecond.inBytes).toBe(1000)
    meter.look(2)
    expect(meter.measure('b', listed(4000n, 250)).perSecond.inBytes).toBe(250)
  })
})
