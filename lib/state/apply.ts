import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { AbortError } from '../errors.js'
import type { Ipvs } from '../ipvs.js'
import type { DestinationKey, ListedDestination, Operation, Outcome, ServiceKey } from '../types.js'
import { configurationOf, destinationId, serviceConfigurationOf, serviceId } from './complete.js'
import { currentOf, type CurrentTable } from './current.js'
import { readDesired, type DesiredState } from './desired.js'
import { sysctlWarnings } from './draining.js'
import { applySettings, planSettings, type ApplySettings, type PlanSettings } from './options.js'
import { operationsOf, planTable, type Expired, type StagedPlan } from './plan.js'
import type { ApplyOptions, ApplyResult, Desired, DrainingDestination, Plan, PlannedOperation, PlanOptions } from './types.js'

/** What of a handle is needed here. */
export type TableHandle = Pick<Ipvs, 'snapshot' | 'batch'> & {
  sysctl?: Pick<Ipvs['sysctl'], 'get'>
  /** Reads the table for a plan, where that takes less than a snapshot. */
  current?: () => Promise<CurrentTable>
}

const readCurrent = async (handle: TableHandle): Promise<CurrentTable> => handle.current === undefined ? currentOf(await handle.snapshot()) : handle.current()

const idOf = (service: ServiceKey, destination: DestinationKey): string => `${serviceId(service)} ${destinationId(destination)}`

async function planOf(handle: TableHandle, staged: StagedPlan, settings: PlanSettings): Promise<Plan> {
  const { draining, affinity } = staged
  const warnings = draining.length === 0 ? staged.warnings : [...staged.warnings, ...await sysctlWarnings(handle.sysctl, affinity)]
  return { operations: operationsOf(staged), warnings, ...settings.drain && { draining } }
}

