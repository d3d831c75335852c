import { expect, test } from 'vitest'
import type { ListedTable, Statistics } from 'ipvs'
import { apply } from '../../../lib/state/apply.js'
import { observe, watch } from '../../../lib/state/watch.js'
import { Model } from './support/model.js'

const web = { protocol: 'tcp', address: '10.0.0.1', port: 80 } as const
const [a, b, c] = ['10.0.0.101', '10.0.0.102', '10.0.0.103'].map((address) => ({ address, port: 80, forward: 'nat' as const }))

async function tableWith(counters: Partial<Statistics>, destinations = [a]): Promise<ListedTable> {
  const model = new Model()
  await apply(model, [{ ...web, destinations }])
  const table = await model.snapshot()
  const stats = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n, ...counters }
  for (const service of table.services) {
    service.stats = stats
    for (const destination of service.destinations) destination.stats = stats
  }
  return table
}

test('rates come from the difference of the counters and the time between two looks', async () => {
  const { rates, changes } = await observe(await tableWith({ inBytes: 1_000n }), await tableWith({ inBytes: 5_000n, connections: 1n }), 2)
  expect(changes).toEqual([])
  expect(rates).toMatchObject([
    { service: web, difference: { inBytes: 4_000n, connections: 1n }, perSecond: { inBytes: 2_000, connections: 0.5 } },
    { service: web, destination: { address: a.address, port: 80 }, perSecond: { inBytes: 2_000 } },
  ])
})

test('a counter above 2⁵³ loses nothing in its difference', async () => {
  const { rates } = await observe(await tableWith({ inBytes: 2n ** 63n }), await tableWith({ inBytes: 2n ** 63n + 3n }), 1)
  expect(rates[0].difference.inBytes).toBe(3n)
})

test('counters that fell start anew, all of them, and nothing is negative', async () => {
  const { rates } = await observe(await tableWith({ inBytes: 9_000n, inPackets: 1n }), await tableWith({ inBytes: 10n, inPackets: 2n }), 1)
  expect(rates[0].difference).toMatchObject({ inBytes: 10n, inPackets: 2n, connections: 0n })
})

test('a destination that comes back with its old counters makes no spike', async () => {
  const { rates, changes } = await observe(await tableWith({}, []), await tableWith({ inBytes: 10n ** 12n }), 1)
  expect(changes).toMatchObject([{ type: 'destinationAdded', destination: { address: a.address } }])
  expect(rates.filter(({ destination }) => destination !== undefined)).toEqual([])
})

test('an async iterable tells what is added, changed and removed', async () => {
  const model = new Model()
  await apply(model, [web])
  const seen: string[][] = []
  for await (const { changes, elapsed } of watch(model, { interval: 0.005, initial: true })) {
    seen.push(changes.map(({ type }) => type))
    if (seen.length === 1) expect(elapsed).toBe(0)
    else expect(elapsed).toBeGreaterThan(0)
    if (seen.length === 1) await apply(model, [{ ...web, destinations: [a] }])
    if (seen.length === 2) await apply(model, [{ ...web, scheduler: 'rr', destinations: [{ ...a, weight: 3 }] }])
    if (seen.length === 3) await apply(model, [], { prune: 'all' })
    if (seen.length === 4) break
  }
  expect(seen).toEqual([['serviceAdded'], ['destinationAdded'], ['serviceChanged', 'destinationChanged'], ['destinationRemoved', 'serviceRemoved']])
})

test('only what has traffic has an entry', async () => {
  const [before, after] = [await tableWith({ inBytes: 5n }, [a, b]), await tableWith({ inBytes: 5n }, [a, b])]
  expect((await observe(before, after, 1)).rates).toEqual([])
  after.services[0].destinations[1].stats = { ...after.services[0].stats, inPackets: 1n }
  expect((await observe(before, after, 1)).rates).toMatchObject([{ service: web, destination: { address: after.services[0].destinations[1].address }, difference: { inPackets: 1n } }])
})

test('entries that the kernel lists in another order, or twice, are paired all the same', async () => {
  const [before, after] = [await tableWith({}, [a, b, c]), await tableWith({ inBytes: 1n }, [b, c, a])]
  after.services[0].destinations.push(after.services[0].destinations[0])
  const { changes, rates } = await observe(before, after, 1)
  expect(changes).toEqual([])
  expect(rates).toHaveLength(4)
  const { changes: gone } = await observe(before, await tableWith({}, [c]), 1)
  expect(gone.map((change) => [change.type, (change as { destination: { address: string } }).destination.address]).sort()).toEqual([['destinationRemoved', a.address], ['destinationRemoved', b.address]])
})

test('without destinations it asks for none, and tells of services only', async () => {
  const model = new Model()
  await apply(model, [{ ...web, destinations: [a] }])
  let requests = 0
  const handle = {
    snapshot: () => Promise.reject(new Error('nobody wants destinations')),
    services: async () => (await model.snapshot()).services.map(({ destinations: _, ...service }) => ({ ...service, stats: { ...service.stats, connections: BigInt(++requests) } })),
    timeouts: () => Promise.resolve(model.timeouts),
    daemons: () => Promise.resolve(model.daemons),
  }
  const seen: unknown[] = []
  for await (const { changes, rates, table } of watch(handle, { interval: 0.005, initial: true, destinations: false })) {
    seen.push([changes.map(({ type }) => type), rates.map(({ service, destination }) => [service, destination]), table.services.map(({ destinations }) => destinations)])
    if (seen.length === 1) await apply(model, [{ ...web, scheduler: 'rr', destinations: [b] }], { prune: 'all' })
    else break
  }
  expect(seen).toEqual([[['serviceAdded'], [], [[]]], [['serviceChanged'], [[web, undefined]], [[]]]])
})

test('a signal ends the iteration without an error', async () => {
  const abort = new AbortController()
  const iteration = watch(new Model(), { interval: 1000, signal: abort.signal })
  const next = iteration.next()
  abort.abort()
  expect(await next).toMatchObject({ done: true })
})

test.each([[{ interval: 0 }, 'options.interval'], [{ interval: '1' }, 'options.interval'], [{ initial: 1 }, 'options.initial'], [{ destinations: 1 }, 'options.destinations'], [{ signal: {} }, 'options.signal'], [{ every: 1 }, 'options.every']])('%j is refused', (options, field) => {
  expect(() => watch(new Model(), options as never)).toThrow(field)
})
