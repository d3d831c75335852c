import { Ipvs, IpvsSync, type Destination } from 'ipvs'
import { compare, measure, measureSync, median, type Timings } from 'ipvs/bench'
import { Namespace } from '../namespace.js'
import { reference } from '../reference.js'
import type { Row } from '../row.js'
import { clocked, type Suite } from '../suite.js'
import { destination, operations, serviceKey, verbs, verify, weightAfter, type Verb } from '../workload.js'

/** Loops of so many calls are timed as a whole: reading the clock may cost as much as a call. */
const loop = 1000
const shape = { services: loop, destinations: 5 }

const keys = Array.from({ length: loop }, (_, i) => serviceKey(i))

/** Made beforehand, as the reference's requests are: what a program does to have its rules is not what is measured. */
const entries = Object.fromEntries(verbs.map(verb =>
  [
    verb, Array.from({ length: 11 }, (_, i) => destination(i, verb === 'update' ? weightAfter.update : weightAfter.add)),
  ])) as Record<Verb, Destination[]>

/** Each round of calls touches every service once, so that the length of a service's list does not count. */
const call = (ipvs: Ipvs | IpvsSync, verb: Verb) => {
  const method = ({ add: 'addDestination', update: 'updateDestination', remove: 'removeDestination' } as const)[verb]
  return (index: number): unknown => ipvs[method](keys[index % loop], entries[verb][Math.floor(index / loop)])
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
  const left = verb === 'remove' ? 0 : destinations
  verify(await ipvs.snapshot(), { ...shape, destinations: left }, verb === 'update' ? weightAfter.update : weightAfter.add)
}

/**
 * The median of loops, as many as there are destinations of each service: what was read back before leaves V8 something to tidy up, which
 * falls into the first ones.
 */
type Calls = (verb: Verb, ipvs: Ipvs, sync: IpvsSync, from: number) => unknown

const loops = (calls: Calls): Promise<Timings> => withServices(async (ipvs, sync) => {
  const timings: Timings = {}
  for (const verb of verbs) {
    const samples: number[] = []
    for (let i = 0; i < shape.destinations; i++) samples.push(await clocked(() => calls(verb, ipvs, sync, i * loop)) / loop)
    timings[verb] = median(samples)
    await verifyAfter(verb, ipvs, shape.destinations)
  }
  return timings
})

async function inC(): Promise<Timings> {
  await using namespace = await Namespace.create()
  const timings = await reference(namespace, shape, ['add-services', ...verbs.map(verb => `each:${verb}-destinations`)])
  return Object.fromEntries(verbs.map(verb => [verb, timings[`each:${verb}-destinations`] / (loop * shape.destinations)]))
}

export const single: Suite = {
  title: `One operation at a time (loops of ${loop}, divided)`,
  async measure(run) {
    const contenders = {
      c: inC,
      sync: () => loops((verb, _ipvs, handle, from) => {
        const once = call(handle, verb)
        for (let i = from; i < from + loop; i++) once(i)
      }),
      promise: () => loops(async (verb, ipvs, _sync, from) => {
        const once = call(ipvs, verb)
        for (let i = from; i < from + loop; i++) await once(i)
      }),
    }
    // Optimising what runs in the loops takes a second or two where instructions are emulated.
    await compare(contenders, { rounds: 5 })
    const comparison = await compare(contenders, { rounds: 3 * run.rounds })
    const allowance = run.place === 'native' ? 30 : 6 * run.systemCall

    const rows: Row[] = []
    for (const verb of verbs) {
      const { c, sync } = comparison[verb]
      rows.push({
        what: `${verb} a destination, sync`, value: sync.median, unit: 'µs/call', reference: c.median, ratio: sync.ratio,
        goal: run.place === 'tcg' ? 1.5 : 1.1,
      })
    }
    for (const verb of verbs) {
      const { c, sync, promise } = comparison[verb]
      rows.push({
        what: `${verb} a destination, promise`, value: promise.median, unit: 'µs/call', reference: c.median, ratio: promise.ratio,
      })
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
    const { clock, ...distribution } = kind === 'sync'
      ? measureSync(call(sync, verb), options)
      : await measure(call(ipvs, verb) as () => Promise<unknown>, options)
    rows.push({
      what: `${verb}, ${kind}, every call clocked`, value: distribution.median, unit: 'µs/call',
      note: `less ${clock.toFixed(2)} µs for the clock`, distribution,
    })
    await verifyAfter(verb, ipvs, 11)
  }
  return rows
})
