import { canonicalKey } from '../client/draft.js'
import type { PackedTable } from '../client/packed-table.js'
import { inPieces } from '../client/pause.js'
import { AbortError, telling } from '../model/batch.js'
import { isOtherFamily, serviceId } from '../model/keys.js'
import { checked } from './concurrency-check.js'
import { readDesired, type DesiredState } from './desired.js'
import { drain } from './drain.js'
import { sysctlWarnings, type Expired } from './draining.js'
import type { TableHandle } from './handle.js'
import { applySettings, carryOutSettings, type ApplySettings, type PlanSettings } from './options.js'
import { look, type Found } from './plan.js'
import { basisOf, isPlan, readPlan, subjectOf, subjectWords, TableChangedError } from './reviewed.js'
import { RollBack } from './roll-back.js'
import { Sender } from './send.js'
import { operationsOf, type StagedPlan } from './staged.js'
import type { ApplyOptions, ApplyResult, Desired, DrainingDestination, Plan, PlannedOperation, PlanOptions } from './types.js'

/** A staged plan as callers see it, without the warnings about the kernel's settings. */
const planned = (staged: StagedPlan, settings: PlanSettings): Plan =>
  ({ operations: operationsOf(staged), warnings: [...staged.warnings], ...settings.drain && { draining: staged.draining } })

/** Adds the warnings about the kernel's settings. Never rejects. */
async function warnOfSettings(plan: Plan, handle: TableHandle, staged: StagedPlan): Promise<void> {
  if (staged.draining.length > 0) plan.warnings.push(...await sysctlWarnings(handle.sysctl, staged))
}

/** Whether sync daemons have to wait for destinations to drain: the kernel starts none beside destinations of the other address family. */
const needsDrained = ({ draining, finish }: StagedPlan): boolean =>
  finish.length > 0 && draining.some(({ service, destination }) => isOtherFamily(service, destination))

/** Whether an operation takes capacity away. Such operations come last in a plan. */
function takesAway(operation: PlannedOperation, table: PackedTable): boolean {
  if (operation.type !== 'updateDestination') return operation.type === 'removeDestination' || operation.type === 'removeService'
  const { service, destination: { address, port, weight } } = operation
  const number = table.numberOf(serviceId(canonicalKey(service)))
  const before = number < 0 ? undefined : table.readDestination(number, { address, port })
  return before !== undefined && weight < before.weight
}

/** Brings the table to a desired state, once. If an error or a signal ends the work early, `result` says what is in force by then. */
export class Work {
  #plan: Plan = { operations: [], warnings: [] }
  /** Fulfilled when the plan has all its warnings. */
  #warned: Promise<void> | undefined
  #sender: Sender<PlannedOperation> | undefined
  #undoing: RollBack | undefined
  #draining: DrainingDestination[] | undefined

  constructor(readonly handle: TableHandle, readonly desired: DesiredState, readonly settings: ApplySettings) {}

