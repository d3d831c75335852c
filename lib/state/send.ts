import type { BatchResult, Refusal } from '../model/batch.js'
import { serviceId } from '../model/keys.js'
import type { IpvsError } from '../model/errors.js'
import type { Operation, ServiceKey } from '../model/types.js'
import type { TableHandle } from './handle.js'
import type { ApplySettings } from './options.js'

/** The outcome of an operation as a byte: an object for each would cost more than sending it. */
const [WAITING, DONE, REFUSED, UNKNOWN, WITHHELD] = [0, 1, 2, 3, 4]

/** Sends operations in batches, and keeps the outcome of each, even if an error ends the sending. */
export class Sender<Planned extends Operation = Operation> {
  #fates: Uint8Array
  #failed = false
  /** Services with an operation that was refused, whose answer was lost, or that was not sent. */
  readonly #troubled = new Set<string>()
  done = 0
  /** Refusals. Their index is a place in {@link planned}. */
  readonly refused: Refusal[] = []
  readonly unknown: Refusal[] = []
  readonly withheld: Planned[] = []
  /** Why operations were not sent, if the socket is the reason. */
  cause: IpvsError | undefined

  /** @param planned everything that is to be sent; more can be added */
  constructor(
    readonly handle: TableHandle, readonly settings: ApplySettings, readonly phase: 'changing' | 'undoing', readonly planned: Planned[],
  ) {
    this.#fates = new Uint8Array(planned.length)
  }

  /** How many operations were sent. */
  get completed(): number {
    return this.done + this.refused.length + this.unknown.length
  }

  /** How many operations were neither sent nor withheld. */
  get notSent(): number {
    return this.planned.length - this.completed - this.withheld.length
  }

  /** Whether an operation that was to be sent is not in force. */
  get failed(): boolean {
    return this.#failed
  }

  /** Adds operations to be sent. Returns the number of the first one. */
  add(operations: readonly Planned[]): number {
    const first = this.planned.length
    for (const operation of operations) this.planned.push(operation)
    const fates = new Uint8Array(this.planned.length)
    fates.set(this.#fates)
    this.#fates = fates
    return first
  }

  /** Sends the planned operations from the number `from` to before `to`, except those that are withheld. */
  async send(from: number, to: number): Promise<void> {
    const { planned, settings: { batchSize, signal, onProgress } } = this
    const numbers = this.withheld.length === 0 ? undefined : this.#waiting(from, to)
    const count = numbers?.length ?? to - from
    for (let at = 0; at < count; at += batchSize) {
      signal?.throwIfAborted()
      const some = numbers === undefined ? planned.slice(from + at, Math.min(from + at + batchSize, to))
        : numbers.slice(at, at + batchSize).map((number) => planned[number])
      const numberOf = (i: number): number => numbers === undefined ? from + at + i : numbers[at + i]
      let result: BatchResult
      try {
        result = await this.handle.batch(some, { refusals: 'return', signal })
      } catch (error) {
        // If an error has no result, nothing was sent before it.
        const { result: known } = Object(error) as { result?: BatchResult }
        if (known !== undefined) this.#take(known, numberOf)
        throw error
      }
      this.#take(result, numberOf)
      onProgress({ phase: this.phase, completed: this.completed, total: planned.length, draining: [] })
      if (result.notSent === 0) continue
      for (let i = result.total - result.notSent; at + i < count; i++) this.#trouble(planned[numberOf(i)])
      return
    }
  }

  #waiting(from: number, to: number): number[] {
    const numbers: number[] = []
    for (let number = from; number < to; number++) if (this.#fates[number] === WAITING) numbers.push(number)
    return numbers
  }

  /** @param numberOf the number of the operation with this place in the batch */
  #take({ total, done, refused, unknown, notSent, cause }: BatchResult, numberOf: (i: number) => number): void {
    this.done += done
    this.cause ??= cause
    for (let i = 0; i < total - notSent; i++) this.#fates[numberOf(i)] = DONE
    for (const [fate, some, all] of [[REFUSED, refused, this.refused], [UNKNOWN, unknown, this.unknown]] as const) {
      for (const { index, error } of some) {
        const number = numberOf(index)
        const operation = this.planned[number]
        this.#fates[number] = fate
        all.push({ index: number, operation, error })
        this.#trouble(operation)
      }
    }
  }

  #trouble(operation: Operation): void {
    this.#failed = true
    if ('service' in operation && operation.service !== undefined) this.#troubled.add(serviceId(operation.service))
  }

  /** Whether nothing may be taken from a service, because what would replace it is not in force. */
  keeps(service: ServiceKey): boolean {
    return this.settings.withhold === 'all' ? this.#failed : this.#troubled.has(serviceId(service))
  }

  /** Withholds the planned operations from the number `from` to before `to` whose replacement is not in force. */
  withhold(from: number, to: number): void {
    if (!this.#failed) return
    const all = this.settings.withhold === 'all'
    for (let number = from; number < to; number++) {
      const operation = this.planned[number]
      if (!('service' in operation) || operation.service === undefined) continue
      // An undesired service has no replacement under its own key, so nothing of its own can be missing.
      if (!all && (operation.type === 'removeService' || !this.keeps(operation.service))) continue
      this.#fates[number] = WITHHELD
      this.withheld.push(operation)
    }
  }

  /** Numbers of the operations that are in force, or may be. */
  inForce(): number[] {
    const numbers: number[] = []
    for (let number = 0; number < this.planned.length; number++) if (this.mayBeInForce(number)) numbers.push(number)
    return numbers
  }

  isDone(number: number): boolean {
    return this.#fates[number] === DONE
  }

  mayBeInForce(number: number): boolean {
    return this.#fates[number] === DONE || this.#fates[number] === UNKNOWN
  }
}
