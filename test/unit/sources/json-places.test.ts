import { describe, expect, test } from 'vitest'
import { jsonFault, jsonPlaces } from '../../../lib/sources/json-places.js'

const text = `{
  "services": [
    { "address": "10.0.0.1", "port": 80 },
    {
      "address": "10.0.0.2",
      "destinations": [{ "address": "x", "checks": [] }]
    }
  ]
}
`

describe('a file in JSON', () => {
  test('tells where a value is, and where one is missing', () => {
    expect(
      jsonPlaces(text, ['services[1].destinations[0].address', 'services[0].port', 'services[1].port', 'timeouts.tcp', 'services[7]', '']),
    ).toEqual([
      { line: 6, column: 26 },
      { line: 3, column: 30 },
      { line: 4, column: 5 },
      { line: 1, column: 1 },
      { line: 2, column: 3 },
      { line: 1, column: 1 },
    ])
  })

  test.each([
    ['{"a": 1,}', 1, 9, 'a property in double quotes'],
    ['{\n  "a": [1, 2\n}', 3, 1, '\',\' or \']\''],
    ['{"a" 1}', 1, 6, '\':\''],
    ['', 1, 1, 'the file ends where a value is expected'],
    ['{', 1, 2, 'the file ends'],
    ['{"a": 01}', 1, 8, '\',\' or \'}\''],
    ['{"a": "x\n"}', 1, 7, 'a value'],
    ['{} {}', 1, 4, 'the end of the file'],
    ['{a: 1}', 1, 2, 'a property in double quotes'],
  ])('%j is none, and the place is told', (bad, line, column, words) => {
    expect(() => JSON.parse(bad) as unknown).toThrow()
    const fault = jsonFault(bad)
    expect(fault).toMatchObject({ line, column })
    expect(fault!.message).toContain(words)
  })

  test.each([text, '[]', '"x"', ' null ', '{"a":[{"b":-1.5e+3}],"\\u0061\\n":true}'])('%j is one', (good) => {
    expect(jsonFault(good)).toBeUndefined()
  })

  test('that is nested without end is refused, not a crash', () => {
    expect(jsonFault('['.repeat(1_000_000))?.message).toBeDefined()
  })
})
