import type { Destination, Operation, Service } from '../model/types.js'
import { daemonLine, destinationLine, serviceLine, spellService, timeoutsLine } from './format-rules.js'
import { defaults } from './language.js'
import { spellEndpoint } from './spelling.js'

const service: Omit<Service, 'protocol' | 'address' | 'port' | 'fwmark' | 'family'> =
  { scheduler: defaults.scheduler, schedulerFlags: [], onePacket: false, persistence: null, persistenceEngine: null }
const destination: Omit<Destination, 'address' | 'port'> =
  { forward: defaults.forward, weight: defaults.weight, upperThreshold: 0, lowerThreshold: 0, tunnel: null }
const tunnel = { type: 'ipip', checksum: 'none' } as const

/**
 * Writes operations as commands in ipvsadm's language, one a line, in their order. `parseCommands` and `ipvs -R` read the same operations
 * back. Lines that ipvsadm cannot carry out begin with `#ipvs:`, as in a full save.
 *
 * @example
 * ```js
 * import { formatCommands } from 'ipvs/rules'
 *
 * console.log(formatCommands([{ type: 'addService', service: { protocol: 'tcp', address: '192.0.2.1', port: 80, scheduler: 'rr' } }]))
 * ```
 */
export function formatCommands(operations: Iterable<Operation>): string {
  let text = ''
  for (const operation of operations) text += `${formatCommand(operation)}\n`
  return text
}

function formatCommand(operation: Operation): string {
  switch (operation.type) {
    case 'addService':
    case 'updateService': {
      const persistence = operation.service.persistence ? { timeout: defaults.persistenceTimeout, ...operation.service.persistence } : null
      const complete = { ...service, ...operation.service, persistence } as Service
      return serviceLine(operation.type === 'addService' ? '-A' : '-E', complete, { full: true })
    }
    case 'removeService':
      return `-D ${spellService(operation.service)}`
    case 'addDestination':
    case 'updateDestination': {
      const given = operation.destination
      const complete = { ...destination, ...given, tunnel: given.forward === 'tun' ? { ...tunnel, ...given.tunnel } : null }
      return destinationLine(operation.type === 'addDestination' ? '-a' : '-e', operation.service, complete, { full: true })
    }
    case 'removeDestination': {
      const { address, port } = operation.destination
      return `-d ${spellService(operation.service)} -r ${spellEndpoint(address, port, undefined)}`
    }
    case 'zero':
      return operation.service ? `-Z ${spellService(operation.service)}` : '-Z'
    case 'flush':
      return '-C'
    case 'setTimeouts':
      return timeoutsLine(operation.timeouts)
    case 'startDaemon':
      return daemonLine(operation.daemon)
    case 'stopDaemon':
      return `--stop-daemon ${operation.daemon.role}${operation.daemon.syncId ? ` --syncid ${operation.daemon.syncId}` : ''}`
  }
}
