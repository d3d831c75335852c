import { createHash } from 'node:crypto'
import { canonicalKey } from '../client/draft.js'
import type { PackedTable } from '../client/packed-table.js'
import { worked, type Steps } from '../client/pause.js'
import { destinationId, serviceId, serviceWords } from '../model/keys.js'
import type { Operation, ServiceKey } from '../model/types.js'
import { configurationOf, serviceConfigurationOf } from './configuration.js'

/** What an operation is about: a service, or a word for what the table has beside them. */
export type Subject = { id: string, key?: ServiceKey }

export function subjectOf(operation: Operation): Subject | undefined {
  if ('service' in operation && operation.service !== undefined) {
    const key = canonicalKey(operation.service)
    return { id: serviceId(key), key }
  }
  if (operation.type === 'setTimeouts') return { id: 'timeouts' }
  return operation.type === 'startDaemon' || operation.type === 'stopDaemon' ? { id: 'daemons' } : undefined
}

export const subjectWords = ({ id, key }: Subject): string => key === undefined ? `the ${id === 'daemons' ? 'sync daemons' : id}` : serviceWords(key)

const digest = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 22)

/** A digest of what a service is like, with its destinations, whatever their order and whatever they have counted. */
function* digestOf(table: PackedTable, service: number): Steps<string> {
  const listed = table.destinations(service)
  const destinations: [id: string, text: string][] = []
  for (let number = 0; number < listed.count; number++) {
    if (worked()) yield
    if (listed.isRepeated(number)) continue
    const destination = configurationOf(listed.read(number))
    destinations.push([destinationId(destination), JSON.stringify(destination)])
  }
  destinations.sort(([one], [other]) => one < other ? -1 : 1)
  return digest(JSON.stringify([serviceConfigurationOf(table.service(service)), destinations]))
}

/** What the subjects of a plan are like in a table, as digests: by these `apply` knows whether any has changed since. */
export function* basisOf(subjects: Iterable<Subject>, table: PackedTable): Steps<Record<string, string>> {
  const basis: Record<string, string> = {}
  for (const { id, key } of subjects) {
    if (id in basis) continue
    if (key === undefined) {
      basis[id] = digest(JSON.stringify(id === 'timeouts' ? table.timeouts : table.daemons))
      continue
    }
    const service = table.numberOf(id)
    basis[id] = service < 0 ? 'absent' : yield* digestOf(table, service)
  }
  return basis
}
