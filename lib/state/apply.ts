import { readDesired } from './desired.js'
import { readTable, type TableHandle } from './handle.js'
import { applySettings } from './options.js'
import { planTable } from './plan.js'
import type { ApplyOptions, ApplyResult, Desired, Plan, PlanOptions } from './types.js'
import { planOf, Work } from './work.js'

/** `Ipvs.plan`. */
export async function plan(handle: TableHandle, desired: Desired, options?: PlanOptions): Promise<Plan> {
  const settings = applySettings(options, 'plan')
  const state = { ...readDesired(desired), only: settings.only }
  return planOf(handle, await planTable(state, await readTable(handle, state), settings), settings)
}

/** `Ipvs.apply`. */
export async function apply(handle: TableHandle, desired: Desired, options?: ApplyOptions): Promise<ApplyResult> {
  const settings = applySettings(options)
  return new Work(handle, { ...readDesired(desired), only: settings.only }, settings).whole()
}
