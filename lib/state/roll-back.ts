import type { PackedTable } from '../client/packed-table.js'
import { keyOf, serviceId } from '../model/keys.js'
import type { Destination, Operation, ServiceKey } from '../model/types.js'
import { configurationOf } from './configuration.js'
import type { Outcome } from './types.js'

/** The destinations of a service, in the order in which they were added. */
function destinationsOf(table: PackedTable, service: number): Destination[] {
  const listed = table.destinations(service)
  const destinations: Destination[] = []
  // The kernel lists the last one added first.
  for (let number = listed.count - 1; number >= 0; number--) if (!listed.isRepeated(number)) destinations.push(configurationOf(listed.read(number)))
  return destinations
}

/** What undoes an operation, with the table as it was before; in the order it has to be sent. */
function inverse(operation: Operation, before: PackedTable): Operation[] {
  const numberOf = (service: ServiceKey): number => before.numberOf(serviceId(service))
  switch (operation.type) {
    case 'addService': return [{ type: 'removeService', service: keyOf(operation.service) }]
    case 'updateService': return [{ type: 'updateService', service: before.service(numberOf(operation.service)) }]
    case 'removeService': {
      const { service: key } = operation
      return [
        { type: 'addService', service: before.service(numberOf(key)) },
        ...destinationsOf(before, numberOf(key)).map((destination): Operation => ({ type: 'addDestination', service: key, destination })),
      ]
    }
    case 'addDestination': return [{ type: 'removeDestination', service: operation.service, destination: { address: operation.destination.address, port: operation.destination.port } }]
    case 'updateDestination':
    case 'removeDestination': {
      const { service, destination: { address, port } } = operation
      const destination = configurationOf(before.readDestination(numberOf(service), { address, port }))
      return [{ type: operation.type === 'updateDestination' ? 'updateDestination' : 'addDestination', service, destination }]
    }
    case 'setTimeouts': return [{ type: 'setTimeouts', timeouts: Object.fromEntries(Object.keys(operation.timeouts).map((name) => [name, before.timeouts[name as 'tcp']])) }]
    case 'startDaemon': return [{ type: 'stopDaemon', daemon: { role: operation.daemon.role } }]
    case 'stopDaemon': {
      const daemon = before.daemons.find(({ role }) => role === operation.daemon.role)!
      return [{ type: 'startDaemon', daemon: daemon.maxLength === 0 ? { role: daemon.role, interface: daemon.interface, syncId: daemon.syncId } : daemon }]
    }
    default: return []
  }
}

/** What undoes what is in force, and what may be, last first. */
export function inverses(outcomes: readonly Outcome[], before: PackedTable): Operation[] {
  // The removal of a new service takes its destinations with it.
  const newServices = new Set(outcomes.filter(({ operation, outcome }) => operation.type === 'addService' && outcome === 'done')
    .map(({ operation }) => serviceId((operation as { service: ServiceKey }).service)))
  const needless = (operation: Operation): boolean => operation.type === 'addDestination' && newServices.has(serviceId(operation.service))
  return outcomes.filter(({ operation, outcome }) => (outcome === 'done' || outcome === 'unknown') && !needless(operation)).toReversed()
    .flatMap(({ operation }) => inverse(operation, before))
}
