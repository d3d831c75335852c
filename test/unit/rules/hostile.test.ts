import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RulesError, formatRules, parseCommands, parseRules } from 'ipvs/rules'
import { optionSpellings } from '../../../lib/rules/language.js'
import { Random, randomRules } from '../../kernel/rules-random.js'

const spellings = optionSpellings.flatMap(({ long, short }) => [`--${long}`, ...(short ? [`-${short}`] : [])])
const values = [
  '10.0.0.1:80',
  '[::1]:80',
  '10.0.0.1',
  '0',
  '-1',
  '65536',
  '4294967296',
  'sh',
  'mh-port',
  ',',
  '',
  '[',
  ']:',
  ':',
  '-',
  '--',
  '=',
  '#',
  '#ipvs:',
  'ipvsadm',
  '__proto__',
  'constructor',
  '1e3',
  '0x',
  'ff02::1',
  '\t',
  '\r',
]

const word = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...spellings) },
  { weight: 3, arbitrary: fc.constantFrom(...values) },
  fc.string(),
)
const glued = fc.tuple(fc.constantFrom(...spellings), fc.constantFrom('', '='), word).map((parts) => parts.join(''))
const line = fc.array(fc.oneof(word, glued), { maxLength: 12 }).map((words) => words.join(' '))
const text = fc.oneof(fc.array(line, { maxLength: 6 }).map((lines) => lines.join('\n')), fc.string({ unit: 'binary' }))

/** What a reader throws at a text, if it does. */
function thrownBy(read: () => unknown): unknown {
  try {
    read()
    return undefined
  } catch (error) {
    return error
  }
}

test('any text is read, or refused with the place of the mistake', { timeout: 60_000 }, () => {
  let [taken, refused] = [0, 0]
  fc.assert(fc.property(text, (rules) => {
    for (const read of [parseCommands, parseRules]) {
      const error = thrownBy(() => read(rules))
      if (error === undefined) {
        taken++
        continue
      }
      refused++
      expect(error).toBeInstanceOf(RulesError)
      const { line: at, column, errors } = error as RulesError
      const rows = rules.split('\n')
      expect(at).toBeGreaterThan(0)
      expect(at).toBeLessThanOrEqual(rows.length)
      expect(column).toBeGreaterThan(0)
      expect(column).toBeLessThanOrEqual(rows[at - 1].length + 1)
      expect(errors[0]).toBe(error)
    }
  }), { seed: 1, numRuns: 1500 })
  expect([taken > 0, refused > 0]).toEqual([true, true])
})

test('a table survives being written and read again', { timeout: 60_000 }, () => {
  let lines = 0
  for (let seed = 1; seed <= 100; seed++) {
    const rules = randomRules(new Random(seed)).join('\n')
    const full = formatRules(parseRules(rules, { names: 'refuse' }), { full: true })
    expect(formatRules(parseRules(full, { names: 'refuse' }), { full: true }).split('\n').sort(), rules).toEqual(full.split('\n').sort())
    lines += full.split('\n').length - 1
  }
  expect(lines).toBeGreaterThan(100)
})
