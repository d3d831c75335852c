/**
 * update SERVICES DESTINATIONS: makes a table, keeps it with a reconciler, and changes one service after the other with `update`. Prints
 * how long an update takes until it is in force, and how long one synchronous call takes: medians in microseconds, as JSON.
 */
import { once } from 'node:events'
import { Ipvs, IpvsSync, type DesiredService } from 'ipvs'
import { median } from 'ipvs/bench'
import { collectGarbage } from '../garbage.js'
import { clocked } from '../suite.js'
import { destination, serviceKey, weightAfter } from '../workload.js'

const [services, destinations] = process.argv.slice(2).map(Number)
/** Updates until the code is compiled, and those that are measured. */
const [WARM, MEASURED] = [500, 500]

const serviceWith = (index: number, weight: number): DesiredService => ({
  ...serviceKey(index), scheduler: 'rr',
  destinations: Array.from({ length: destinations }, (_, d) => destination(d, d === 0 ? weight : weightAfter.add)),
})

const ipvs = await Ipvs.open()
const reconciler = ipvs.reconcile(Array.from({ length: services }, (_, index) => serviceWith(index, weightAfter.add)), { interval: 3600 })
await once(reconciler, 'converged')

/** The weight that each changed service was given last. */
const weights = new Map<number, number>()
const updates: number[] = []
collectGarbage()
for (let i = 0; i < WARM + MEASURED; i++) {
  // A prime number of steps: neighbours in time are none in the table.
  const index = i * 7919 % services
  const weight = 3 + (weights.get(index) ?? 0) % 100
  weights.set(index, weight)
  const changed = serviceWith(index, weight)
  const took = await clocked(() => reconciler.update({ services: [changed] }))
  if (i >= WARM) updates.push(took)
}
await reconciler.close()

const { services: listed } = await ipvs.snapshot()
const found = new Map(listed.map((service) => [
  'address' in service ? service.address : '', service.destinations.find(({ address }) => address === destination(0, 1).address)?.weight,
]))
for (const [index, weight] of weights) {
  const actual = found.get(serviceKey(index).address)
  if (actual !== weight) throw new Error(`service ${index} has a destination of weight ${actual} where ${weight} was asked for`)
}
await ipvs.close()

using sync = IpvsSync.open()
const calls: number[] = []
for (let i = 0; i < WARM + MEASURED; i++) {
  const entry = destination(0, 3 + i % 100)
  calls.push(await clocked(() => sync.updateDestination(serviceKey(i % services), entry)))
}
console.log(JSON.stringify({ update: median(updates), call: median(calls.slice(WARM)) }))
