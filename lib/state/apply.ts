import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises'
import { AbortError, telling, type BatchOptions, type BatchResult } from '../model/batch.js'
import { isArgumentError } from '../model/errors.js'
import type { DestinationKey, ListedDestination, ListedTable, Operation, ServiceKey } from '../model/types.js'
import type { Sysctl } from '../proc/sysctl.js'
import { configurationOf, destinationId, isOtherFamily, keyOf, objection, serviceConfigurationOf, serviceId } from './complete.js'
import { currentOf, type CurrentTable } from './current.js'
import { readDesired, type DesiredState } from './desired.js'
import { sysctlWarnings } from './draining.js'
import { applySettings, type ApplySettings, type PlanSettings } from './options.js'
import { operationsOf, planTable, type Expired, type StagedPlan } from './plan.js'
import type { ApplyOptions, ApplyResult, Desired, DrainingDestination, Outcome, Plan, PlanOptions } from './types.js'

/** What of a handle is needed here. */
export interface TableHandle {
  snapshot(): Promise<ListedTable>
  batch(operations: Iterable<Operation>, options: BatchOptions): Promise<BatchResult>
  sysctl?: Pick<Sysctl, 'get'>
  /** Reads the table for a plan, where that takes less than a snapshot. */
  current?: (desired: DesiredState) => Promise<CurrentTable>
}

const readCurrent = async (handle: TableHandle, desired: DesiredState): Promise<CurrentTable> => handle.current === undefined ? currentOf(await handle.snapshot()) : handle.current(desired)

const idOf = (service: ServiceKey, destination: DestinationKey): string => `${serviceId(service)} ${destinationId(destination)}`

async function planOf(handle: TableHandle, staged: StagedPlan, settings: PlanSettings): Promise<Plan> {
  const { draining } = staged
  const warnings = draining.length === 0 ? staged.warnings : [...staged.warnings, ...await sysctlWarnings(handle.sysctl, staged)]
  return { operations: operationsOf(staged), warnings, ...settings.drain && { draining } }
}

/** `Ipvs.plan`. */
export async function plan(handle: TableHandle, desired: Desired, options?: PlanOptions): Promise<Plan> {
  const settings = applySettings(options, 'plan')
  const state = readDesired(desired)
  const current = await readCurrent(handle, state)
  return planOf(handle, await planTable(state, current, settings), settings)
}

/** Another program changed the table between each two readings. */
class TableChangingError extends Error {
  readonly code = 'ERR_IPVS_TABLE_CHANGING'

  constructor(attempts: number) {
    super(`the table was changed by others ${attempts === 1 ? 'while' : `each of the ${attempts} times`} it was read to plan; nothing was sent. Try again later, or allow more with options.concurrencyCheck.attempts`)
  }
}

/** Operations that are compared between two turns of the event loop. */
const SLICE = 500

/** Whether two plans are the same, in whatever order: Linux 7.2 reorders its table of services by itself. */
async function sameOperations(some: readonly Operation[], others: readonly Operation[]): Promise<boolean> {
  if (some.length !== others.length) return false
  // Nothing is in a plan twice, and equal operations are written alike, by the same planner.
  const texts = new Set<string>()
  for (let i = 0; i < some.length; i++) {
    texts.add(JSON.stringify(some[i]))
    if (i % SLICE === SLICE - 1) await turn()
  }
  for (let i = 0; i < others.length; i++) {
    if (!texts.has(JSON.stringify(others[i]))) return false
    if (i % SLICE === SLICE - 1) await turn()
  }
  return true
}

