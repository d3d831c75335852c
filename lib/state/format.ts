import type { Operation } from '../model/types.js'
import { endpointWords, serviceWords } from '../model/keys.js'
import type { Plan } from './types.js'

/** The entry that an operation is about, in words. */
function subject(operation: Operation): string {
  switch (operation.type) {
    case 'addDestination':
    case 'updateDestination':
    case 'removeDestination': return `${endpointWords(operation.destination)} of ${serviceWords(operation.service)}`
    case 'addService':
    case 'updateService':
    case 'removeService': return serviceWords(operation.service)
    case 'startDaemon':
    case 'stopDaemon': return operation.daemon.role
    default: return ''
  }
}

/**
 * Writes a plan as text for people, with a line for each operation, draining destination and warning.
 *
 * @example
 * ```js
 * console.log(formatPlan(await ipvs.plan([{ ...web, scheduler: 'wlc' }])))
 * ```
 */
export function formatPlan({ operations, warnings, draining = [] }: Plan): string {
  const lines = operations.map((operation) => [operation.type, subject(operation)].filter(Boolean).join(' ') + ` (${operation.reason})`)
  const waiting = draining.map(({ service, destination, activeConnections, inactiveConnections, persistentConnections }) =>
    `draining ${endpointWords(destination)} of ${serviceWords(service)} (${activeConnections} active, ${inactiveConnections} inactive, ${persistentConnections} persistent connections)`)
  return [...lines.length === 0 ? ['nothing to do'] : lines, ...waiting, ...warnings.map(({ message }) => `warning: ${message}`)].join('\n')
}
