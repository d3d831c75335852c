import { destinationId, endpointWords, serviceId, serviceWords } from '../model/keys.js'
import type { Destination, DestinationKey, Table } from '../model/types.js'
import { RulesError } from './error.js'
import type { Named, NamedRuleOperation, NamedTable, Position } from './types.js'

type NamedService = NamedTable['services'][number]
type NamedDaemon = NonNullable<NamedTable['daemons']>[number]
type NamedServiceKey = Extract<NamedRuleOperation, { type: 'removeService' }>['service']

/** The kernel's initial timeouts in seconds. A 0 of `--set` keeps them. */
const initialTimeouts = { tcp: 900, tcpFin: 120, udp: 300 }
/** The kernel's defaults for daemons. The length is that for an interface with the usual MTU of 1500 bytes. */
const daemonDefaults = { group: '224.0.0.81', port: 8848, ttl: 1 }
const daemonMaxLength = (group: string): number => 1500 - (group.includes(':') ? 40 : 20) - 8

/** A service of the table that is being made. */
interface Entry {
  service: NamedService
  destinations: Map<string, NamedService['destinations'][number]>
  /** The line that added the service; `undefined` if it was there before. */
  line?: number
}

/** An IPVS table that refuses what the kernel would refuse. */
export class TableModel {
  readonly #services = new Map<string, Entry>()
  readonly #daemons = new Map<string, NamedDaemon>()
  #timeouts: Table['timeouts']

  /** @param table the initial table; empty by default */
  constructor({ services = [], timeouts, daemons = [] }: Partial<NamedTable> = {}) {
    for (const { destinations, ...service } of services) {
      const byKey = new Map(destinations.map((destination) => [destinationId(destination), destination]))
      this.#services.set(serviceId(service), { service: { ...service, destinations: [] }, destinations: byKey })
    }
    this.#timeouts = timeouts
    for (const daemon of daemons) this.#daemons.set(daemon.role, daemon)
  }

  /**
   * Carries out an operation.
   *
   * @throws RulesError if the kernel would refuse it.
   */
  carryOut(operation: NamedRuleOperation): void {
    const { line, column } = operation
    switch (operation.type) {
      case 'addService': {
        const { service } = operation
        const known = this.#services.get(serviceId(service))
        if (known) {
          const since = known.line === undefined ? 'it is there already' : `it is there since line ${known.line}`
          throw new RulesError(`service ${serviceWords(service)} a second time`, `it once (${since}), or -E`, line, column)
        }
        const added = { ...(service as NamedService), destinations: [] }
        this.#services.set(serviceId(service), { service: added, destinations: new Map(), line })
        break
      }
      case 'updateService': {
        const entry = this.#entry(operation.service, operation)
        entry.service = { ...operation.service, destinations: [] }
        break
      }
      case 'removeService':
        this.#entry(operation.service, operation)
        this.#services.delete(serviceId(operation.service))
        break
      case 'addDestination': {
        const { destinations } = this.#entry(operation.service, operation)
        const destination = operation.destination as NamedService['destinations'][number]
        const id = destinationId(destination)
        if (destinations.has(id)) {
          throw new RulesError(`destination ${endpointWords(destination)} a second time`, 'it once, or -e', line, column)
        }
        checkThresholds(destination, operation)
        destinations.set(id, destination)
        break
      }
      case 'updateDestination': {
        const { destinations } = this.#entry(operation.service, operation)
        const { destination } = operation
        requireDestination(destinations, destination, operation)
        checkThresholds(destination, operation)
        destinations.set(destinationId(destination), destination)
        break
      }
      case 'removeDestination': {
        const { destinations } = this.#entry(operation.service, operation)
        requireDestination(destinations, operation.destination, operation)
        destinations.delete(destinationId(operation.destination))
        break
      }
      case 'zero':
        if (operation.service) this.#entry(operation.service, operation)
        break
      case 'flush':
        this.#services.clear()
        break
      case 'setTimeouts': {
        const { tcp, tcpFin, udp } = operation.timeouts
        const before = this.#timeouts ?? initialTimeouts
        this.#timeouts = { tcp: tcp || before.tcp, tcpFin: tcpFin || before.tcpFin, udp: udp || before.udp }
        break
      }
      case 'startDaemon': {
        const { daemon } = operation
        if (this.#daemons.has(daemon.role)) throw new RulesError(`a second ${daemon.role} daemon`, 'one of each role', line, column)
        const { group = daemonDefaults.group, port = daemonDefaults.port, ttl = daemonDefaults.ttl, syncId = 0 } = daemon
        const { maxLength = daemonMaxLength(group) } = daemon
        this.#daemons.set(daemon.role, { role: daemon.role, interface: daemon.interface, syncId, maxLength, group, port, ttl })
        break
      }
      case 'stopDaemon':
        if (!this.#daemons.delete(operation.daemon.role)) {
          throw new RulesError(`no ${operation.daemon.role} daemon runs`, '--start-daemon before', line, column)
        }
    }
  }

  table(): NamedTable {
    const table: NamedTable = {
      services: [...this.#services.values()].map(({ service, destinations }) => ({ ...service, destinations: [...destinations.values()] })),
    }
    if (this.#timeouts) table.timeouts = this.#timeouts
    if (this.#daemons.size > 0) table.daemons = [...this.#daemons.values()]
    return table
  }

  #entry(service: NamedServiceKey, { line, column }: Position): Entry {
    const entry = this.#services.get(serviceId(service))
    if (!entry) throw new RulesError(`no service ${serviceWords(service)}`, 'a line before that adds it (-A)', line, column)
    return entry
  }
}

function requireDestination(destinations: Entry['destinations'], key: Named<DestinationKey>, { line, column }: Position): void {
  if (destinations.has(destinationId(key))) return
  throw new RulesError(`no destination ${endpointWords(key)}`, 'a line before that adds it (-a)', line, column)
}

type Thresholds = Pick<Destination, 'upperThreshold' | 'lowerThreshold'>

function checkThresholds({ upperThreshold, lowerThreshold }: Thresholds, { line, column }: Position): void {
  if (lowerThreshold <= upperThreshold) return
  const problem = `lower threshold ${lowerThreshold} above the upper threshold ${upperThreshold}`
  throw new RulesError(problem, 'at most the upper one', line, column)
}
