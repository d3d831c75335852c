import { describe, expect, it } from 'vitest'
import { argumentsFor, parseBenchArguments } from '../../../scripts/bench/arguments.js'
import { place } from '../../../scripts/bench/place.js'
import { formatTable } from '../../../scripts/bench/report.js'
import { isMet } from '../../../scripts/bench/row.js'
import { suitesByDefault, suitesOfAShape } from '../../../scripts/bench/suites.js'

describe('the options of npm run bench', () => {
  it('run every part by default that does not have to be named', () => {
    expect(parseBenchArguments([])).toMatchObject({ only: suitesByDefault, shape: undefined, rounds: 5, large: false, help: false })
  })

  it('take a shape, and then run the parts that have one', () => {
    expect(parseBenchArguments(['--services', '200', '--destinations', '4'])).toMatchObject({
      shape: { services: 200, destinations: 4 },
      only: suitesOfAShape,
    })
    expect(parseBenchArguments(['--services', '200']).shape).toEqual({ services: 200, destinations: 10 })
    expect(parseBenchArguments(['--destinations', '500']).shape).toEqual({ services: 1, destinations: 500 })
  })

  it('name the parts that take long, alone or all that is about a fleet', () => {
    expect(suitesByDefault).not.toContain('followers')
    expect(parseBenchArguments(['--only', 'followers']).only).toEqual(['followers'])
    expect(parseBenchArguments(['--only', 'fleet']).only).toEqual(['followers', 'three-directors'])
  })

  it('choose parts, which keep their order', () => {
    expect(parseBenchArguments(['--only', 'bulk', '--only', 'single']).only).toEqual(['single', 'bulk'])
  })

  it('are handed on with other parts', () => {
    const given = parseBenchArguments(['--services', '200', '--large', '--rounds', '7'])
    expect(parseBenchArguments(argumentsFor(given, ['native'], 'native.json'))).toEqual({ ...given, only: ['native'], json: 'native.json' })
  })

  it('hand on what is the lab\'s', () => {
    expect(parseBenchArguments(['--on', 'qemu', '--suite', 'trixie', '--timeout', '60']).lab).toEqual([
      '--on',
      'qemu',
      '--suite',
      'trixie',
      '--timeout',
      '60',
    ])
  })

  it.each([
    [['--services', '0'], '--services'], [['--destinations', 'many'], '--destinations'], [['--rounds', '1.5'], '--rounds'],
    [['--only', 'everything'], '--only'], [['--fast'], '--fast'],
  ])('%j is refused, by name', (args, name) => expect(() => parseBenchArguments(args)).toThrow(name))
})

describe('goals', () => {
  it.each([
    [{ ratio: 1.2, goal: 1.25 }, true], [{ ratio: 1.3, goal: 1.25 }, false], [{ value: 6, goal: 5, atLeast: true }, true],
    [{ value: 4, goal: 5, atLeast: true }, false], [{ value: 4 }, undefined],
  ])('%j: met is %s', (part, met) => expect(isMet({ what: '', value: 0, unit: '×', ...part })).toBe(met))
})

describe('the printed table', () => {
  it('has a line for each row, in columns', () => {
    expect(formatTable('Work', [
      { what: 'add', value: 1.5, unit: 'µs/rule', reference: 1, ratio: 1.5, goal: 1.25 },
      { what: 'held', value: 4000, unit: 'µs', goal: 5000 },
      { what: 'script', value: 6, unit: '×', goal: 5, atLeast: true, note: 'faster' },
    ])).toEqual([
      'Work',
      '              measured   C reference   ratio  goal',
      '  add     1.50 µs/rule  1.00 µs/rule  1.50 ×  ≤ 1.25 × MISSED',
      '  held         4.00 ms                        ≤ 5.00 ms met',
      '  script        6.00 ×                        ≥ 5.00 × met     faster',
    ])
  })

  it('shows how single calls are spread, up to the slowest thousandth', () => {
    const distribution = {
      count: 1000, minimum: 1, median: 2, p99: 4, p999: 4, maximum: 900, mean: 2.5,
      histogram: [{ from: 1, to: 2, count: 600 }, { from: 2, to: 4, count: 399 }, { from: 4, to: 900, count: 1 }],
    }
    const lines = formatTable('Calls', [{ what: 'add', value: 2, unit: 'µs/call', distribution }])
    expect(lines).toContain('  add: 1,000 calls, median 2.00 µs, p99 4.00 µs, p99.9 4.00 µs, longest 900 µs')
    expect(lines.at(-1)).toBe('    1 took longer')
  })
})

describe('where figures come from', () => {
  it.each([
    ['vendor_id\t: User Mode Linux\nmodel name\t: UML\n', 'uml'],
    ['vendor_id\t: AuthenticAMD\nmodel name\t: QEMU TCG CPU version 2.5+\n', 'tcg'],
    ['vendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Xeon(R) Processor\n', 'native'],
  ])('is read from what the processor calls itself', (cpuinfo, expected) => expect(place(cpuinfo)).toBe(expected))
})
