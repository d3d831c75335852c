import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  completeConfiguration,
  type CompleteService,
  type DirectedDestination,
  type ServiceDirections,
} from '../../../lib/configuration/index.js'
import { decide, livingWeight, partOf, tableOf, type Health, type Standing } from '../../../lib/director/decide.js'

const web = { protocol: 'tcp', address: '10.0.0.1', port: 80 } as const
const real = (last: number, weight = 1, extra: Partial<DirectedDestination> = {}): DirectedDestination => ({ address: `10.0.0.${100 + last}`, port: 80, forward: 'nat', weight, ...extra })
const sorry = { address: '10.0.0.200', port: 80, forward: 'nat' } as const

const complete = (
  destinations: DirectedDestination[],
  directions: ServiceDirections & { scheduler?: string, schedulerFlags?: string[] } = {},
): CompleteService => completeConfiguration({ services: [{ ...web, ...directions, destinations }] }).services[0]

const up = (weight = 1, extra: Partial<Health> = {}): Health => ({ up: true, weight, ...extra })
const down = (weight = 1, extra: Partial<Health> = {}): Health => ({ up: false, weight, ...extra })
const fresh: Standing = { quorum: true, last: [] }

/** The table as `LAST OCTET=WEIGHT`, after each of these states of the destinations. */
function tables(service: CompleteService, ...states: Health[][]): string[] {
  let standing = fresh
  return states.map((healths) => {
    standing = decide(service, healths, standing)
    return tableOf(service, healths, standing).destinations.map(({ address, weight }) => `${address.split('.')[3]}=${weight}`).join(' ')
  })
}

describe('a destination', () => {
  test('that is down leaves the table, or stays in it with weight 0', () => {
    const service = complete([real(1, 3), real(2, 2, { whenDown: 'zero' })])
    expect(tables(service, [up(3), up(2)], [down(3), up(2)], [up(3), down(2)])).toEqual(['101=3 102=2', '102=2', '101=3 102=0'])
  })

  test('has the weight that its checks say, and part of it while it grows', () => {
    const service = complete([real(1, 3), real(2, 100)])
    expect(tables(service, [up(7), up(100, { share: 0 })], [up(0), up(100, { share: 0.255 })])).toEqual(['101=7 102=1', '101=0 102=25'])
    expect(partOf(1, 0.2)).toBe(1)
    expect(partOf(0, 0.2)).toBe(0)
  })

  test('that was there with weight 0 before the director began keeps its place until it is known to be empty', () => {
    const service = complete([real(1), real(2)])
    expect(tables(service, [up(), down(1, { stays: true })], [up(), down()])).toEqual(['101=1 102=0', '101=1'])
  })
})

describe('the quorum', () => {
  test('is the weight of the living together, with hysteresis', () => {
    const service = complete([real(1), real(2), real(3), real(4)], { quorum: 3, hysteresis: 1 })
    const living = (count: number): Health[] => [0, 1, 2, 3].map((number) => number < count ? up() : down())
    let standing = fresh
    const reached = [4, 3, 2, 1, 2, 3, 4, 2].map((count) => (standing = decide(service, living(count), standing)).quorum)
    expect(reached).toEqual([true, true, true, false, false, false, true, true])
  })

  test('without a fallback is only told: the living go on', () => {
    expect(tables(complete([real(1), real(2)], { quorum: 2 }), [up(), down()])).toEqual(['101=1'])
  })

  test('below it the fallback serves, the living have weight 0, and back again', () => {
    const service = complete([real(1), real(2)], { quorum: 2, fallback: sorry })
    expect(tables(service, [up(), up()], [up(), down()], [down(), down()], [up(), up()])).toEqual([
      '101=1 102=1',
      '101=0 200=1',
      '200=1',
      '101=1 102=1',
    ])
  })

  test('a fallback waits in the table with weight 0 where it is told to', () => {
    expect(tables(complete([real(1)], { fallback: { ...sorry, weight: 5, whenIdle: 'zero' } }), [up()], [down()])).toEqual([
      '101=1 200=0',
      '200=5',
    ])
  })

  test('a fallback that is one of the destinations is one entry', () => {
    const service = complete([real(1, 4), real(2)], { quorum: 5, fallback: { ...real(1), weight: 1, whenIdle: 'zero' } })
    expect(tables(service, [up(4), up()], [up(4), down()], [down(4), up()])).toEqual(['101=4 102=1', '101=1', '102=0 101=1'])
  })

  test('the living leave the table where the scheduler refuses clients of weight 0', () => {
    const yielding = (scheduler: string, schedulerFlags: string[] = []): string[] =>
      tables(complete([real(1), real(2)], { quorum: 2, fallback: sorry, scheduler, schedulerFlags }), [up(), down()])
    expect(yielding('sh')).toEqual(['200=1'])
    expect(yielding('sh', ['sh-fallback'])).toEqual(['101=0 200=1'])
  })
})

