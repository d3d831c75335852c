/**
 * desired-state SERVICES DESTINATIONS: makes a table, plans and applies where nothing and where ten rules differ. Prints medians in
 * microseconds, the longest that an empty plan, a snapshot and an idle run held the event loop, and the most memory in bytes, as JSON.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Ipvs, type DesiredService } from 'ipvs'
import { median } from 'ipvs/bench'
import { collectGarbage } from '../garbage.js'
import { longestDelay } from '../longest-delay.js'
import { clocked } from '../suite.js'
import { destination, serviceKey, weightAfter } from '../workload.js'

const [services, destinations] = process.argv.slice(2).map(Number)
/** Rules that differ. */
const CHANGED = 10
const RUNS = 20

const desired: DesiredService[] = Array.from({ length: services }, (_, s) => ({
  ...serviceKey(s), scheduler: 'rr', destinations: Array.from({ length: destinations }, (_, d) => destination(d, weightAfter.add)),
}))

const ipvs = await Ipvs.open()
const first = await ipvs.apply(desired)
if (first.done !== services * (1 + destinations)) {
  throw new Error(`${first.done} operations were done, ${first.refused.length} refused`)
}

async function emptyPlan(): Promise<void> {
  const { operations } = await ipvs.plan(desired, { prune: 'all' })
  if (operations.length > 0) {
    throw new Error(`the plan of an unchanged table has ${operations.length} operations: ${JSON.stringify(operations[0])}`)
  }
}

async function changeTen(round: number): Promise<void> {
  const { done, plan } = await ipvs.apply(desired, { prune: 'all' })
  const expected = Math.min(CHANGED, services)
  if (done !== expected || plan.operations.length !== expected) {
    throw new Error(`round ${round}: ${done} of ${plan.operations.length} operations were done, ${expected} expected`)
  }
}

const times: Record<'snapshot' | 'plan' | 'ten', number[]> = { snapshot: [], plan: [], ten: [] }
for (let round = 0; round < RUNS; round++) {
  collectGarbage()
  times.snapshot.push(await clocked(() => ipvs.snapshot()))
  collectGarbage()
  times.plan.push(await clocked(emptyPlan))
  for (let i = 0; i < CHANGED; i++) {
    const entry = desired[Math.floor(i * services / CHANGED)]
    entry.destinations = [destination(0, 3 + round % 2), ...entry.destinations!.slice(1)]
  }
  collectGarbage()
  times.ten.push(await clocked(() => changeTen(round)))
}

const loops: Record<'idle' | 'snapshot' | 'plan', number[]> = { idle: [], snapshot: [], plan: [] }
for (let i = 0; i < 5; i++) {
  // What one leaves behind is not to be collected while another is measured.
  collectGarbage()
  loops.snapshot.push(await longestDelay(() => ipvs.snapshot()))
  collectGarbage()
  loops.plan.push(await longestDelay(emptyPlan))
  collectGarbage()
  loops.idle.push(await longestDelay(() => sleep(median(times.plan) / 1000)))
}
await ipvs.close()
console.log(JSON.stringify({
  snapshot: median(times.snapshot), plan: median(times.plan), ten: median(times.ten),
  idle: median(loops.idle), heldBySnapshot: median(loops.snapshot), held: median(loops.plan), peak: process.resourceUsage().maxRSS * 1024,
}))