/** `Ipvs.plan`. */
export async function plan(handle: TableHandle, desired: Desired, options?: PlanOptions): Promise<Plan> {
  const settings = planSettings(options)
  const state = readDesired(desired)
  const current = await readCurrent(handle)
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

async function sameOperations(some: readonly Operation[], others: readonly Operation[]): Promise<boolean> {
  if (some.length !== others.length) return false
  for (let i = 0; i < some.length; i++) {
    if (!isDeepStrictEqual(some[i], others[i])) return false
    if (i % SLICE === SLICE - 1) await turn()
  }
  return true
}

/** Reads and plans; with a concurrency check until two readings after one another lead to the same plan. */
async function settle(handle: TableHandle, desired: DesiredState, settings: ApplySettings, expired?: Expired): Promise<{ current: CurrentTable, staged: StagedPlan }> {
  const look = async (): Promise<{ current: CurrentTable, staged: StagedPlan }> => {
    settings.signal?.throwIfAborted()
    const current = await readCurrent(handle)
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

/** Sends operations in batches and sorts what becomes of them. */
class Sender {
  readonly outcomes: Outcome[] = []
  /** Services that had a refusal or an answer lost. */
  readonly troubled = new Set<string>()

  constructor(readonly handle: TableHandle, readonly settings: ApplySettings, readonly progress: (completed: number, total: number) => void) {}

  /** Total of all operations that will be sent, as far as known. */
  total = 0

  async send(operations: readonly Operation[]): Promise<void> {
    const { batchSize, signal } = this.settings
    for (let from = 0; from < operations.length; from += batchSize) {
      const some = operations.slice(from, from + batchSize)
      let outcomes: Outcome[]
      try {
        signal?.throwIfAborted()
        outcomes = await this.handle.batch(some, { refusals: 'return', signal })
      } catch (error) {
        if (!(error instanceof AbortError) && signal?.aborted !== true) throw error
        const sent = error instanceof AbortError ? error.outcomes : []
        this.#take([...sent, ...operations.slice(from + sent.length).map((operation): Outcome => ({ index: 0, operation, outcome: 'not-sent' }))])
        throw error
      }
      this.#take(outcomes)
      this.progress(this.outcomes.length, this.total)
      if (outcomes.some(({ outcome }) => outcome === 'not-sent')) {
        this.withhold(operations.slice(from + some.length))
        return
      }
    }
  }

  /** Counts operations as not sent. */
  withhold(operations: readonly Operation[]): void {
    this.#take(operations.map((operation) => ({ index: 0, operation, outcome: 'not-sent' })))
  }

  #take(outcomes: readonly Outcome[]): void {
    for (const outcome of outcomes) {
      this.outcomes.push({ ...outcome, index: this.outcomes.length })
      if (outcome.outcome !== 'done' && 'service' in outcome.operation && outcome.operation.service !== undefined) this.troubled.add(serviceId(outcome.operation.service))
    }
  }

  /** Of what takes capacity away: whether what replaces it is in force. */
  isReplaced(operation: Operation): boolean {
    return operation.type === 'removeService' || !('service' in operation) || operation.service === undefined || !this.troubled.has(serviceId(operation.service))
  }

  get failed(): boolean {
    return this.outcomes.some(({ outcome }) => outcome !== 'done')
  }

  result(plan: Plan): ApplyResult {
    const by = (wanted: Outcome['outcome']): Outcome[] => this.outcomes.filter(({ outcome }) => outcome === wanted)
    return { plan, done: by('done'), refused: by('refused'), unknown: by('unknown'), notSent: by('not-sent') }
  }
}

/** What undoes an operation, with the table as it was before; in the order it has to be sent. */
function inverse(operation: Operation, before: CurrentTable, indexOf: (service: ServiceKey) => number): Operation[] {
  const destinationsOf = (service: ServiceKey): ListedDestination[] => before.destinations[indexOf(service)].read()
  switch (operation.type) {
    case 'addService': return [{ type: 'removeService', service: keyIn(operation.service) }]
    case 'updateService': return [{ type: 'updateService', service: serviceConfigurationOf(before.services[indexOf(operation.service)]) }]
    case 'removeService': {
      const { service: key } = operation
      return [
        { type: 'addService', service: serviceConfigurationOf(before.services[indexOf(key)]) },
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

const keyIn = (service: ServiceKey): ServiceKey => 'fwmark' in service
  ? { fwmark: service.fwmark, family: service.family }
  : { protocol: service.protocol, address: service.address, port: service.port }

/** Undoes what is in force, and what may be, last first. */
async function rollBack(sender: Sender, before: CurrentTable): Promise<NonNullable<ApplyResult['rollback']>> {
  const { handle, settings } = sender
  const indices = new Map(before.services.map((service, index) => [serviceId(service), index]))
  // The removal of a new service takes its destinations with it.
  const newServices = new Set(sender.outcomes.filter(({ operation, outcome }) => operation.type === 'addService' && outcome === 'done')
    .map(({ operation }) => serviceId((operation as { service: ServiceKey }).service)))
  const needless = (operation: Operation): boolean => operation.type === 'addDestination' && newServices.has(serviceId(operation.service))
  const operations = sender.outcomes.filter(({ operation, outcome }) => (outcome === 'done' || outcome === 'unknown') && !needless(operation)).toReversed()
    .flatMap(({ operation }) => inverse(operation, before, (service) => indices.get(serviceId(service))!))
  const undoing = new Sender(handle, { ...settings, signal: undefined },
    (completed, total) => settings.onProgress({ phase: 'undoing', completed, total, draining: [] }))
  undoing.total = operations.length
  await undoing.send(operations)
  const undone = undoing.outcomes.filter(({ outcome }) => outcome === 'done')
  return { undone, notUndone: undoing.outcomes.filter(({ outcome }) => outcome !== 'done') }
}

/** Removes what is drained, until nothing is left or the time limit has passed. */
async function drainRest(handle: TableHandle, desired: DesiredState, settings: ApplySettings, sender: Sender, first: readonly DrainingDestination[]): Promise<DrainingDestination[]> {
  const drain = settings.drain!
  const mine = new Set(first.map(({ service, destination }) => idOf(service, destination)))
  const services = new Set(first.map(({ service }) => serviceId(service)))
  const end = performance.now() + drain.timeout * 1000
  const report = (draining: DrainingDestination[]): void => settings.onProgress({ phase: 'draining', completed: sender.outcomes.length, total: sender.total, draining })
  let looking = 0
  for (let draining = [...first]; ;) {
    report(draining)
    // A large table takes long to read: no more than a fifth of the time goes into that.
    await wait(Math.max(0, Math.min(Math.max(drain.interval * 1000, 4 * looking), end - performance.now())), undefined, { signal: settings.signal })
    const begin = performance.now()
    const over = begin >= end
    const staged = await planTable(desired, await readCurrent(handle), settings, (service, destination) => over && mine.has(idOf(service, destination)))
    looking = performance.now() - begin
    // What others changed meanwhile is not this apply's business, and what they bring to weight 0 is not waited for.
    const drained = staged.retire.filter((operation) => operation.type === 'removeService' ? services.has(serviceId(operation.service))
      : operation.type === 'removeDestination' && mine.has(idOf(operation.service, operation.destination)))
    sender.total += drained.length
    await sender.send(drained)
    draining = staged.draining.filter(({ service, destination }) => mine.has(idOf(service, destination)))
    if (draining.length > 0 && !over) continue
    report([])
    return left(first, sender)
  }
}

/** Draining destinations whose removal was refused, or not sent. */
function left(draining: readonly DrainingDestination[], sender: Sender): DrainingDestination[] {
  const failed = new Set(sender.outcomes.filter(({ outcome }) => outcome !== 'done').map(({ operation }) =>
    operation.type === 'removeDestination' ? idOf(operation.service, operation.destination) : operation.type === 'removeService' ? serviceId(operation.service) : ''))
  return draining.filter(({ service, destination }) => failed.has(serviceId(service)) || failed.has(idOf(service, destination)))
}

/** Carries out a plan: what adds and changes, then what takes away, where its replacement is in force. */
export async function carryOut(sender: Sender, staged: StagedPlan, stopAtRefusal: boolean): Promise<void> {
  const { build, retire, finish } = staged
  sender.total += build.length + retire.length + finish.length
  await sender.send(build)
  if (stopAtRefusal && sender.failed) {
    sender.withhold([...retire, ...finish])
    return
  }
  const withheld: PlannedOperation[] = []
  await sender.send([...retire.filter((operation) => sender.isReplaced(operation) || (withheld.push(operation), false)), ...finish])
  sender.withhold(withheld)
}

export function newSender(handle: TableHandle, settings: ApplySettings): Sender {
  return new Sender(handle, settings, (completed, total) => settings.onProgress({ phase: 'changing', completed, total, draining: [] }))
}

/** One step of a long-running loop: reads, plans, carries out, and does not wait for connections. */
export async function applyOnce(handle: TableHandle, desired: DesiredState, settings: ApplySettings, expired?: Expired): Promise<ApplyResult> {
  const { current, staged } = await settle(handle, desired, settings, expired)
  const sender = newSender(handle, settings)
  await carryOut(sender, staged, settings.rollback)
  const result = sender.result(await planOf(handle, staged, settings))
  if (settings.drain !== undefined) result.draining = staged.draining
  if (settings.rollback && sender.failed) result.rollback = await rollBack(sender, current)
  return result
}

/** `Ipvs.apply`. */
export async function apply(handle: TableHandle, desired: Desired, options?: ApplyOptions): Promise<ApplyResult> {
  const settings = applySettings(options)
  const state = readDesired(desired)
  const { signal } = settings
  const aborted = (): boolean => signal?.aborted === true
  if (aborted()) throw new AbortError(signal!.reason, [])
  const { current, staged } = await settle(handle, state, settings).catch((error: unknown) => {
    throw aborted() ? new AbortError(signal!.reason, []) : error
  })
  const plan = await planOf(handle, staged, settings)
  const sender = newSender(handle, settings)
  if (settings.dryRun) return { ...sender.result(plan), ...settings.drain && { draining: staged.draining } }
  try {
    await carryOut(sender, staged, settings.rollback)
    if (settings.rollback && sender.failed) return { ...sender.result(plan), rollback: await rollBack(sender, current) }
    if (settings.drain === undefined) return sender.result(plan)
    const waitFor = staged.draining.filter(({ service }) => !sender.troubled.has(serviceId(service)))
    const draining = waitFor.length === 0 ? [] : await drainRest(handle, state, settings, sender, waitFor)
    return { ...sender.result(plan), draining: [...staged.draining.filter((entry) => !waitFor.includes(entry)), ...draining] }
  } catch (error) {
    if (!aborted()) throw error
    throw Object.assign(new AbortError(signal!.reason, sender.outcomes), { result: sender.result(plan) })
  }
}