describe('when all are down', () => {
  test('they are removed, or the last ones stay', () => {
    const destinations = [real(1, 2), real(2), real(3, 1, { whenDown: 'zero' })]
    const states = [[up(2), up(), up()], [up(2), up(), down()], [down(2), down(), down()], [down(2), up(), down()]]
    expect(tables(complete(destinations), ...states)).toEqual(['101=2 102=1 103=1', '101=2 102=1 103=0', '103=0', '102=1 103=0'])
    expect(tables(complete(destinations, { whenAllDown: 'keep' }), ...states)).toEqual([
      '101=2 102=1 103=1',
      '101=2 102=1 103=0',
      '101=2 102=1 103=0',
      '102=1 103=0',
    ])
  })

  test('the fallback comes before what was last', () => {
    expect(tables(complete([real(1)], { whenAllDown: 'keep', fallback: sorry }), [up()], [down()])).toEqual(['101=1', '200=1'])
  })
})

describe('whatever happens to any service', () => {
  const health = fc.record({ up: fc.boolean(), weight: fc.nat(5), share: fc.constantFrom(1, 0.5, 0), stays: fc.boolean() })
  const destination = fc.record({ weight: fc.nat(5), whenDown: fc.constantFrom('remove' as const, 'zero' as const) })
  const story = fc.array(destination, { minLength: 1, maxLength: 5 }).chain((destinations) =>
    fc.record({
      service: fc
        .record({
          quorum: fc.integer({ min: 1, max: 8 }),
          whenAllDown: fc.constantFrom('keep' as const, 'remove' as const),
          scheduler: fc.constantFrom('wlc', 'sh'),
          fallback: fc.constantFrom(undefined, sorry, { ...sorry, whenIdle: 'zero' as const }),
        })
        .chain((directions) =>
          fc.nat(directions.quorum - 1).map((hysteresis) =>
            complete(
              destinations.map((one, number) => real(number, one.weight, one)),
              { ...directions, hysteresis },
            ),
          ),
        ),
      states: fc.array(fc.array(health, { minLength: destinations.length, maxLength: destinations.length }), {
        minLength: 1,
        maxLength: 8,
      }),
    }),
  )

  test('the table follows from what is known, and nobody is sent to a dead server while another could serve', () => {
    fc.assert(fc.property(story, ({ service, states }) => {
      let standing = fresh
      for (const healths of states) {
        const before = standing
        standing = decide(service, healths, standing)
        const { quorum, hysteresis, fallback } = service
        const living = livingWeight(healths)
        if (living === 0) expect(standing.quorum).toBe(false)
        if (living >= quorum + hysteresis) expect(standing.quorum).toBe(true)
        if (living < quorum - hysteresis) expect(standing.quorum).toBe(false)
        if (living >= quorum - hysteresis && living < quorum + hysteresis) expect(standing.quorum).toBe(before.quorum)
        // What is decided holds until something is known anew.
        expect(decide(service, healths, standing)).toEqual(standing)
        const table = new Map(tableOf(service, healths, standing).destinations.map(({ address, weight }) => [address, weight!]))
        const serves = !standing.quorum && fallback !== undefined
        expect(table.get(sorry.address)).toBe(serves ? 1 : fallback?.whenIdle === 'zero' ? 0 : undefined)
        const anyUp = healths.some((one) => one.up)
        healths.forEach((one, number) => {
          const weight = table.get(`10.0.0.${100 + number}`)
          if (serves) expect(weight ?? 0).toBe(0)
          else if (one.up) {
            expect(weight).toBeGreaterThanOrEqual(Math.min(1, one.weight))
            expect(weight).toBeLessThanOrEqual(one.weight)
          } else if (anyUp || service.whenAllDown === 'remove') expect(weight ?? 0).toBe(0)
        })
      }
    }), { seed: 14, numRuns: 500 })
  })
})
