import fc from 'fast-check'
import { afterEach, expect, test, vi } from 'vitest'
import type { Change, Desired, DestinationKey, ListedTable, Observation, ServiceKey, Traffic } from 'ipvs'
import { destinationId, fullDestinationId, serviceId } from '../../../lib/model/keys.js'
import { COUNTERS } from '../../../lib/model/statistics.js'
import { configurationOf, serviceConfigurationOf } from '../../../lib/state/configuration.js'
import { RateMeter, type Counted, type Measurement } from '../../../lib/state/rates.js'
import { TestTable } from './support/test-table.js'

const web = { protocol: 'tcp', address: '10.0.0.1', port: 80 } as const
const [a, b, c] = ['10.0.0.101', '10.0.0.102', '10.0.0.103'].map((address) => ({ address, port: 80, forward: 'nat' as const }))
/** With these a list is so long that it does not come in one datagram. */
const others = Array.from({ length: 7 }, (_, i) => ({ ...a, address: `10.0.1.${i + 1}` }))

afterEach(() => { vi.restoreAllMocks() })

/** What is in the table has counted so much, with the kernel's average of it: the first period of something adds a quarter of its rate. */
const counted = (inBytes: bigint, average = 0) => ({ kernel }: TestTable): void => {
  for (const { destinations, ...service } of kernel.table().services) {
    for (const destination of [undefined, ...destinations])
      kernel.count(service, destination, { stats: { inBytes }, rates: { inBytes: average } })
  }
}

/** What is observed of a table that is looked at once a second, as others make it before each look. */
async function observed(
  start: Desired,
  looks: ((model: TestTable) => void)[],
  hear?: (observation: Observation) => void,
): Promise<Observation[]> {
  const model = await TestTable.of(start)
  let second = -1
  vi.spyOn(performance, 'now').mockImplementation(() => second * 1000)
  model.kernel.before = ({ command }) => {
    if (command === 'getService') looks[++second](model)
  }
  const seen: Observation[] = []
  for await (const observation of model.ipvs.watch({ interval: 0.001 })) {
    hear?.(observation)
    if (seen.push(observation) === looks.length - 1) break
  }
  return seen
}

test('rates are those of the last two seconds that the kernel has added up, and stay until it adds up again', async () => {
  const [added, held] = await observed([{ ...web, destinations: [a] }], [counted(1_000n), counted(5_000n, 500), counted(5_000n, 500)])
  expect(added.changes).toEqual([])
  expect(added.rates).toMatchObject([
    { service: web, difference: { inBytes: 4_000n, connections: 0n }, perSecond: { inBytes: 2_000, connections: 0 } },
    { service: web, destination: { address: a.address, port: 80 }, perSecond: { inBytes: 2_000 } },
  ])
  expect(held.rates).toMatchObject([{ difference: { inBytes: 0n }, perSecond: { inBytes: 2_000 } }, { perSecond: { inBytes: 2_000 } }])
})

test('what a program does to an observation changes nothing in the next', async () => {
  let seen = 0
  await observed([{ ...web, destinations: [a] }], [counted(5_000n, 500), () => {}, () => {}], ({ rates }) => {
    for (const { perSecond, difference } of rates) {
      seen++
      expect([perSecond.inBytes, difference.inBytes]).toEqual([500, 0n])
      Object.assign(perSecond, { inBytes: -1 })
      Object.assign(difference, { inBytes: -1n })
    }
  })
  expect(seen).toBe(4)
})

test('a destination that comes back with its old counters makes no spike', async () => {
  const [{ rates, changes }, ...later] = await observed([web], [() => {}, (model) => {
    model.other.addDestination(web, a)
    counted(10n ** 12n)(model)
  }, () => {}])
  expect(changes).toMatchObject([{ type: 'destinationAdded', destination: { address: a.address } }])
  for (const { rates: seen } of [{ rates }, ...later]) expect(seen.filter(({ destination }) => destination !== undefined)).toEqual([])
})

test('the table is that of its look, however late it is asked for', async () => {
  const [first, second] = await observed([{ ...web, destinations: [a, b] }], [
    () => {}, counted(3n), ({ other }) => other.removeDestination(web, b),
  ])
  expect(second.table.services[0].destinations).toMatchObject([a])
  expect(first.table.services).toMatchObject([{ ...web, stats: { inBytes: 3n }, destinations: [b, a] }])
  expect(first.table).toBe(first.table)
})

test('an observation is JSON, its counters decimal text as in the command\'s --json', async () => {
  const [observation] = await observed([{ ...web, destinations: [a] }], [counted(2n ** 63n), counted(2n ** 63n + 3n)])
  expect((JSON.parse(JSON.stringify(observation)) as typeof observation).rates[0].difference).toEqual({
    connections: '0',
    inPackets: '0',
    outPackets: '0',
    inBytes: '3',
    outBytes: '0',
  })
  expect(JSON.parse(JSON.stringify(observation))).toMatchObject({
    elapsed: 1,
    table: { services: [{ ...web, stats: { inBytes: String(2n ** 63n + 3n) } }] },
  })
  // The words are for JSON alone: copies and comparisons see counters.
  expect(observation.rates[0].difference).toEqual({ connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 3n, outBytes: 0n })
})

