import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, test } from 'vitest'
import {
  checkConfiguration,
  configurationMistakes,
  configurationSchema,
  defaults,
  shapeMistakes,
} from '../../../lib/configuration/index.js'
import { RECORDS } from '../../../lib/configuration/table.js'
import { Random } from '../../kernel/rules-random.js'
import { docComments } from './support/descriptions.js'
import { examples } from './support/examples.js'
import { fromSchema, spoil } from './support/from-schema.js'

const descriptions = docComments()
const schema = configurationSchema(descriptions)
const valid = new Ajv2020({ strict: true, strictTypes: false, allowUnionTypes: true }).compile(schema)

test('the schema that ships is what the table makes', async () => {
  // `npx vitest run -u` writes it anew.
  await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot('../../../lib/configuration/configuration.schema.json')
})

test('every type and property of the schema says what it is', () => {
  const silent = RECORDS.flatMap(({ type, fields }) => Object.keys(fields).filter((name) => name !== 'type' && descriptions(type, name) === undefined).map((name) => `${type}.${name}`))
  expect(silent).toEqual([])
})

test('a default is one that its doc comment names', () => {
  const words = (value: unknown): string =>
    (typeof value === 'string' ? value : JSON.stringify(value)).replaceAll(/[, ]/g, '').toLowerCase()
  const own = Object.entries(defaults).filter(([type]) => !['Tunnel', 'Persistence', 'Daemon'].includes(type))
  for (const [type, ones] of own) {
    for (const [name, value] of Object.entries(ones)) {
      // Empty lists and texts are said in words.
      if (value === '' || (Array.isArray(value) && value.length === 0)) continue
      expect(descriptions(type, name)?.replaceAll(/[, ]/g, '').toLowerCase(), `${type}.${name}`).toContain(words(value))
    }
  }
})

describe('schema and validation agree', () => {
  test.each(examples.map((example): [string, unknown] => [example.name, example.configuration]))('%s is good', (_name, configuration) => {
    expect(configurationMistakes(configuration)).toEqual([])
    expect(valid(configuration), JSON.stringify(valid.errors)).toBe(true)
    expect(checkConfiguration(configuration)).toBe(configuration)
  })

  test('on 1000 configurations of the right shape, and on those with a mistake or two', () => {
    let good = 0
    let bad = 0
    for (let seed = 1; seed <= 1000; seed++) {
      const random = new Random(seed)
      const configuration = fromSchema(random, schema)
      expect(shapeMistakes(configuration), `seed ${seed}: ${JSON.stringify(configuration)}`).toEqual([])
      expect(valid(configuration), `seed ${seed}: ${JSON.stringify(valid.errors)}`).toBe(true)
      for (let changes = random.integer(1, 2); changes > 0; changes--) spoil(random, configuration)
      const mistakes = shapeMistakes(configuration)
      const told = `seed ${seed}: ${JSON.stringify(configuration)} ${mistakes.map(({ message }) => message).join('; ')}`
      expect(valid(configuration), told).toBe(mistakes.length === 0)
      if (mistakes.length === 0) good++
      else bad++
    }
    // Both kinds were there.
    expect(good).toBeGreaterThan(10)
    expect(bad).toBeGreaterThan(500)
  })
})
