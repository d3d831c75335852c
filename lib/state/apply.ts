import { inPieces } from '../client/pause.js'
import { basisOf, subjectOf } from './basis.js'
import { readDesired, type DesiredState } from './desired.js'
import { readTable, type TableHandle } from './handle.js'
import { applySettings, carryOutSettings } from './options.js'
import { planTable } from './plan.js'
import { isPlan } from './reviewed.js'
import type { ApplyOptions, ApplyResult, Desired, Plan, PlanOptions } from './types.js'
import { planOf, Work } from './work.js'

/** A plan that was made before has its desired state in it. */
const NOTHING: DesiredState = { services: [], timeouts: undefined, daemons: undefined }

/** `Ipvs.plan`. */
export async function plan(handle: TableHandle, desired: Desired, options?: PlanOptions): Promise<Plan> {
  const settings = applySettings(options, 'plan')
  const state = { ...readDesired(desired), only: settings.only }
  const table = await readTable(handle, state)
  const made = await planOf(handle, await planTable(state, table, settings), settings)
  if (made.operations.length === 0) return made
  return { ...made, basis: await inPieces(basisOf(made.operations.map((operation) => subjectOf(operation)!), table)) }
}

/** `Ipvs.apply`. */
export async function apply(handle: TableHandle, desired: Desired | Plan, options?: ApplyOptions): Promise<ApplyResult> {
  if (isPlan(desired)) return new Work(handle, NOTHING, carryOutSettings(options)).reviewed(desired)
  const settings = applySettings(options)
  return new Work(handle, { ...readDesired(desired), only: settings.only }, settings).whole()
}
