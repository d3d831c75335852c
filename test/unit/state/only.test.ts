import { constants } from 'node:os'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import type { ApplyProgress, DesiredService, ServiceKey } from 'ipvs'
import { canonicalKey } from '../../../lib/client/draft.js'
import { serviceId } from '../../../lib/model/keys.js'
import { table } from './support/tables.js'
import { isChange, TestTable } from './support/test-table.js'

// Hundreds of random tables take their time on a machine that is busy.
vi.setConfig({ testTimeout: 60_000 })

const { EINVAL } = constants.errno
const runs = { seed: 21, numRuns: 150 }
const web = { protocol: 'tcp', address: '10.0.0.1', port: 80 } as const
const [a, b] = ['10.0.0.101', '10.0.0.102'].map((address) => ({ address, port: 80, forward: 'nat' as const }))

const idOf = (service: unknown): string => serviceId(canonicalKey(service))

/** Some of the services that two tables have, as keys. */
const keysOf = (tables: readonly (readonly DesiredService[])[], chosen: number): ServiceKey[] =>
  [...new Map(tables.flat().map((service) => [idOf(service), service as ServiceKey])).values()].filter((_, i) => (chosen >> i & 1) === 1)

/** What a table becomes when the named services alone are as desired. */
const mixed = (before: readonly DesiredService[], after: readonly DesiredService[], only: readonly ServiceKey[]): DesiredService[] => {
  const named = new Set(only.map(idOf))
  return [...before.filter((service) => !named.has(idOf(service))), ...after.filter((service) => named.has(idOf(service)))]
}

test('for random tables, the named services become as desired, and nothing else is read or touched', async () => {
  await fc.assert(fc.asyncProperty(table, table, fc.nat(4095), fc.boolean(), async (before, after, chosen, checked) => {
    const model = await TestTable.of(before)
    const only = keysOf([before, after], chosen)
    const named = new Set(only.map(idOf))
    let requests = 0
    model.kernel.before = ({ command, dump }) => {
      requests++
      expect(command === 'getService' && dump).toBe(false)
    }
    const result = await model.ipvs.apply(after, { only, prune: 'all', concurrencyCheck: checked })
    expect(requests).toBeLessThanOrEqual((checked ? 2 : 1) * (2 * only.length + 1) + result.plan.operations.length)
    model.kernel.before = undefined
    expect(result).toMatchObject({ refused: [], withheld: [], notSent: 0 })
    for (const operation of result.plan.operations) expect(named).toContain(idOf((operation as { service: ServiceKey }).service))
    expect(model.contents()).toEqual((await TestTable.of(mixed(before, after, only))).contents())
    expect((await model.ipvs.plan(after, { only, prune: 'all' })).operations).toEqual([])
  }), runs)
})

test('for random tables, a rollback brings the named services back', async () => {
  let refusals = 0
  await fc.assert(fc.asyncProperty(table, table, fc.nat(4095), fc.nat(10), async (before, after, chosen, refused) => {
    const model = await TestTable.of(before)
    const start = model.contents()
    let sent = 0
    model.kernel.refuse = (asked) => isChange(asked) && sent++ === refused ? -EINVAL : undefined
    const result = await model.ipvs.apply(after, { only: keysOf([before, after], chosen), prune: 'all', rollback: true, batchSize: 2 })
    if (result.refused.length === 0) return
    refusals++
    expect([model.contents(), result.rollback!.notUndone]).toEqual([start, []])
  }), runs)
  expect(refusals).toBeGreaterThan(0)
})

test('more services than are asked for together are read too', async () => {
  const services = Array.from({ length: 300 }, (_, port) => ({ ...web, port: port + 1, destinations: [a] }))
  const model = await TestTable.of(services)
  const after = services.map((service, i) => ({ ...service, destinations: i % 3 === 0 ? [b] : [a] }))
  const result = await model.ipvs.apply(after.filter((_, i) => i % 7 !== 0), { only: services, prune: 'all' })
  expect(result.refused).toEqual([])
  expect(model.contents()).toEqual((await TestTable.of(after.filter((_, i) => i % 7 !== 0))).contents())
})

test('a named service that is not desired goes where prune says so, drained first', async () => {
  const model = await TestTable.of([{ ...web, destinations: [a] }, { ...web, port: 81, destinations: [a] }])
  const only = [web]
  expect(await model.ipvs.apply([], { only })).toMatchObject({ done: 0, plan: { warnings: [{ code: 'left-over' }] } })
  expect(await model.ipvs.apply([], { only, prune: 'owned', owns: { port: 81 } })).toMatchObject({ done: 0, plan: { warnings: [] } })
  model.connect(web, a, { active: 1 })
  const onProgress = ({ phase, draining }: ApplyProgress): void => {
    if (phase === 'draining' && draining.length > 0) model.connect(web, a, {})
  }
  await model.ipvs.apply([], { only, prune: 'all', drain: { interval: 0.001 }, onProgress })
  expect(model.changes()).toEqual(['updateDestination', 'removeService'])
  expect(model.capacity()).toEqual(new Map([['tcp 10.0.0.1 81', 1]]))
})

test('of the rest of the desired state only keys are looked at; timeouts and daemons are left alone', async () => {
  const model = new TestTable()
  const desired = {
    services: [
      { ...web, destinations: [a] },
      { ...web, port: 81, scheduler: 5 as never },
    ],
    timeouts: { tcp: 1 },
    daemons: [{ role: 'master' as const, interface: 'lo' }],
  }
  await model.ipvs.apply(desired, { only: [web], prune: 'all' })
  expect(model.changes()).toEqual(['addService', 'addDestination'])
  await expect(model.ipvs.apply(desired, { only: [{ ...web, port: 81 }] })).rejects.toMatchObject({
    field: 'desired.services[1].scheduler',
  })
  await expect(model.ipvs.apply([web, { ...web, port: -1 }], { only: [web] })).rejects.toMatchObject({ field: 'desired.services[1].port' })
  await expect(model.ipvs.apply([web, web], { only: [web] })).rejects.toMatchObject({ field: 'desired.services[1]' })
})

test.each([
  ['text', 'tcp', 'options.only'],
  ['a bad key', [{ ...web, port: 70000 }], 'options.only[0].port'],
  [
    'a service twice',
    [
      { protocol: 'tcp', address: 'fd00::1', port: 80 },
      { protocol: 'tcp', address: 'FD00:0::1', port: 80 },
    ],
    'options.only[1]',
  ],
])('only %s is refused', async (_, only, field) => {
  await expect(new TestTable().ipvs.plan([], { only: only as never })).rejects.toMatchObject({ field })
})

test('a loop takes no names: it keeps the whole table, and update() names what changes', () => {
  expect(() => new TestTable().ipvs.reconcile([], { only: [web] } as never)).toThrow('options.only')
})
