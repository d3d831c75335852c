import { narrowed, readDesired, type DesiredState } from './desired.js'
import { readTable, type TableHandle } from './handle.js'
import { applySettings, type ApplySettings } from './options.js'
import { planTable } from './plan.js'
import type { ApplyOptions, ApplyResult, Desired, Plan, PlanOptions } from './types.js'
import { planOf, Work } from './work.js'

/** What was given as desired; with `only`, what of it is about the named services. */
function desiredBy(desired: Desired, { only }: ApplySettings): DesiredState | Promise<DesiredState> {
  const state = readDesired(desired)
  return only === undefined ? state : narrowed(state, only)
}

/** `Ipvs.plan`. */
export async function plan(handle: TableHandle, desired: Desired, options?: PlanOptions): Promise<Plan> {
  const settings = applySettings(options, 'plan')
  const state = await desiredBy(desired, settings)
  return planOf(handle, await planTable(state, await readTable(handle, state), settings), settings)
}

/** `Ipvs.apply`. */
export async function apply(handle: TableHandle, desired: Desired, options?: ApplyOptions): Promise<ApplyResult> {
  const settings = applySettings(options)
  return new Work(handle, await desiredBy(desired, settings), settings).whole()
}