/** Reads and plans; with a concurrency check until two readings after one another lead to the same plan. */
async function settle(handle: TableHandle, desired: DesiredState, settings: ApplySettings, expired?: Expired): Promise<{ current: CurrentTable, staged: StagedPlan }> {
  const look = async (): Promise<{ current: CurrentTable, staged: StagedPlan }> => {
    settings.signal?.throwIfAborted()
    const current = await readCurrent(handle, desired)
    return { current, staged: await planTable(desired, current, settings, expired) }
  }
  let found = await look()
  if (settings.attempts === 0 || operationsOf(found.staged).length === 0) return found
  for (let attempt = 0; attempt < settings.attempts; attempt++) {
    const again = await look()
    if (await sameOperations(operationsOf(again.staged), operationsOf(found.staged))) return again
    found = again
  }
  throw new TableChangingError(settings.attempts)
}

/** Whether an error of `batch` says that nothing of it has been sent. */
const nothingSent = (error: unknown): boolean => isArgumentError(error) || (error as { code?: unknown } | null | undefined)?.code === 'ERR_IPVS_CLOSED'

/** The same for each operation of a batch. */
function outcomesOf(operations: readonly Operation[], { total, refused, unknown, notSent, cause }: BatchResult): Outcome[] {
  const outcomes = operations.map((operation, index): Outcome => index < total - notSent ? { index, operation, outcome: 'done' }
    : { index, operation, outcome: 'not-sent', ...cause !== undefined && { error: cause } })
  for (const { index, operation, error } of refused) outcomes[index] = { index, operation, outcome: 'refused', error }
  for (const { index, operation, error } of unknown) outcomes[index] = { index, operation, outcome: 'unknown', error }
  return outcomes
}

/** Sends operations in batches and knows what has become of each of them, whatever ends it. */
class Sender {
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
      if (outcome.outcome !== 'done' && 'service' in outcome.operation && outcome.operation.service !== undefined) this.troubled.add(serviceId(outcome.operation.service))
    }
  }

  /** Of what takes capacity away: whether what replaces it is in force. */
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

/** What undoes an operation, with the table as it was before; in the order it has to be sent. */
function inverse(operation: Operation, before: CurrentTable, indexOf: (service: ServiceKey) => number): Operation[] {
  const destinationsOf = (service: ServiceKey): ListedDestination[] => before.destinations[indexOf(service)].read()
  switch (operation.type) {
    case 'addService': return [{ type: 'removeService', service: keyOf(operation.service) }]
    case 'updateService': return [{ type: 'updateService', service: serviceConfigurationOf(before.services.at(indexOf(operation.service))!) }]
    case 'removeService': {
      const { service: key } = operation
      return [
        { type: 'addService', service: serviceConfigurationOf(before.services.at(indexOf(key))!) },
        // The kernel lists the last one added first.
        ...destinationsOf(key).toReversed().map((destination): Operation => ({ type: 'addDestination', service: key, destination: configurationOf(destination) })),
      ]
    }
    case 'addDestination': return [{ type: 'removeDestination', service: operation.service, destination: { address: operation.destination.address, port: operation.destination.port } }]
    case 'updateDestination':
    case 'removeDestination': {
      const { service, destination: { address, port } } = operation
      const destination = configurationOf(destinationsOf(service).find((other) => other.port === port && other.address === address)!)
      return [{ type: operation.type === 'updateDestination' ? 'updateDestination' : 'addDestination', service, destination }]
    }
    case 'setTimeouts': return [{ type: 'setTimeouts', timeouts: Object.fromEntries(Object.keys(operation.timeouts).map((name) => [name, before.timeouts[name as 'tcp']])) }]
    case 'startDaemon': return [{ type: 'stopDaemon', daemon: { role: operation.daemon.role } }]
    case 'stopDaemon': {
      const daemon = before.daemons.find(({ role }) => role === operation.daemon.role)!
      return [{ type: 'startDaemon', daemon: daemon.maxLength === 0 ? { role: daemon.role, interface: daemon.interface, syncId: daemon.syncId } : daemon }]
    }
    default: return []
  }
}

