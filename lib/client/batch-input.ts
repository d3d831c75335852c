import { object, refuseUnknown, type Known } from '../arguments/validate.js'
import type { BatchOptions } from '../model/batch.js'
import { invalidType, invalidValue } from '../model/errors.js'
import type {
  DaemonInput, DaemonKey, Destination, DestinationInput, DestinationKey, Operation, Service, ServiceInput, ServiceKey, Timeouts,
} from '../model/types.js'
import type { Packer } from './batch-packer.js'
import { Results } from './batch-outcome.js'
import type { BatchBuilder } from './methods.js'
import { changes, type ChangeDefinition } from './operations.js'

/** What `IpvsSync.batch` takes. */
export type BatchInput = ((batch: BatchBuilder) => void) | Iterable<Operation>

/** What `Ipvs.batch` takes. */
export type AsyncBatchInput = ((batch: BatchBuilder) => void | Promise<void>) | Iterable<Operation> | AsyncIterable<Operation>

const OPTIONS: Known = { what: 'the options of batch', names: new Set(['refusals', 'signal']) }

export function readOptions(options: BatchOptions | undefined): { lenient: boolean, signal: AbortSignal | undefined } {
  if (options === undefined) return { lenient: false, signal: undefined }
  const given = object(options, 'options')
  refuseUnknown(given, 'options', OPTIONS)
  const { refusals, signal } = options
  if (refusals !== undefined && refusals !== 'throw' && refusals !== 'return') {
    throw invalidValue('options.refusals', '\'throw\' or \'return\'', refusals)
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw invalidType('options.signal', 'an AbortSignal', signal)
  if (signal?.aborted === true) throw new Results(undefined).aborted(signal.reason)
  return { lenient: refusals === 'return', signal }
}

export type Shape = 'callback' | 'array' | 'iterable' | 'async iterable'

/** The form in which the operations of a batch are given. */
export function shapeOf(input: unknown, asynchronous: boolean): Shape {
  if (typeof input === 'function') return 'callback'
  if (Array.isArray(input)) return 'array'
  if (typeof input === 'object' && input !== null) {
    if (asynchronous && Symbol.asyncIterator in input) return 'async iterable'
    if (Symbol.iterator in input) return 'iterable'
  }
  const iterables = asynchronous ? ', an iterable or an async iterable' : ' or an iterable'
  throw invalidType('operations', `a function, an array${iterables} of operations`, input)
}

/** The builder. Operations are packed as they are called, so each call throws what is wrong with its own. */
export class Builder implements BatchBuilder {
  readonly #packer: Packer
  #open = true

  constructor(packer: Packer) {
    this.#packer = packer
  }

  #add(change: ChangeDefinition, first?: unknown, second?: unknown): void {
    if (!this.#open) throw new Error('The batch has been sent: its builder takes no more operations')
    this.#packer.add(change.describe(first, second))
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
