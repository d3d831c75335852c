import { constants } from 'node:os'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { formatPlan, type ApplyOptions, type DesiredService, type Plan } from 'ipvs'
import { table } from './support/tables.js'
import { isChange, TestTable } from './support/test-table.js'

// Hundreds of random tables take their time on a machine that is busy.
vi.setConfig({ testTimeout: 60_000 })

const { EINVAL } = constants.errno
const runs = { seed: 24, numRuns: 150 }
const web = { protocol: 'tcp', address: '10.0.0.1', port: 80 } as const
const [a, b, c] = ['10.0.0.101', '10.0.0.102', '10.0.0.103'].map((address) => ({ address, port: 80, forward: 'nat' as const }))
const at = (port: number, ...destinations: DesiredService['destinations'] & object): DesiredService => ({ ...web, port, destinations })
const prune: ApplyOptions = { prune: 'all' }

/** A plan as it comes out of a file. */
const kept = (plan: Plan): Plan => JSON.parse(JSON.stringify(plan)) as Plan

test('for random tables, a plan that was kept does what was planned, and a second time it says that the table has changed', async () => {
  let refused = 0
  await fc.assert(fc.asyncProperty(table, table, async (before, after) => {
    const model = await TestTable.of(before)
    const plan = kept(await model.ipvs.plan(after, prune))
    expect(await model.ipvs.apply(plan)).toMatchObject({ plan, done: plan.operations.length, refused: [], withheld: [], notSent: 0 })
    expect(model.contents()).toEqual((await TestTable.of(after)).contents())
    if (plan.operations.length === 0) return
    await expect(model.ipvs.apply(plan)).rejects.toMatchObject({ code: 'ERR_IPVS_TABLE_CHANGED' })
    refused++
  }), runs)
  expect(refused).toBeGreaterThan(0)
})

test('for random tables, a refusal is rolled back', async () => {
  let rolledBack = 0
  await fc.assert(fc.asyncProperty(table, table, fc.nat(20), async (before, after, refused) => {
    const model = await TestTable.of(before)
    const start = model.contents()
    const plan = await model.ipvs.plan(after, prune)
    let sent = 0
    model.kernel.refuse = (asked) => isChange(asked) && sent++ === refused ? -EINVAL : undefined
    const { rollback } = await model.ipvs.apply(plan, { rollback: true })
    if (rollback === undefined) return
    rolledBack++
    expect([rollback.notUndone, model.contents()]).toEqual([[], start])
  }), runs)
  expect(rolledBack).toBeGreaterThan(0)
})

const before = [at(80, a, { ...b, weight: 5 }), at(81, a), at(82, a), at(83, a)]
const after = [{ ...at(80, a, { ...b, weight: 3 }, c), scheduler: 'rr' }, at(81, b), at(82, a), at(84, a)]
const words = 'tcp 10.0.0.1:'

const edits: [what: string, (model: TestTable) => void, changed: string[]][] = [
  ['nothing', () => {}, []],
  ['a service that the plan is not about', ({ other }) => other.removeService({ ...web, port: 82 }), []],
  ['a service that is in no plan', ({ other }) => other.addService({ ...web, port: 99 }), []],
  ['what was counted', (model) => model.connect(web, a, { active: 3, inactive: 9 }), []],
  ['a weight', ({ kernel }) => kernel.configure(web, a, { weight: 7 }), [`${words}80`]],
  ['a destination that comes', ({ other }) => other.addDestination(web, { ...c, address: '10.0.0.109' }), [`${words}80`]],
  ['a destination that goes', ({ other }) => other.removeDestination({ ...web, port: 81 }, a), [`${words}81`]],
  ['a scheduler', ({ other }) => other.updateService({ ...web, port: 81, scheduler: 'sh', schedulerFlags: [], onePacket: false, persistence: null, persistenceEngine: null }), [`${words}81`]],
  ['a service that goes', ({ other }) => other.removeService({ ...web, port: 83 }), [`${words}83`]],
  ['a service that comes', ({ other }) => other.addService({ ...web, port: 84 }), [`${words}84`]],
  ['all of it', ({ other }) => other.flush(), [`${words}80`, `${words}81`, `${words}83`]],
  ['the timeouts', ({ other }) => other.setTimeouts({ udp: 7 }), ['the timeouts']],
  ['a sync daemon', ({ other }) => other.startDaemon({ role: 'backup', interface: 'lo' }), ['the sync daemons']],
]
test.each(edits)('where others change %s, a plan is carried out or refused as that concerns it', async (_, edit, changed) => {
  const model = await TestTable.of(before)
  const plan = kept(
    await model.ipvs.plan({ services: after, timeouts: { tcp: 1000 }, daemons: [{ role: 'master', interface: 'lo' }] }, prune),
  )
  edit(model)
  const start = model.contents()
  if (changed.length === 0) expect(await model.ipvs.apply(plan)).toMatchObject({ done: plan.operations.length })
  else {
    await expect(model.ipvs.apply(plan)).rejects.toMatchObject({
      code: 'ERR_IPVS_TABLE_CHANGED',
      changed: expect.arrayContaining(changed) as unknown,
    })
    await expect(model.ipvs.apply(plan)).rejects.toMatchObject({ changed: { length: changed.length } })
    expect(model.contents()).toEqual(start)
  }
})

