import { Ipvs, IpvsSync } from 'ipvs'
import { compare, measure, measureSync, type Timings } from 'ipvs/bench'
import { Namespace } from '../namespace.js'
import { reference } from '../reference.js'
import type { Row } from '../row.js'
import { clocked, type Suite } from '../suite.js'
import { destination, operations, serviceKey, verbs, verify, weightAfter, type Verb } from '../workload.js'

/** Loops of so many calls are timed as a whole: reading the clock may cost as much as a call. */
const loop = 1000
const shape = { services: loop, destinations: 1 }

const keys = Array.from({ length: loop }, (_, i) => serviceKey(i))

/** Each round of calls touches every service once, so that the length of a service's list does not count. */
const syncCall = (ipvs: IpvsSync, verb: Verb) => (index: number): void => {
  const key = keys[index % loop]
  const entry = destination(Math.floor(index / loop), verb === 'update' ? weightAfter.update : weightAfter.add)
  if (verb === 'add') ipvs.addDestination(key, entry)
  else if (verb === 'update') ipvs.updateDestination(key, entry)
  else ipvs.removeDestination(key, entry)
}

const promiseCall = (ipvs: Ipvs, verb: Verb) => (index: number): Promise<unknown> => {
  const key = keys[index % loop]
  const entry = destination(Math.floor(index / loop), verb === 'update' ? weightAfter.update : weightAfter.add)
  if (verb === 'add') return ipvs.addDestination(key, entry)
  if (verb === 'update') return ipvs.updateDestination(key, entry)
  return ipvs.removeDestination(key, entry)
}

/** Opens both kinds of handle in a namespace that has the services, and no destination yet. */
async function withServices<T>(work: (ipvs: Ipvs, sync: IpvsSync) => Promise<T>): Promise<T> {
  await using namespace = await Namespace.create()
  const ipvs = await Ipvs.open({ netns: namespace.path })
  const sync = IpvsSync.open({ netns: namespace.path })
  try {
    await ipvs.batch(operations('add', { ...shape, destinations: 0 }))
    return await work(ipvs, sync)
  } finally {
    await ipvs.close()
    sync.close()
  }
}

async function verifyAfter(verb: Verb, ipvs: Ipvs, destinations: number): Promise<void> {
  verify(await ipvs.snapshot(), { ...shape, destinations: verb === 'remove' ? 0 : destinations }, verb === 'update' ? weightAfter.update : weightAfter.add)
}

const loops = (calls: (verb: Verb, ipvs: Ipvs, sync: IpvsSync) => unknown): Promise<Timings> => withServices(async (ipvs, sync) => {
  const timings: Timings = {}
  for (const verb of verbs) {
    timings[verb] = await clocked(() => calls(verb, ipvs, sync)) / loop
    await verifyAfter(verb, ipvs, 1)
  }
  return timings
})

async function inC(): Promise<Timings> {
  await using namespace = await Namespace.create()
  const timings = await reference(namespace, shape, ['add-services', ...verbs.map(verb => `each:${verb}-destinations`)])
  return Object.fromEntries(verbs.map(verb => [verb, timings[`each:${verb}-destinations`] / loop]))
}

export const single: Suite = {
  title: `One operation at a time (loops of ${loop}, divided)`,
  async measure(run) {
    const contenders = {
      c: inC,
      sync: () => loops((verb, _ipvs, handle) => {
        const call = syncCall(handle, verb)
        for (let i = 0; i < loop; i++) call(i)
      }),
      promise: () => loops(async (verb, ipvs) => {
        const call = promiseCall(ipvs, verb)
        for (let i = 0; i < loop; i++) await call(i)
      }),
    }
    // Optimising what runs in the loops takes a second or two where instructions are emulated.
    await compare(contenders, { rounds: 5 })
    const comparison = await compare(contenders, { rounds: 3 * run.rounds })
    const allowance = run.place === 'native' ? 30 : 6 * run.systemCall

    const rows: Row[] = []
    for (const verb of verbs) {
      const { c, sync } = comparison[verb]
      rows.push({ what: `${verb} a destination, sync`, value: sync.median, unit: 'µs/call', reference: c.median, ratio: sync.ratio, goal: run.place === 'uml' ? 1.2 : 1.5 })
    }
    for (const verb of verbs) {
      const { c, sync, promise } = comparison[verb]
      rows.push({ what: `${verb} a destination, promise`, value: promise.median, unit: 'µs/call', reference: c.median, ratio: promise.ratio })
      rows.push({
        what: '  of it beyond the sync one', value: promise.median - sync.median, unit: 'µs/call',
        ...(run.place === 'tcg' ? {} : { goal: allowance, note: run.place === 'uml' ? '6 × getppid' : '' }),
      })
    }
    return [...rows, ...await distributions('sync'), ...await distributions('promise')]
  },
}

/** Each call on its own clock, ten for each service: for the percentiles, which loops would even out. */
const distributions = (kind: 'sync' | 'promise'): Promise<Row[]> => withServices(async (ipvs, sync) => {
  const options = { iterations: 10 * loop, warmup: loop }
  const rows: Row[] = []
  for (const verb of verbs) {
    const { clock, ...distribution } = kind === 'sync' ? measureSync(syncCall(sync, verb), options) : await measure(promiseCall(ipvs, verb), options)
    rows.push({ what: `${verb}, ${kind}, every call clocked`, value: distribution.median, unit: 'µs/call', note: `less ${clock.toFixed(2)} µs for the clock`, distribution })
    await verifyAfter(verb, ipvs, 11)
  }
  return rows
})
