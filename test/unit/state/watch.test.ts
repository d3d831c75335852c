import { expect, test } from 'vitest'
import type { ListedTable, Observation } from 'ipvs'
import { TrafficMeter } from '../../../lib/state/rates.js'
import { observe } from '../../../lib/state/watch.js'
import { TestTable } from './support/test-table.js'

const web = { protocol: 'tcp', address: '10.0.0.1', port: 80 } as const
const [a, b, c] = ['10.0.0.101', '10.0.0.102', '10.0.0.103'].map((address) => ({ address, port: 80, forward: 'nat' as const }))

/** A table whose entries have counted, with the kernel's average of it: the first period of something adds a quarter of its rate. */
async function tableWith(inBytes: bigint, average = 0, destinations = [a]): Promise<ListedTable> {
  const model = new TestTable()
  await model.ipvs.apply([{ ...web, destinations }])
  const table = model.kernel.table()
  const counted = {
    stats: { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes, outBytes: 0n },
    rates: { connections: 0, inPackets: 0, outPackets: 0, inBytes: average, outBytes: 0 },
  }
  return { ...table, services: table.services.map((service) => ({ ...service, ...counted, destinations: service.destinations.map((entry) => ({ ...entry, ...counted })) })) }
}

/** What is observed of tables that are looked at a second apart, the first one aside. */
async function observed(...tables: ListedTable[]): Promise<Pick<Observation, 'changes' | 'rates'>[]> {
  const meter = new TrafficMeter()
  const seen: Pick<Observation, 'changes' | 'rates'>[] = []
  let before: ListedTable = { ...tables[0], services: [] }
  for (const [second, table] of tables.entries()) {
    meter.look(second)
    seen.push(await observe(before, table, meter))
    before = table
  }
  return seen.slice(1)
}

test('rates are those of the last two seconds that the kernel has added up, and stay until it adds up again', async () => {
  const [added, held] = await observed(await tableWith(1_000n), await tableWith(5_000n, 500), await tableWith(5_000n, 500))
  expect(added.changes).toEqual([])
  expect(added.rates).toMatchObject([
    { service: web, difference: { inBytes: 4_000n, connections: 0n }, perSecond: { inBytes: 2_000, connections: 0 } },
    { service: web, destination: { address: a.address, port: 80 }, perSecond: { inBytes: 2_000 } },
  ])
  expect(held.rates).toMatchObject([{ difference: { inBytes: 0n }, perSecond: { inBytes: 2_000 } }, { perSecond: { inBytes: 2_000 } }])
})

test('what a program does to an observation changes nothing in the next', async () => {
  const meter = new TrafficMeter()
  const table = await tableWith(5_000n, 500)
  for (const [second, before] of [{ ...table, services: [] }, table, table].entries()) {
    meter.look(second)
    for (const { perSecond, difference } of (await observe(before, table, meter)).rates) {
      expect([perSecond.inBytes, difference.inBytes]).toEqual([500, 0n])
      Object.assign(perSecond, { inBytes: -1 })
      Object.assign(difference, { inBytes: -1n })
    }
  }
})

test('a destination that comes back with its old counters makes no spike', async () => {
  const [{ rates, changes }] = await observed(await tableWith(0n, 0, []), await tableWith(10n ** 12n))
  expect(changes).toMatchObject([{ type: 'destinationAdded', destination: { address: a.address } }])
  expect(rates.filter(({ destination }) => destination !== undefined)).toEqual([])
})

test('an observation is JSON, its counters decimal text as in the command\'s --json', async () => {
  const [observation] = await observed(await tableWith(2n ** 63n), await tableWith(2n ** 63n + 3n))
  expect((JSON.parse(JSON.stringify(observation)) as typeof observation).rates[0].difference).toEqual({ connections: '0', inPackets: '0', outPackets: '0', inBytes: '3', outBytes: '0' })
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
  expect(seen).toEqual([['serviceAdded'], ['destinationAdded'], ['serviceChanged', 'destinationChanged'], ['destinationRemoved', 'serviceRemoved']])
})

test('only what has traffic has an entry', async () => {
  const [before, idle, after] = [await tableWith(5n, 0, [a, b]), await tableWith(5n, 0, [a, b]), await tableWith(5n, 0, [a, b])]
  after.services[0].destinations[1].stats = { ...after.services[0].stats, inPackets: 1n }
  const [nothing, something] = await observed(before, idle, after)
  expect(nothing.rates).toEqual([])
  expect(something.rates).toMatchObject([{ service: web, destination: { address: after.services[0].destinations[1].address }, difference: { inPackets: 1n } }])
})

test('entries that the kernel lists in another order, or twice, are paired all the same', async () => {
  const [before, after] = [await tableWith(0n, 0, [a, b, c]), await tableWith(1n, 0, [b, c, a])]
  after.services[0].destinations.push(after.services[0].destinations[0])
  const [{ changes, rates }] = await observed(before, after)
  expect(changes).toEqual([])
  expect(rates).toHaveLength(4)
  const [{ changes: gone }] = await observed(before, await tableWith(0n, 0, [c]))
  expect(gone.map((change) => [change.type, (change as { destination: { address: string } }).destination.address]).sort()).toEqual([['destinationRemoved', a.address], ['destinationRemoved', b.address]])
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
    seen.push([changes.map(({ type }) => type), rates.map(({ service, destination }) => [service, destination]), table.services.map(({ destinations }) => destinations)])
    if (seen.length > 1) break
    expect(model.kernel.asked.slice(before)).not.toContain('getDest')
    model.other.updateService({ ...web, scheduler: 'rr', schedulerFlags: [], onePacket: false, persistence: null, persistenceEngine: null })
    model.other.addDestination(web, b)
  }
  expect(seen).toEqual([[['serviceAdded'], [], [[]]], [['serviceChanged'], [[web, undefined]], [[]]]])
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
