import type { Broken, Cause, Finding, Role } from './types.js'

/** What a row has found: a finding without what is the same for all findings of the row. */
export interface Found extends Pick<Finding, 'breaks'> {
  /** The row's own by default. */
  missing?: string
  certainty?: Finding['certainty']
  client?: string
  mend?: string[]
  causes?: Cause[]
}

/** A row of the table of preparations: what can be missing, and how it is found. docs/doctor.md has the same table. */
export interface Row<Sight> {
  /** Its name, by which findings and the table refer to it. */
  name: string
  on: Role
  severity: Finding['severity']
  certainty: Finding['certainty']
  /** What is missing. */
  missing: string
  /** What the client sees. */
  client: string
  /** What tells it. */
  sign: string
  look(sight: Sight): Promise<Found[]> | Found[]
}

export const findingOf = <Sight>(row: Row<Sight>, found: Found): Finding => ({
  row: row.name,
  severity: row.severity,
  certainty: found.certainty ?? row.certainty,
  missing: found.missing ?? row.missing,
  breaks: found.breaks,
  client: found.client ?? row.client,
  mend: found.mend ?? [],
  causes: found.causes ?? [],
})

/** Values by a key, in the order in which the keys came. */
export function grouped<Value>(values: Iterable<Value>, keyOf: (value: Value) => string): Map<string, Value[]> {
  const groups = new Map<string, Value[]>()
  for (const value of values) {
    const key = keyOf(value)
    const group = groups.get(key)
    if (group) group.push(value)
    else groups.set(key, [value])
  }
  return groups
}

/** Finds with the same words become one that breaks all that they break. */
export function merged(found: readonly Found[]): Found[] {
  return [...grouped(found, ({ breaks: _, ...rest }) => JSON.stringify(rest)).values()].map((group) => ({
    ...group[0], breaks: group.flatMap(({ breaks }) => breaks),
  }))
}

export type { Broken }
