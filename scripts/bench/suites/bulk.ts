import { Ipvs, type BatchBuilder, type Operation } from 'ipvs'
import { compare, measure, type Comparison, type Timings } from 'ipvs/bench'
import { Namespace } from '../namespace.js'
import { countTable, reference, warmUp } from '../reference.js'
import type { Place } from '../place.js'
import type { Row } from '../row.js'
import { clockedWarm, type Run, type Suite } from '../suite.js'
import {
  destinationOperation, empty, formatShape, operations, rulesOf, serviceKey, serviceOperation, sumOfEveryField, verbs, verify, weightAfter,
  type Shape, type Verb,
} from '../workload.js'

const standard: Shape = { services: 1000, destinations: 10 }

const standardShapes: readonly Shape[] = [
  standard, { services: 10_000, destinations: 1 }, { services: 1, destinations: 1000 }, { services: 1, destinations: 10_000 },
]

const isLongList = ({ services, destinations }: Shape): boolean => services === 1 && destinations === 10_000
const isStandard = ({ services, destinations }: Shape): boolean => services === standard.services && destinations === standard.destinations

/** Ways to change a table, and what each is called. */
const ways = {
  batch: 'one batch, an array', iterable: 'one batch, an iterable', callback: 'one batch, a callback', calls: 'Promise.all of single calls',
} as const

/** What the first of the standard shapes has to reach: times of the batched C reference, `together` times of `snapshot()`. */
const goals: Record<Place, Partial<Record<keyof typeof ways | 'snapshot' | 'together', number>>> = {
  uml: { batch: 1.25, iterable: 1.25, callback: 1.3, calls: 1.9, snapshot: 1.25, together: 1.25 },
  tcg: { batch: 1.6, iterable: 1.15, snapshot: 1.3 },
  native: { batch: 1.25, iterable: 1.25, callback: 1.3, calls: 1.9, snapshot: 1.25, together: 1.25 },
}

/** What a snapshot of one service with 10,000 destinations has to reach. */
const goalOfLongList = 1.75

/** One method call for each operation, as a program writes that knows nothing of batches. */
function call(ipvs: Ipvs | BatchBuilder, operation: Operation): unknown {
  switch (operation.type) {
    case 'addService': return ipvs.addService(operation.service)
    case 'updateService': return ipvs.updateService(operation.service)
    case 'removeService': return ipvs.removeService(operation.service)
    case 'addDestination': return ipvs.addDestination(operation.service, operation.destination)
    case 'updateDestination': return ipvs.updateDestination(operation.service, operation.destination)
    case 'removeDestination': return ipvs.removeDestination(operation.service, operation.destination)
    default: throw new Error(`no method call for ${operation.type}`)
  }
}

type ChangeTable = (ipvs: Ipvs, rules: readonly Operation[]) => Promise<unknown>
const inOneBatch: ChangeTable = (ipvs, rules) => ipvs.batch(rules)
const inOneBatchAsItGoes: ChangeTable = (ipvs, rules) => ipvs.batch(rules.values())
const inOneBatchByCallback: ChangeTable = (ipvs, rules) => ipvs.batch((batch) => { for (const rule of rules) call(batch, rule) })
const inSingleCalls: ChangeTable = (ipvs, rules) => Promise.all(rules.map(rule => call(ipvs, rule)))

/** What is done elsewhere right before anything is timed. */
const rehearsed: Record<Verb, readonly Operation[]> = {
  // The kernel looks for an added destination among those that were removed, the last one first.
  add: Array.from({ length: standard.services }, (_, i) => standard.services - 1 - i).flatMap(s => [
    serviceOperation('add', s),
    ...Array.from({ length: standard.destinations }, (_, i) => destinationOperation('add', serviceKey(s), standard.destinations - 1 - i)),
  ]),
  update: [...operations('update', standard)],
  remove: [...operations('remove', standard)],
}

