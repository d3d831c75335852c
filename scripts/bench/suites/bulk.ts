import { Ipvs, type Operation } from 'ipvs'
import { compare, type Comparison, type Timings } from 'ipvs/bench'
import { Namespace } from '../namespace.js'
import { countTable, reference, warmUp } from '../reference.js'
import type { Row } from '../row.js'
import { clockedWarm, type Run, type Suite } from '../suite.js'
import { empty, formatShape, operations, rulesOf, sumOfEveryField, verbs, verify, weightAfter, type Shape, type Verb } from '../workload.js'

const standardShapes: readonly Shape[] = [
  { services: 1000, destinations: 10 }, { services: 10_000, destinations: 1 }, { services: 1, destinations: 1000 }, { services: 1, destinations: 10_000 },
]

const isStandard = ({ services, destinations }: Shape): boolean => services === 1000 && destinations === 10

/** What the first of the standard shapes has to reach: times of the batched C reference. */
const goals = { batch: { uml: 1.5, tcg: 1.25, native: 1.25 }, calls: 2, snapshot: 1.25 } as const

/** One method call for each operation, as a program writes that knows nothing of batches. */
function call(ipvs: Ipvs, operation: Operation): Promise<unknown> {
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
const inSingleCalls: ChangeTable = (ipvs, rules) => Promise.all(rules.map(rule => call(ipvs, rule)))

/** Fills a table, lists it, changes it, empties it; after each change the whole of it is read back and compared. */
async function wholeTable(shape: Shape, rules: Record<Verb, readonly Operation[]>, change: ChangeTable): Promise<Timings> {
  await using namespace = await Namespace.create()
  const ipvs = await Ipvs.open({ netns: namespace.path })
  try {
    const read = async (): Promise<number> => sumOfEveryField(await ipvs.snapshot())
    const services = { services: rulesOf(shape), destinations: 0 }
    const comeAndGo = [[...operations('add', services)], [...operations('remove', services)]]
    const timings: Timings = {}

    timings.add = await clockedWarm(async () => { for (const step of comeAndGo) await change(ipvs, step) }, () => change(ipvs, rules.add))
    verify(await ipvs.snapshot(), shape, weightAfter.add)
    timings.snapshot = await clockedWarm(read, read)
    timings.update = await clockedWarm(() => change(ipvs, rules.update), () => change(ipvs, rules.update))
    verify(await ipvs.snapshot(), shape, weightAfter.update)
    await countTable(namespace, shape)
    timings.remove = await clockedWarm(() => change(ipvs, rules.update), () => change(ipvs, rules.remove))
    verify(await ipvs.snapshot(), empty, 0)
    return timings
  } finally {
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
    calls: async () => perRule(await wholeTable(shape, rules, inSingleCalls), shape),
    each: async () => perRule(await inC(shape, ['each:add', 'each:update', 'each:remove']), shape),
  }
  await compare(contenders, { rounds: 1 })
  return rows(await compare(contenders, { rounds: run.rounds * (isStandard(shape) ? 3 : 1) }), shape, run)
}

function rows(comparison: Comparison, shape: Shape, run: Run): Row[] {
  const row = (phase: string, contender: string, what: string, goal?: number): Row => {
    const { [contender]: { median, ratio }, batched } = comparison[phase]
    return {
      what: `${formatShape(shape)}: ${what}`, value: median, unit: phase === 'snapshot' ? 'µs/object' : 'µs/rule', reference: batched.median, ratio,
      ...(isStandard(shape) && goal !== undefined ? { goal } : {}),
    }
  }
  return [
    ...verbs.map(verb => row(verb, 'batch', `${verb}, one batch, an array`, goals.batch[run.place])),
    ...verbs.map(verb => row(verb, 'iterable', `${verb}, one batch, an iterable`, goals.batch[run.place])),
    ...verbs.map(verb => row(verb, 'calls', `${verb}, Promise.all of single calls`, goals.calls)),
    ...verbs.map(verb => row(verb, 'each', `${verb}, the C reference one by one`)),
    row('snapshot', 'batch', 'snapshot, every field read', goals.snapshot),
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