/** What undoes what is in force, and what may be, last first. */
function inverses(outcomes: readonly Outcome[], before: CurrentTable): Operation[] {
  const indices = new Map(Array.from(before.destinations, (_, index) => [serviceId(before.services.at(index)!), index]))
  // The removal of a new service takes its destinations with it.
  const newServices = new Set(outcomes.filter(({ operation, outcome }) => operation.type === 'addService' && outcome === 'done')
    .map(({ operation }) => serviceId((operation as { service: ServiceKey }).service)))
  const needless = (operation: Operation): boolean => operation.type === 'addDestination' && newServices.has(serviceId(operation.service))
  return outcomes.filter(({ operation, outcome }) => (outcome === 'done' || outcome === 'unknown') && !needless(operation)).toReversed()
    .flatMap(({ operation }) => inverse(operation, before, (service) => indices.get(serviceId(service))!))
}

/** Draining destinations whose removal was refused, or not sent. */
function left(draining: readonly DrainingDestination[], outcomes: readonly Outcome[]): DrainingDestination[] {
  const failed = new Set(outcomes.filter(({ outcome }) => outcome !== 'done').map(({ operation }) =>
    operation.type === 'removeDestination' ? idOf(operation.service, operation.destination) : operation.type === 'removeService' ? serviceId(operation.service) : ''))
  return draining.filter(({ service, destination }) => failed.has(serviceId(service)) || failed.has(idOf(service, destination)))
}

/** Whether sync daemons are to start while destinations drain beside which the kernel starts none. */
const needsDrained = ({ draining, finish }: StagedPlan): boolean => finish.length > 0 && draining.some(({ service, destination }) => isOtherFamily(service, destination))

/** A desired state on its way into the table. Whatever ends it, what is in force by then can be said. */
export class Work {
  #plan: Plan = { operations: [], warnings: [] }
  #sender: Sender | undefined
  #undoing: Sender | undefined
  #draining: DrainingDestination[] | undefined

  constructor(readonly handle: TableHandle, readonly desired: DesiredState, readonly settings: ApplySettings) {}

