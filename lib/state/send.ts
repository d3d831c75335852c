import type { BatchResult } from '../model/batch.js'
import { isArgumentError } from '../model/errors.js'
import { serviceId } from '../model/keys.js'
import type { Operation } from '../model/types.js'
import type { TableHandle } from './handle.js'
import type { ApplySettings } from './options.js'
import type { Outcome } from './types.js'

/** Whether an error of `batch` says that nothing of it has been sent. */
const nothingSent = (error: unknown): boolean => isArgumentError(error) || (error as { code?: unknown } | null | undefined)?.code === 'ERR_IPVS_CLOSED'

/** How each operation of a batch ended. */
function outcomesOf(operations: readonly Operation[], { total, refused, unknown, notSent, cause }: BatchResult): Outcome[] {
  const outcomes = operations.map((operation, index): Outcome => index < total - notSent ? { index, operation, outcome: 'done' }
    : { index, operation, outcome: 'not-sent', ...cause !== undefined && { error: cause } })
  for (const { index, operation, error } of refused) outcomes[index] = { index, operation, outcome: 'refused', error }
  for (const { index, operation, error } of unknown) outcomes[index] = { index, operation, outcome: 'unknown', error }
  return outcomes
}

/** Sends operations in batches, and knows how each of them ended, whatever ends the sending. */
export class Sender {
  readonly #outcomes: Outcome[] = []
  /** Services that had a refusal or an answer lost. */
  readonly troubled = new Set<string>()

  /** @param planned everything that is to be sent, as far as known */
  constructor(readonly handle: TableHandle, readonly settings: ApplySettings, readonly phase: 'changing' | 'undoing', readonly planned: Operation[]) {}

  get completed(): number {
    return this.#outcomes.length
  }

  get failed(): boolean {
    return this.#outcomes.some(({ outcome }) => outcome !== 'done')
  }

  async send(operations: readonly Operation[]): Promise<void> {
    const { batchSize, signal, onProgress } = this.settings
    for (let from = 0; from < operations.length; from += batchSize) {
      signal?.throwIfAborted()
      const some = operations.slice(from, from + batchSize)
      let result: BatchResult
      try {
        result = await this.handle.batch(some, { refusals: 'return', signal })
      } catch (error) {
        const { result: known } = Object(error) as { result?: BatchResult }
        if (known !== undefined) this.#take(outcomesOf(some, known))
        else if (!nothingSent(error)) this.#end(some, 'unknown')
        throw error
      }
      this.#take(outcomesOf(some, result))
      onProgress({ phase: this.phase, completed: this.completed, total: this.planned.length, draining: [] })
      if (result.notSent > 0) {
        this.#end(operations.slice(from + some.length), 'not-sent')
        return
      }
    }
  }

  #end(operations: readonly Operation[], outcome: 'unknown' | 'not-sent'): void {
    this.#take(operations.map((operation) => ({ index: 0, operation, outcome })))
  }

  #take(outcomes: readonly Outcome[]): void {
    for (const outcome of outcomes) {
      this.#outcomes.push({ ...outcome, index: this.#outcomes.length })
      const { operation } = outcome
      if (outcome.outcome !== 'done' && 'service' in operation && operation.service !== undefined) this.troubled.add(serviceId(operation.service))
    }
  }

  /** Whether an operation that takes capacity away may be sent: what replaces it is in force. */
  isReplaced(operation: Operation): boolean {
    return operation.type === 'removeService' || !('service' in operation) || operation.service === undefined || !this.troubled.has(serviceId(operation.service))
  }

  /** Every operation that was to be sent: what has no outcome yet was not sent. */
  outcomes(): Outcome[] {
    const known = this.#outcomes
    if (known.length === this.planned.length) return known
    const sent = new Set(known.map(({ operation }) => operation))
    const rest = this.planned.filter((operation) => !sent.has(operation))
    return [...known, ...rest.map((operation, i): Outcome => ({ index: known.length + i, operation, outcome: 'not-sent' }))]
  }
}