test('the order of what is listed is nothing that changed: a kernel may reorder its table by itself', async () => {
  const model = await TestTable.of(before)
  const plan = await model.ipvs.plan(after, prune)
  model.kernel.arrange = (_, records) => records.reverse()
  expect(await model.ipvs.apply(plan)).toMatchObject({ done: plan.operations.length })
})

test('only what the plan is about is read', async () => {
  const model = await TestTable.of(before)
  const plan = await model.ipvs.plan([at(80, b), at(81, a), at(82, a), at(83, a)], prune)
  model.kernel.asked.length = 0
  await model.ipvs.apply(plan)
  expect(model.kernel.asked).toEqual(['getService', 'getDest', 'setDest', 'delDest'])
})

test('keeps what is not replaced, weights too, as any apply does; a dry run does nothing', async () => {
  const model = await TestTable.of(before)
  const plan = await model.ipvs.plan(after, prune)
  expect(await model.ipvs.apply(plan, { dryRun: true })).toMatchObject({ plan, done: 0, notSent: 0 })
  const result = await model.refuse('addDestination').ipvs.apply(plan)
  expect(formatPlan({ operations: result.withheld, warnings: [] }).split('\n')).toEqual([
    expect.stringContaining('updateDestination 10.0.0.102:80 of tcp 10.0.0.1:80') as unknown,
    expect.stringContaining('removeDestination 10.0.0.101:80 of tcp 10.0.0.1:81') as unknown,
  ])
  expect(model.capacity().get('tcp 10.0.0.1 80')).toBe(2)
})

test('a plan of nothing does nothing, whoever made it', async () => {
  const model = new TestTable()
  expect(await model.ipvs.plan([])).toEqual({ operations: [], warnings: [] })
  expect(await model.ipvs.apply({ operations: [], warnings: [] })).toMatchObject({ done: 0, refused: [] })
})

const bad: [string, (plan: Plan) => unknown, ApplyOptions, string][] = [
  ['operations that are no list', () => ({ operations: 5 }), {}, 'plan.operations'],
  ['no digests', ({ operations }) => ({ operations }), {}, 'plan.basis'],
  ['no digest of a service', (plan) => ({ ...plan, basis: {} }), {}, 'plan.basis'],
  ['an operation that is none', (plan) => ({ ...plan, operations: [...plan.operations, 5] }), {}, 'plan.operations[2]'],
  ['an operation of another kind', (plan) => ({ ...plan, operations: [{ type: 'fluch' }] }), {}, 'plan.operations[0].type'],
  ['an operation that plans do not have', (plan) => ({ ...plan, operations: [{ type: 'flush' }] }), {}, 'plan.operations[0].type'],
  [
    'a bad weight',
    (plan) => ({
      ...plan,
      operations: plan.operations.map((one, i) =>
        i === 1 ? { type: 'addDestination', service: web, destination: { ...a, weight: -1 } } : one,
      ),
    }),
    {},
    'plan.operations[1].destination.weight',
  ],
  ['an option about planning', (plan) => plan, { prune: 'all' }, 'options.prune'],
  ['an option that there is not', (plan) => plan, { purge: 1 } as never, 'options.purge'],
]
test.each(bad)('with %s it is refused before anything is sent', async (_, spoil, options, field) => {
  const model = await TestTable.of([at(80, a)])
  const plan = await model.ipvs.plan([at(80, b)], prune)
  expect(plan.operations).toHaveLength(2)
  await expect(model.ipvs.apply(spoil(plan) as Plan, options as never)).rejects.toMatchObject({ field })
  expect(model.changes()).toEqual([])
})