test('an async iterable tells what is added, changed and removed', async () => {
  const model = new TestTable()
  await model.ipvs.apply([web])
  const seen: string[][] = []
  for await (const { changes, elapsed } of model.ipvs.watch({ interval: 0.005, initial: true })) {
    seen.push(changes.map(({ type }) => type))
    if (seen.length === 1) expect(elapsed).toBe(0)
    else expect(elapsed).toBeGreaterThan(0)
    if (seen.length === 1) await model.ipvs.apply([{ ...web, destinations: [a] }])
    if (seen.length === 2) await model.ipvs.apply([{ ...web, scheduler: 'rr', destinations: [{ ...a, weight: 3 }] }])
    if (seen.length === 3) await model.ipvs.apply([], { prune: 'all' })
    if (seen.length === 4) break
  }
  expect(seen).toEqual([
    ['serviceAdded'],
    ['destinationAdded'],
    ['serviceChanged', 'destinationChanged'],
    ['destinationRemoved', 'serviceRemoved'],
  ])
})

test('only what has traffic has an entry', async () => {
  const [nothing, something] = await observed([{ ...web, destinations: [a, b] }, { ...web, port: 81, destinations: [c] }], [
    counted(5n), () => {}, ({ kernel }) => kernel.count(web, a, { stats: { inPackets: 1n } }),
  ])
  expect(nothing.rates).toEqual([])
  expect(something.rates).toMatchObject([{ service: web, destination: { address: a.address }, difference: { inPackets: 1n } }])
})

test('entries that the kernel lists in another order, or twice, are paired all the same', async () => {
  const rolled: TestTable['kernel']['arrange'] = ({ command }, records) =>
    command === 'getDest' && records.length > 1
      ? [...records.slice(1), records[0], records[1]]
      : command === 'getService'
        ? records.toReversed()
        : records
  const [{ changes, rates }, { changes: gone }] = await observed(
    [
      { ...web, destinations: [a, b, c, ...others] },
      { ...web, port: 81, destinations: [b] },
    ],
    [
      counted(0n),
      (model) => {
        counted(1n)(model)
        model.kernel.arrange = rolled
      },
      ({ other }) => {
        for (const destination of [a, b]) other.removeDestination(web, destination)
      },
    ],
  )
  expect(changes).toEqual([])
  expect(rates).toHaveLength(1 + 10 + 1 + 1)
  expect(gone.map((change) => [change.type, (change as { destination: { address: string } }).destination.address]).sort()).toEqual([
    ['destinationRemoved', a.address],
    ['destinationRemoved', b.address],
  ])
})

test('without destinations it asks for none, and tells of services only', async () => {
  const model = new TestTable()
  await model.ipvs.apply([{ ...web, destinations: [a] }])
  let connections = 0n
  model.kernel.before = ({ command }) => {
    if (command === 'getService') model.kernel.count(web, undefined, { stats: { connections: ++connections } })
  }
  const before = model.kernel.asked.length
  const seen: unknown[] = []
  for await (const { changes, rates, table } of model.ipvs.watch({ interval: 0.005, initial: true, destinations: false })) {
    seen.push([
      changes.map(({ type }) => type),
      rates.map(({ service, destination }) => [service, destination]),
      table.services.map(({ destinations }) => destinations),
    ])
    if (seen.length > 1) break
    expect(model.kernel.asked.slice(before)).not.toContain('getDest')
    model.other.updateService({ ...web, scheduler: 'rr', schedulerFlags: [], onePacket: false, persistence: null, persistenceEngine: null })
    model.other.addDestination(web, b)
  }
  expect(seen).toEqual([[['serviceAdded'], [], [[]]], [['serviceChanged'], [[web, undefined]], [[]]]])
})

/** What a configuration becomes by changes: services and destinations as text, by what tells them from others. */
function applied(changes: readonly Change[], before: ReadonlyMap<string, string>): Map<string, string> {
  const after = new Map(before)
  for (const change of changes) {
    const id = 'destination' in change ? fullDestinationId(change.service, change.destination) : serviceId(change.service)
    expect([change.type, id, after.get(id)]).toEqual([change.type, id, 'before' in change ? JSON.stringify(change.before) : undefined])
    if ('after' in change) after.set(id, JSON.stringify(change.after))
    else after.delete(id)
  }
  return after
}

function configurations({ services }: ListedTable): Map<string, string> {
  const all = new Map<string, string>()
  for (const service of services) {
    all.set(serviceId(service), JSON.stringify(serviceConfigurationOf(service)))
    for (const destination of service.destinations)
      all.set(fullDestinationId(service, destination), JSON.stringify(configurationOf(destination)))
  }
  return all
}

