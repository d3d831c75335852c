import type {
  DaemonInput, DaemonKey, Destination, DestinationInput, DestinationKey, Operation, Service, ServiceInput, ServiceKey, Timeouts,
} from '../model/types.js'
import type { Packer } from './batch-packer.js'
import type { BatchBuilder } from './methods.js'
import { changes, type ChangeDefinition } from './operations.js'

/**
 * Collects the operations of a batch that is given as a function. It packs each operation at once, so a call throws what is wrong with its
 * own arguments.
 */
export class Builder implements BatchBuilder {
  readonly #packer: Packer
  #open = true

  constructor(packer: Packer) {
    this.#packer = packer
  }

  /** Where operations go, for as long as they are taken. */
  get #taking(): Packer {
    if (!this.#open) throw new Error('The batch has been sent: its builder takes no more operations')
    return this.#packer
  }

  #add(change: ChangeDefinition, first?: unknown, second?: unknown): void {
    this.#taking.addCall(change, first, second)
  }

  run(operation: Operation): void {
    this.#taking.add(operation)
  }

  close(): void {
    this.#open = false
  }

  addService(service: ServiceInput): void { this.#add(changes.addService, service) }
  updateService(service: Service): void { this.#add(changes.updateService, service) }
  removeService(service: ServiceKey): void { this.#add(changes.removeService, service) }
  addDestination(service: ServiceKey, destination: DestinationInput): void { this.#add(changes.addDestination, service, destination) }
  updateDestination(service: ServiceKey, destination: Destination): void { this.#add(changes.updateDestination, service, destination) }
  removeDestination(service: ServiceKey, destination: DestinationKey): void { this.#add(changes.removeDestination, service, destination) }
  zero(service?: ServiceKey): void { this.#add(changes.zero, service) }
  flush(): void { this.#add(changes.flush) }
  setTimeouts(timeouts: Partial<Timeouts>): void { this.#add(changes.setTimeouts, timeouts) }
  startDaemon(daemon: DaemonInput): void { this.#add(changes.startDaemon, daemon) }
  stopDaemon(daemon: DaemonKey): void { this.#add(changes.stopDaemon, daemon) }
}
