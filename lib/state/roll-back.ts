import { constants } from 'node:os'
import { objection } from '../client/draft.js'
import type { PackedTable } from '../client/packed-table.js'
import type { Refusal } from '../model/batch.js'
import { IpvsError } from '../model/errors.js'
import { keyOf, serviceId } from '../model/keys.js'
import type { Destination, Operation, ServiceKey } from '../model/types.js'
import { configurationOf } from './configuration.js'
import type { TableHandle } from './handle.js'
import type { ApplySettings } from './options.js'
import { Sender } from './send.js'
import type { ApplyResult } from './types.js'

/** The destinations of a service, in the order in which they were added. */
function destinationsOf(table: PackedTable, service: number): Destination[] {
  const listed = table.destinations(service)
  const destinations: Destination[] = []
  // The kernel lists the last one added first.
  for (let number = listed.count - 1; number >= 0; number--)
    if (!listed.isRepeated(number)) destinations.push(configurationOf(listed.read(number)))
  return destinations
}

/**
 * The operations that undo an operation, in the order in which they have to be sent.
 *
 * @param before the table as it was before the operation
 */
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
    case 'addDestination': {
      const { service, destination: { address, port } } = operation
      return [{ type: 'removeDestination', service, destination: { address, port } }]
    }
    case 'updateDestination':
    case 'removeDestination': {
      const { service, destination: { address, port } } = operation
      const destination = configurationOf(before.readDestination(numberOf(service), { address, port })!)
      return [{ type: operation.type === 'updateDestination' ? 'updateDestination' : 'addDestination', service, destination }]
    }
    case 'setTimeouts':
      return [
        {
          type: 'setTimeouts',
          timeouts: Object.fromEntries(Object.keys(operation.timeouts).map((name) => [name, before.timeouts[name as 'tcp']])),
        },
      ]
    case 'startDaemon': return [{ type: 'stopDaemon', daemon: { role: operation.daemon.role } }]
    case 'stopDaemon': {
      const daemon = before.daemons.find(({ role }) => role === operation.daemon.role)!
      return [
        {
          type: 'startDaemon',
          daemon: daemon.maxLength === 0 ? { role: daemon.role, interface: daemon.interface, syncId: daemon.syncId } : daemon,
        },
      ]
    }
    default: return []
  }
}

/** An operation that undoes another one, and the number of that one. */
interface Inverse {
  operation: Operation
  undoes: number
}

/** The operations that undo what is in force, or may be. The last operation is undone first. */
function inversesOf(sender: Sender, before: PackedTable): Inverse[] {
  const { planned } = sender
  const numbers = sender.inForce()
  // The removal of a new service also removes its destinations.
  const newServices = new Set<string>()
  for (const number of numbers) {
    const operation = planned[number]
    if (operation.type === 'addService' && sender.isDone(number)) newServices.add(serviceId(operation.service))
  }
  const needless = (operation: Operation): boolean => operation.type === 'addDestination' && newServices.has(serviceId(operation.service))
  return numbers.filter((number) => !needless(planned[number])).reverse()
    .flatMap((number) => inverse(planned[number], before).map((operation) => ({ operation, undoes: number })))
}

/** Undoes what a sender has done, as far as possible. If an error ends it early, `result` says what was undone by then. */
export class RollBack {
  /** The operations that can be sent. */
  readonly #inverses: Inverse[] = []
  readonly #sender: Sender
  readonly #impossible: Refusal[] = []
  #ended: unknown

  constructor(handle: TableHandle, settings: ApplySettings, done: Sender, before: PackedTable) {
    for (const inverse of inversesOf(done, before)) {
      const { operation, undoes } = inverse
      const why = objection(operation)
      if (why === undefined) this.#inverses.push(inverse)
      else this.#impossible.push({ index: undoes, operation, error: notSent(operation, `because this package refuses to write it: ${why}`, -constants.errno.EINVAL) })
    }
    this.#sender = new Sender(handle, { ...settings, signal: undefined }, 'undoing', this.#inverses.map(({ operation }) => operation))
  }

  async run(): Promise<void> {
    try {
      await this.#sender.send(0, this.#inverses.length)
    } catch (error) {
      this.#ended = error
      throw error
    }
  }

  result(): NonNullable<ApplyResult['rollback']> {
    const { done, refused, unknown, cause, planned } = this.#sender
    const notUndone = [
      ...this.#impossible,
      ...refused.map((refusal) => this.#about(refusal)),
      ...unknown.map((refusal) => this.#about(refusal)),
    ]
    for (let number = this.#sender.completed; number < planned.length; number++) {
      const operation = planned[number]
      const why = cause?.message ?? (this.#ended instanceof Error ? this.#ended.message : String(this.#ended))
      const error = notSent(operation, `because the undoing ended before its turn: ${why}`, cause?.errno ?? -constants.errno.ECANCELED)
      notUndone.push({ index: this.#inverses[number].undoes, operation, error })
    }
    return { undone: done, notUndone: notUndone.sort((a, b) => b.index - a.index) }
  }

  #about({ index, operation, error }: Refusal): Refusal {
    return { index: this.#inverses[index].undoes, operation, error }
  }
}

const notSent = (operation: Operation, why: string, errno: number): IpvsError =>
  new IpvsError(`${operation.type}: not sent, ${why}`, { errno, operation, outcome: 'not-sent' })