  /** Carries out the whole plan, draining included. */
  whole(): Promise<ApplyResult> {
    return this.#run(async () => {
      const { table, staged } = await this.#prepare()
      if (this.settings.dryRun) return
      const { build, finish } = staged
      const planned = this.#plan.operations.length
      const until = needsDrained(staged) ? planned - finish.length : planned
      await this.#carryOut(table, build.length, until)
      await this.#drain()
      if (until < planned && this.#undoing === undefined) await this.#sender!.send(until, planned)
    })
  }

  /**
   * Carries out a plan that was made before, if the services that it is about are as they were then. Destinations that drain are left at
   * weight 0.
   */
  reviewed(plan: Plan): Promise<ApplyResult> {
    const { operations, subjects, basis } = readPlan(plan)
    return this.#run(async () => {
      const keys = [...subjects.values()].flatMap(({ key }) => key ?? [])
      this.settings.signal?.throwIfAborted()
      const table = await this.handle.services(keys, { timeouts: subjects.has('timeouts'), daemons: subjects.has('daemons') })
      const now = await inPieces(basisOf(subjects.values(), table))
      const changed = [...subjects.values()].filter(({ id }) => now[id] !== basis[id])
      if (changed.length > 0) throw new TableChangedError(changed.map(subjectWords))
      this.#plan = { ...plan, operations: [...operations] }
      if (this.settings.dryRun) return
      const first = operations.findIndex((operation) => takesAway(operation, table))
      await this.#carryOut(table, first < 0 ? operations.length : first, operations.length)
    })
  }

  /** Carries out one step of a long-running loop. It does not wait for connections to end. */
  once(expired: Expired): Promise<ApplyResult> {
    return this.#run(async () => {
      const { table, staged: { build } } = await this.#prepare(expired)
      await this.#carryOut(table, build.length, this.#plan.operations.length)
    })
  }

  /** Returns the result of the steps. An error that ends them early has the result as `result`. */
  async #run(steps: () => Promise<void>): Promise<ApplyResult> {
    const { signal } = this.settings
    try {
      await steps()
      await this.#warned
      return this.result()
    } catch (error) {
      await this.#warned
      if (signal?.aborted === true) {
        const result = this.result()
        throw new AbortError(signal.reason, this.#sender?.completed ?? 0, result)
      }
      if (this.#sender === undefined) throw error
      throw telling(error, 'The work ended early, with operations in force', this.result())
    }
  }

  /** Whether anything has been sent, or is about to be. */
  get hasBegun(): boolean {
    return this.#sender !== undefined
  }

  /** What has been done so far. */
  result(): ApplyResult {
    const { done = 0, refused = [], unknown = [], withheld = [], notSent = 0 } = this.#sender ?? {}
    const result: ApplyResult = { plan: this.#plan, done, refused, unknown, withheld, notSent }
    if (this.#draining !== undefined) result.draining = this.#draining
    if (this.#undoing !== undefined) result.rollback = this.#undoing.result()
    return result
  }

  /** Reads the table and plans. With a concurrency check it does so more than once. */
  async #prepare(expired?: Expired): Promise<Found> {
    const { handle, desired, settings } = this
    const once = (): Promise<Found> => {
      settings.signal?.throwIfAborted()
      return look(handle, desired, settings, expired, settings.signal)
    }
    const found = settings.attempts === 0 ? await once() : await checked(once, settings.attempts)
    // The next look that finds the destinations gone starts the daemons.
    if (expired !== undefined && needsDrained(found.staged)) found.staged.finish = []
    this.#plan = planned(found.staged, settings)
    // This reads files. Nothing that is sent waits for it.
    this.#warned = warnOfSettings(this.#plan, handle, found.staged)
    if (settings.dryRun) this.#draining = this.#plan.draining
    return found
  }

  /**
   * Carries out the plan. First it sends what adds and changes, then what takes away, as far as its replacement is in force. If anything is
   * refused and `rollback` is set, it undoes all of it.
   *
   * @param build how many operations add and change
   * @param until how many operations are carried out now
   */
  async #carryOut(table: PackedTable, build: number, until: number): Promise<void> {
    const { handle, settings } = this
    const sender = this.#sender = new Sender(handle, settings, 'changing', [...this.#plan.operations])
    await sender.send(0, build)
    if (!settings.rollback || !sender.failed) {
      sender.withhold(build, until)
      await sender.send(build, until)
    }
    if (!settings.rollback || !sender.failed) {
      this.#draining = this.#plan.draining
      return
    }
    this.#undoing = new RollBack(handle, settings, sender, table)
    await this.#undoing.run()
  }

  /** Removes draining destinations as their connections end. */
  async #drain(): Promise<void> {
    if (this.settings.drain === undefined || this.#draining === undefined) return
    for await (const draining of drain(this.handle, this.desired, this.settings, this.settings.drain, this.#sender!, this.#draining))
      this.#draining = draining
  }
}

/** Stands for the desired state of a plan that was made before, which needs none. */
const NOTHING: DesiredState = { services: [], timeouts: undefined, daemons: undefined }

/** `Ipvs.plan`. */
export async function plan(handle: TableHandle, desired: Desired, options?: PlanOptions): Promise<Plan> {
  const settings = applySettings(options, 'plan')
  const state = { ...readDesired(desired), only: settings.only }
  const { table, staged } = await look(handle, state, settings)
  const made = planned(staged, settings)
  await warnOfSettings(made, handle, staged)
  if (made.operations.length === 0) return made
  return { ...made, basis: await inPieces(basisOf(made.operations.map((operation) => subjectOf(operation)!), table)) }
}

/** `Ipvs.apply`. */
export async function apply(handle: TableHandle, desired: Desired | Plan, options?: ApplyOptions): Promise<ApplyResult> {
  if (isPlan(desired)) return new Work(handle, NOTHING, carryOutSettings(options)).reviewed(desired)
  const settings = applySettings(options)
  return new Work(handle, { ...readDesired(desired), only: settings.only }, settings).whole()
}
