import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'

const schema = JSON.parse(readFileSync(new URL('../../lib/command/output.schema.json', import.meta.url), 'utf8')) as { $defs: object }
const ajv = new Ajv2020({ strict: true, allErrors: true, formats: { 'date-time': true } })
ajv.addSchema(schema, 'output')

/** The definitions of what `--json` prints. */
export const outputDefinitions = Object.keys(schema.$defs)

/** What is wrong with a value, by a definition of the schema of what `--json` prints. */
export function outputMistakes(definition: string, value: unknown): unknown[] {
  const validate = ajv.getSchema(`output#/$defs/${definition}`)!
  return validate(value) === true ? [] : validate.errors ?? []
}