/** What has traffic, measured by measuring everything that was there before too. */
function measured(
  { services }: ListedTable,
  before: ListedTable,
  meter: RateMeter,
): [string, Pick<Measurement, 'difference' | 'perSecond'>][] {
  const known = new Set(configurations(before).keys())
  const all: [string, Counted][] = []
  for (const service of services) {
    all.push([serviceId(service), service])
    for (const destination of service.destinations) all.push([fullDestinationId(service, destination), destination])
  }
  return all
    .map(([id, entry]): [string, Measurement] => [id, meter.measure(id, entry)])
    .filter(([id, { difference, perSecond }]) => known.has(id) && COUNTERS.some((name) => difference[name] !== 0n || perSecond[name] !== 0))
    .map(([id, { difference, perSecond }]) => [id, { difference: { ...difference }, perSecond: { ...perSecond } }])
}

const idOf = ({ service, destination }: Traffic): string =>
  destination === undefined ? serviceId(service) : fullDestinationId(service, destination)

const services: readonly ServiceKey[] = [web, { ...web, port: 81 }, { ...web, port: 82 }]
const destinations: readonly DestinationKey[] = [a, b, c].map(({ address, port }) => ({ address, port }))

/** Something that others do to a table, where it is possible. */
const deed = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      what: fc.constant('count' as const),
      destination: fc.option(fc.constantFrom(...destinations)),
      stats: fc.constantFrom(0n, 400n, 1_000n),
      rates: fc.constantFrom(0, 0, 50, 200),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constantFrom('add' as const, 'remove' as const, 'change' as const),
      destination: fc.option(fc.constantFrom(...destinations)),
      weight: fc.constantFrom(1, 2),
    }),
  },
)
const deeds = fc.array(fc.tuple(fc.constantFrom(...services), deed), { maxLength: 4 })

function carryOut({ kernel, other }: TestTable, key: ServiceKey, done: typeof deed extends fc.Arbitrary<infer Deed> ? Deed : never): void {
  const service = kernel.table().services.find((entry) => serviceId(entry) === serviceId(key))
  const destination =
    done.destination === null ? undefined : service?.destinations.find((entry) => destinationId(entry) === destinationId(done.destination!))
  const isThere = done.destination === null ? service !== undefined : destination !== undefined
  if (done.what === 'add') {
    if (isThere || (service === undefined) !== (done.destination === null)) return
    if (done.destination === null) other.addService({ ...key, scheduler: 'rr' })
    else other.addDestination(key, { ...done.destination, forward: 'nat', weight: done.weight })
  } else if (!isThere) return
  else if (done.what === 'remove') {
    if (destination === undefined) other.removeService(key)
    else other.removeDestination(key, destination)
  } else if (done.what === 'count') kernel.count(key, destination, { stats: { inBytes: done.stats }, rates: { inBytes: done.rates } })
  else if (destination !== undefined) other.updateDestination(key, { ...configurationOf(destination), weight: done.weight })
  else other.updateService({ ...serviceConfigurationOf(service!), scheduler: done.weight === 1 ? 'wlc' : 'rr' })
}

test('whatever others do, the changes lead from each table to the next, and rates are those of measuring everything', async () => {
  let [changed, measuredRates] = [0, 0]
  await fc.assert(fc.asyncProperty(fc.array(deeds, { minLength: 3, maxLength: 8 }), fc.boolean(), async (looks, reversed) => {
    const tables: ListedTable[] = []
    const start = services.map((service) => ({ ...service, destinations: [a, b] }))
    const seen = await observed(start, looks.map((deeds, look) => (model) => {
      if (reversed && look === 2) model.kernel.arrange = (_, records) => records.toReversed()
      for (const [service, done] of deeds) carryOut(model, service, done)
      tables.push(model.kernel.table())
    }))
    vi.restoreAllMocks()
    const meter = new RateMeter()
    meter.look(0)
    measured(tables[0], tables[0], meter)
    for (const [i, { changes, rates, table }] of seen.entries()) {
      const [before, after] = [tables[i], tables[i + 1]]
      expect(configurations(table)).toEqual(configurations(after))
      expect([...applied(changes, configurations(before))].sort()).toEqual([...configurations(after)].sort())
      meter.look(i + 1)
      const expected = new Map(measured(after, before, meter))
      changed += changes.length
      measuredRates += expected.size
      expect(new Map(rates.map((entry) => [idOf(entry), { difference: { ...entry.difference }, perSecond: entry.perSecond }]))).toEqual(
        expected,
      )
    }
  }), { numRuns: 150 })
  expect([changed > 0, measuredRates > 0]).toEqual([true, true])
})

test('a signal ends the iteration without an error', async () => {
  const abort = new AbortController()
  const iteration = new TestTable().ipvs.watch({ interval: 1000, signal: abort.signal })
  const next = iteration.next()
  abort.abort()
  expect(await next).toMatchObject({ done: true })
})

test.each([[{ interval: 0 }, 'options.interval'], [{ interval: '1' }, 'options.interval'], [{ initial: 1 }, 'options.initial'], [{ destinations: 1 }, 'options.destinations'], [{ signal: {} }, 'options.signal'], [{ every: 1 }, 'options.every']])('%j is refused', (options, field) => {
  expect(() => new TestTable().ipvs.watch(options as never)).toThrow(field)
})
