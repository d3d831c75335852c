import type { Random } from '../../../kernel/rules-random.js'

type Schema = Record<string, unknown>

/** Texts of which each pattern of the schema takes some. */
const texts = [
  '192.0.2.1',
  '2001:db8::1',
  '::ffff:192.0.2.1',
  '255.255.255.0',
  'rr',
  'mh',
  'sip',
  'eth0',
  '/run/drain',
  '/usr/bin/check',
  'www.example.org',
  '.',
  'nobody',
  '9c9a9a5a8f2d0c6d0c7e1a3b5d7f9e0a',
  '00ff',
  'xx 01',
  'is',
  '',
  'ready: *yes',
  'a b',
]
const wrong: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  2 ** 31,
  2 ** 32,
  4,
  6,
  'x',
  '',
  '10.0.0.01',
  '10.0.0.1/8',
  '/x y',
  'fe80::1%eth0',
  '1::2::3',
  '1:2:3:4:5:6:7:8:9',
  'a\nb',
  '\u{1f600}',
  [],
  {},
  [1, 2],
  [200, 299, 300],
  { type: 'tcp' },
  { type: 'none' },
]

/** A value that a JSON schema allows. Only what the configuration's schema consists of is understood. */
export function fromSchema(random: Random, root: Schema, schema: Schema = root, depth = 0): unknown {
  if (typeof schema.$ref === 'string')
    return fromSchema(random, root, (root.$defs as Record<string, Schema>)[schema.$ref.slice('#/$defs/'.length)], depth + 1)
  if (Array.isArray(schema.anyOf)) return fromSchema(random, root, random.pick(schema.anyOf as Schema[]), depth)
  if (Array.isArray(schema.enum)) return random.pick(schema.enum)
  switch (schema.type) {
    case 'null':
      return null
    case 'boolean':
      return random.chance(0.5)
    case 'integer':
      return random.pick([
        schema.minimum,
        schema.maximum,
        random.integer(schema.minimum as number, Math.min(schema.maximum as number, 1000)),
      ])
    case 'number':
      return random.pick([schema.minimum, schema.maximum, 2.5])
    case 'string':
      return random.pick(texts.filter((text) => new RegExp(schema.pattern as string, 'u').test(text)))
    case 'array': {
      const least = (schema.minItems as number | undefined) ?? 0
      const length = random.integer(least, (schema.maxItems as number | undefined) ?? Math.max(least, 3))
      return Array.from({ length }, () => fromSchema(random, root, schema.items as Schema, depth))
    }
    case 'object': {
      const required = (schema.required as string[] | undefined) ?? []
      const chosen = Object.entries(schema.properties as Record<string, Schema>).filter(
        ([name]) => required.includes(name) || random.chance(0.4),
      )
      return Object.fromEntries(chosen.map(([name, one]) => [name, fromSchema(random, root, one, depth)]))
    }
  }
  throw new Error(`no value for ${JSON.stringify(schema)}`)
}

/** Every object and array of a value. */
function* containers(value: unknown): Generator<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return
  yield value as Record<string, unknown>
  for (const one of Object.values(value)) yield* containers(one)
}

/** Changes one place of a value: something else is there, something is missing, or something is too much. */
export function spoil(random: Random, value: unknown): void {
  const target = random.pick([...containers(value)])
  const names = Object.keys(target)
  const name = names.length === 0 ? '0' : random.pick(names)
  if (random.chance(0.2)) target.surprise = 1
  else if (random.chance(0.3) && !Array.isArray(target)) delete target[name]
  else target[name] = structuredClone(random.pick(wrong))
}
