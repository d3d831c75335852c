import { constants } from 'node:os'
import type { Desired, DestinationKey, Operation, ServiceKey } from 'ipvs'
import { destinationId, serviceId } from '../../../../lib/model/keys.js'
import { TestKernel, type Asked, type Counts } from '../../../support/test-kernel.js'

/** Commands of the operations that plans have. */
const COMMANDS: Partial<Record<Operation['type'], Asked['command']>> = {
  addService: 'newService', updateService: 'setService', removeService: 'delService',
  addDestination: 'newDest', updateDestination: 'setDest', removeDestination: 'delDest',
  setTimeouts: 'setConfig', startDaemon: 'newDaemon', stopDaemon: 'delDaemon',
}

const TYPES = new Map(Object.entries(COMMANDS).map(([type, command]) => [command, type]))

/** A test kernel, a handle on its table, and another program's. */
export class TestTable {
  readonly kernel = new TestKernel()
  readonly ipvs = this.kernel.open()
  readonly other = this.kernel.openSync()

  static async of(desired: Desired): Promise<TestTable> {
    const table = new TestTable()
    await table.ipvs.apply(desired)
    table.changes()
    return table
  }

  /** Sets the connections of a destination. */
  connect(service: ServiceKey, destination: DestinationKey, { active = 0, inactive = 0, persistent = 0 }: Counts): void {
    this.kernel.count(service, destination, { active, inactive, persistent })
  }

  /** The kernel refuses operations of this type. */
  refuse(type: Operation['type']): this {
    this.kernel.refuse = ({ command }) => command === COMMANDS[type] ? -constants.errno.EINVAL : undefined
    return this
  }

  #told = 0

  /** What was asked for since the last call, without what only reads. */
  changes(): string[] {
    const { asked } = this.kernel
    const from = this.#told
    this.#told = asked.length
    return asked.slice(from).flatMap((command) => TYPES.get(command) ?? [])
  }

  /** How many destinations with a weight each service has. */
  capacity(): Map<string, number> {
    return new Map(this.kernel.table().services.map((service) => [serviceId(service), service.destinations.filter(({ weight }) => weight > 0).length]))
  }

  /** What is in the table, whatever its order and whatever it has counted. */
  contents(): string[] {
    return this.kernel.table().services.map(({ destinations, ...service }) => JSON.stringify({
      ...service, stats: 0, destinations: destinations.map((entry) => ({ ...entry, stats: 0 })).sort((x, y) => destinationId(x) < destinationId(y) ? -1 : 1),
    })).sort()
  }

  /** How often the table was read by plans. */
  reads(): number {
    return this.kernel.asked.filter((command) => command === 'getService').length
  }
}

/** Whether a request changes something. */
export const isChange = ({ command }: Asked): boolean => !command.startsWith('get')