  /** All of it, draining included. */
  whole(): Promise<ApplyResult> {
    return this.#run(async () => {
      const { current, staged } = await this.#prepare()
      if (this.settings.dryRun) return
      const { build, retire, finish } = staged
      const late = needsDrained(staged)
      await this.#carryOut(current, build, late ? retire : [...retire, ...finish])
      await this.#drain()
      if (late && this.#undoing === undefined) await this.#sender!.send(finish)
    })
  }

  /** One step of a long-running loop, which does not wait for connections. */
  once(expired: Expired): Promise<ApplyResult> {
    return this.#run(async () => {
      const { current, staged: { build, retire, finish } } = await this.#prepare(expired)
      await this.#carryOut(current, build, [...retire, ...finish])
    })
  }

  /** Answers what was done; so does the error of what ends it early, as `result`. */
  async #run(steps: () => Promise<void>): Promise<ApplyResult> {
    const { signal } = this.settings
    try {
      await steps()
      return this.result()
    } catch (error) {
      if (signal?.aborted === true) {
        const result = this.result()
        throw new AbortError(signal.reason, result.done.length + result.refused.length + result.unknown.length, result)
      }
      if (this.#sender === undefined) throw error
      throw telling(error, 'The work ended early, with operations in force', this.result())
    }
  }

  /** What has been done so far. */
  result(): ApplyResult {
    const outcomes = this.#sender?.outcomes() ?? []
    const by = (wanted: Outcome['outcome']): Outcome[] => outcomes.filter(({ outcome }) => outcome === wanted)
    const result: ApplyResult = { plan: this.#plan, done: by('done'), refused: by('refused'), unknown: by('unknown'), notSent: by('not-sent') }
    if (this.#draining !== undefined) result.draining = this.#draining
    if (this.#undoing !== undefined) {
      const undoing = this.#undoing.outcomes()
      result.rollback = { undone: undoing.filter(({ outcome }) => outcome === 'done'), notUndone: undoing.filter(({ outcome }) => outcome !== 'done') }
    }
    return result
  }

  /** Reads the table and plans. */
  async #prepare(expired?: Expired): Promise<{ current: CurrentTable, staged: StagedPlan }> {
    const found = await settle(this.handle, this.desired, this.settings, expired)
    // Whoever looks again plans it when the destinations are gone.
    if (expired !== undefined && needsDrained(found.staged)) found.staged.finish = []
    this.#plan = await planOf(this.handle, found.staged, this.settings)
    if (this.settings.dryRun) this.#draining = this.#plan.draining
    return found
  }

  /** Carries out the plan: what adds and changes, then what takes away, where its replacement is in force. Undoes it if that is wanted and anything is refused. */
  async #carryOut(current: CurrentTable, build: readonly Operation[], after: readonly Operation[]): Promise<void> {
    const { handle, settings } = this
    const sender = this.#sender = new Sender(handle, settings, 'changing', [...this.#plan.operations])
    await sender.send(build)
    if (!settings.rollback || !sender.failed) await sender.send(after.filter((operation) => sender.isReplaced(operation)))
    if (!settings.rollback || !sender.failed) {
      this.#draining = this.#plan.draining
      return
    }
    const undoing = this.#undoing = new Sender(handle, { ...settings, signal: undefined }, 'undoing', inverses(sender.outcomes(), current))
    await undoing.send(undoing.planned.filter((operation) => objection(operation) === undefined))
  }

  /** Removes what is drained, until nothing is left or the time limit has passed. */
  async #drain(): Promise<void> {
    const { handle, desired, settings } = this
    const sender = this.#sender!
    const drain = settings.drain
    const isStuck = ({ service }: DrainingDestination): boolean => sender.troubled.has(serviceId(service))
    const stuck = this.#draining?.filter(isStuck) ?? []
    const first = this.#draining?.filter((entry) => !isStuck(entry)) ?? []
    if (drain === undefined || first.length === 0) return
    const mine = new Set(first.map(({ service, destination }) => idOf(service, destination)))
    const services = new Set(first.map(({ service }) => serviceId(service)))
    const end = performance.now() + drain.timeout * 1000
    const report = (draining: DrainingDestination[]): void => settings.onProgress({ phase: 'draining', completed: sender.completed, total: sender.planned.length, draining })
    let looking = 0
    for (let draining = first; ;) {
      this.#draining = [...stuck, ...draining]
      report(draining)
      // A large table takes long to read: no more than a fifth of the time goes into that.
      await wait(Math.max(0, Math.min(Math.max(drain.interval * 1000, 4 * looking), end - performance.now())), undefined, { signal: settings.signal })
      const begin = performance.now()
      const over = begin >= end
      const staged = await planTable(desired, await readCurrent(handle, desired), settings, (service, destination) => over && mine.has(idOf(service, destination)))
      looking = performance.now() - begin
      // What others changed meanwhile is not this apply's business, and what they bring to weight 0 is not waited for.
      // A destination of this apply that they gave a weight again is brought down again.
      const retire = staged.retire.filter((operation) => operation.type === 'removeService' ? services.has(serviceId(operation.service))
        : 'destination' in operation && mine.has(idOf(operation.service, operation.destination)))
      for (const operation of retire) sender.planned.push(operation)
      await sender.send(retire)
      draining = staged.draining.filter(({ service, destination }) => mine.has(idOf(service, destination)))
      if (draining.length > 0 && !over) continue
      this.#draining = [...stuck, ...left(first, sender.outcomes())]
      report([])
      return
    }
  }
}

/** `Ipvs.apply`. */
export async function apply(handle: TableHandle, desired: Desired, options?: ApplyOptions): Promise<ApplyResult> {
  const settings = applySettings(options)
  return new Work(handle, readDesired(desired), settings).whole()
}
