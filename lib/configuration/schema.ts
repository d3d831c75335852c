import type { JsonSchema } from './shape.js'
import { CONFIGURATION, RECORDS } from './table.js'

/** Looks up the description of a type or of one of its properties. */
export type Descriptions = (type: string, property?: string) => string | undefined

const described = (schema: JsonSchema, description: string | undefined): JsonSchema =>
  description === undefined ? schema : { description, ...schema }

/** The JSON schema (draft 2020-12) of the configuration. */
export function configurationSchema(descriptions: Descriptions): JsonSchema {
  const definitions = RECORDS.map((one): [string, JsonSchema] => {
    const definition = one.definition()
    const properties = Object.entries(definition.properties as Record<string, JsonSchema>)
    return [one.type, described({
      ...definition,
      properties: Object.fromEntries(properties.map(([name, schema]) => [name, described(schema, descriptions(one.type, name))])),
    }, descriptions(one.type))]
  })
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Configuration of a director (ipvs director --config)',
    ...CONFIGURATION.schema(),
    $defs: Object.fromEntries(definitions),
  }
}