/** Fills a table, lists it, changes it, empties it; after each change the whole of it is read back and compared. */
async function wholeTable(shape: Shape, rules: Record<Verb, readonly Operation[]>, change: ChangeTable): Promise<Timings> {
  await using rehearsal = await Namespace.create()
  await using namespace = await Namespace.create()
  const elsewhere = await Ipvs.open({ netns: rehearsal.path })
  const ipvs = await Ipvs.open({ netns: namespace.path })
  const services = Object.fromEntries(
    verbs.map(verb => [verb, [...operations(verb, { services: rulesOf(shape), destinations: 0 })]]),
  ) as Record<Verb, Operation[]>
  const rehearse = async (): Promise<void> => { for (const verb of verbs) await change(elsewhere, rehearsed[verb]) }
  try {
    const timings: Timings = {}
    // As in the C reference, services come and go here first: the socket is warm too, and nothing of them is kept as destinations are.
    const comeAndGo = async (): Promise<void> => { for (const verb of ['add', 'remove'] as const) await change(ipvs, services[verb]) }
    timings.add = await clockedWarm(async () => {
      await rehearse()
      await comeAndGo()
    }, () => change(ipvs, rules.add))
    verify(await ipvs.snapshot(), shape, weightAfter.add)
    // Several, since what one of them leaves behind is the garbage of a later one.
    const listings = { iterations: 9, warmup: 4 }
    timings.snapshot = (await measure(async () => sumOfEveryField(await ipvs.snapshot()), listings)).median
    const keys = Array.from({ length: shape.services }, (_, index) => serviceKey(index))
    timings.together = (await measure(() => Promise.all(keys.map((key) => ipvs.destinations(key))), listings)).median
    timings.alone = (await measure(() => ipvs.snapshot(), listings)).median
    timings.update = await clockedWarm(rehearse, () => change(ipvs, rules.update))
    verify(await ipvs.snapshot(), shape, weightAfter.update)
    await countTable(namespace, shape)
    timings.remove = await clockedWarm(rehearse, () => change(ipvs, rules.remove))
    verify(await ipvs.snapshot(), empty, 0)
    return timings
  } finally {
    await elsewhere.close()
    await ipvs.close()
  }
}

async function inC(shape: Shape, phases: readonly string[]): Promise<Timings> {
  await using namespace = await Namespace.create()
  return await reference(namespace, shape, [...warmUp, ...phases])
}

const perRule = (timings: Timings, shape: Shape): Timings =>
  Object.fromEntries(Object.entries(timings).map(([phase, microseconds]) => [phase.replace(/^each:/, ''), microseconds / rulesOf(shape)]))

async function measureShape(shape: Shape, run: Run): Promise<Row[]> {
  const rules = Object.fromEntries(verbs.map(verb => [verb, [...operations(verb, shape)]])) as Record<Verb, Operation[]>
  const contenders = {
    batched: async () => perRule(await inC(shape, ['add', 'snapshot', 'update', 'remove']), shape),
    batch: async () => perRule(await wholeTable(shape, rules, inOneBatch), shape),
    iterable: async () => perRule(await wholeTable(shape, rules, inOneBatchAsItGoes), shape),
    callback: async () => perRule(await wholeTable(shape, rules, inOneBatchByCallback), shape),
    calls: async () => perRule(await wholeTable(shape, rules, inSingleCalls), shape),
    each: async () => perRule(await inC(shape, ['each:add', 'each:update', 'each:remove']), shape),
  }
  await compare(contenders, { rounds: 1 })
  return rows(await compare(contenders, { rounds: run.rounds * (isStandard(shape) ? 3 : 1) }), shape, run)
}

function rows(comparison: Comparison, shape: Shape, run: Run): Row[] {
  const goal = isStandard(shape) ? goals[run.place] : {}
  const row = (phase: string, contender: string, what: string, goal?: number): Row => {
    const { [contender]: { median, ratio }, batched } = comparison[phase]
    return {
      what: `${formatShape(shape)}: ${what}`, value: median, unit: phase === 'snapshot' ? 'µs/object' : 'µs/rule',
      reference: batched.median, ratio,
      ...(goal === undefined ? {} : { goal }),
    }
  }
  const { together, alone } = comparison
  return [
    ...Object.entries(ways).flatMap(([way, name]) => verbs.map((verb) => row(verb, way, `${verb}, ${name}`, goal[way as keyof typeof ways]))),
    ...verbs.map((verb) => row(verb, 'each', `${verb}, the C reference one by one`)),
    row('snapshot', 'batch', 'snapshot, every field read', isLongList(shape) && run.place === 'uml' ? goalOfLongList : goal.snapshot),
    {
      what: `${formatShape(shape)}: Promise.all of destinations() of each service, against snapshot()`,
      value: together.batch.median, unit: 'µs/object', ratio: together.batch.median / alone.batch.median,
      ...(goal.together === undefined ? {} : { goal: goal.together }),
    },
  ]
}

export const bulk: Suite = {
  title: 'Whole tables, warm; beside the C reference, batched',
  async measure(run) {
    const all: Row[] = []
    for (const shape of run.shape ? [run.shape] : standardShapes) all.push(...await measureShape(shape, run))
    return all
  },
}
