import type {
  BatchResult, Daemon, Destination, DestinationKey, ListedDestination, ListedTable, ListedTableService, Operation, Refusal, Service, ServiceKey,
} from 'ipvs'
import { packOperation } from '../../../../lib/client/operations.js'
import { Requests } from '../../../../lib/wire/pack/requests.js'

/**
 * A table as the kernel would keep it, for predictions: it refuses what the kernel refuses (a second entry, a missing one), and lists canonical, complete
 * configurations as the kernel does. It is handed to the planner in the kernel's place where a prediction is tested; the kernel's own word is in the kernel tests.
 */
export class Model {
  readonly #services = new Map<string, Entry>()
  timeouts = { tcp: 900, tcpFin: 120, udp: 300 }
  daemons: Daemon[] = []
  /** Every state between two operations is shown to it. */
  onStep: ((model: Model, operation: Operation) => void) | undefined

  /** Operations that a handle on it refuses, whatever there is. */
  refuses: ((operation: Operation) => boolean) | undefined

  /** How many destinations with a weight each service has. */
  capacity(): Map<string, number> {
    return new Map([...this.#services].map(([id, { destinations }]) => [id, [...destinations.values()].filter(({ weight }) => weight > 0).length]))
  }

  /** Connections of a destination, for tests of draining. */
  connect(service: ServiceKey, destination: DestinationKey, connections: { active?: number, inactive?: number, persistent?: number }): void {
    const found = this.#services.get(serviceId(service))!.destinations.get(destinationId(destination))!
    found.activeConnections = connections.active ?? 0
    found.inactiveConnections = connections.inactive ?? 0
    found.persistentConnections = connections.persistent ?? 0
  }

  /** Throws the name of the errno. Configurations must be complete, as plans have them. */
  carryOut(operation: Operation): void {
    switch (operation.type) {
      case 'addService':
        if (this.#services.has(serviceId(operation.service))) throw new Error('EEXIST')
        this.#services.set(serviceId(operation.service), { service: operation.service as Service, destinations: new Map() })
        break
      case 'updateService':
        this.#entry(operation.service).service = operation.service
        break
      case 'removeService':
        this.#entry(operation.service)
        this.#services.delete(serviceId(operation.service))
        break
      case 'addDestination': {
        const { destinations } = this.#entry(operation.service)
        const id = destinationId(operation.destination)
        if (destinations.has(id)) throw new Error('EEXIST')
        destinations.set(id, listed(operation.destination as Destination))
        break
      }
      case 'updateDestination':
        Object.assign(this.#destination(operation.service, operation.destination), operation.destination)
        break
      case 'removeDestination':
        this.#destination(operation.service, operation.destination)
        this.#entry(operation.service).destinations.delete(destinationId(operation.destination))
        break
      case 'setTimeouts':
        Object.assign(this.timeouts, operation.timeouts)
        break
      case 'startDaemon':
        if (this.daemons.some(({ role }) => role === operation.daemon.role)) throw new Error('EEXIST')
        if ([...this.#services.values()].some(({ service, destinations }) => [...destinations.values()].some(({ address }) => address.includes(':') !== isIPv6(service)))) throw new Error('EINVAL')
        this.daemons.push({ syncId: 0, maxLength: 1472, group: '224.0.0.81', port: 8848, ttl: 1, ...operation.daemon })
        break
      case 'stopDaemon':
        if (!this.daemons.some(({ role }) => role === operation.daemon.role)) throw new Error('ESRCH')
        this.daemons = this.daemons.filter(({ role }) => role !== operation.daemon.role)
        break
      default: throw new Error(`a plan has no ${operation.type}`)
    }
    this.onStep?.(this, operation)
  }

  snapshot(): Promise<ListedTable> {
    const services = [...this.#services.values()].map(({ service, destinations }): ListedTableService =>
      // The kernel lists the destination that was added last first.
      ({ ...service, ...counted, destinations: [...destinations.values()].reverse().map((destination) => ({ ...destination })) }))
    return Promise.resolve({ services, timeouts: { ...this.timeouts }, daemons: [...this.daemons] })
  }

  /** As a handle's: validates everything before it carries anything out. */
  // eslint-disable-next-line @typescript-eslint/require-await -- rejects where a handle rejects
  async batch(operations: Iterable<Operation>): Promise<BatchResult> {
    const requests = new Requests(1024)
    for (const operation of operations) packOperation(requests, operation)
    const given = [...operations]
    const refused: Refusal[] = []
    given.forEach((operation, index) => {
      try {
        if (this.refuses?.(operation) === true) throw new Error('refused')
        this.carryOut(operation)
      } catch (error) {
        refused.push({ index, operation, error: error as never })
      }
    })
    return { total: given.length, done: given.length - refused.length, refused, unknown: [], notSent: 0 }
  }

  #entry(service: ServiceKey): Entry {
    const entry = this.#services.get(serviceId(service))
    if (entry === undefined) throw new Error('ESRCH')
    return entry
  }

  #destination(service: ServiceKey, destination: DestinationKey): ListedDestination {
    const found = this.#entry(service).destinations.get(destinationId(destination))
    if (found === undefined) throw new Error('ENOENT')
    return found
  }
}

const isIPv6 = (service: ServiceKey): boolean => 'fwmark' in service ? service.family === 6 : service.address.includes(':')

interface Entry { service: Service, destinations: Map<string, ListedDestination> }

const counted = {
  stats: { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n },
  rates: { connections: 0, inPackets: 0, outPackets: 0, inBytes: 0, outBytes: 0 },
}

const listed = (destination: Destination): ListedDestination =>
  ({ ...destination, activeConnections: 0, inactiveConnections: 0, persistentConnections: 0, ...counted })

export const serviceId = (service: ServiceKey): string =>
  'fwmark' in service ? `fwmark ${service.fwmark} ${service.family}` : `${service.protocol} ${service.address} ${service.port}`

export const destinationId = ({ address, port }: DestinationKey): string => `${address} ${port}`
