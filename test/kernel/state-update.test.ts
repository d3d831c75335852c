import { tracingChannel } from 'node:diagnostics_channel'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { Ipvs, type DesiredService, type Reconciler, type ReconcileOptions, type ServiceKey } from 'ipvs'
import { canonicalKey } from '../../lib/client/draft.js'
import { serviceId } from '../../lib/model/keys.js'
import { Scene } from '../support/scene.js'
import { until } from '../support/until.js'
import { table } from '../unit/state/support/tables.js'

const web = { protocol: 'tcp', address: '10.0.0.1', port: 80 } as const
const [a, b, c] = ['10.0.0.101', '10.0.0.102', '10.0.0.103'].map((address) => ({ address, port: 80, forward: 'nat' as const }))
const at = (port: number, ...destinations: (typeof a)[]): DesiredService => ({ ...web, port, destinations })

let scene: Scene
let ipvs: Ipvs
let reconciler: Reconciler
beforeAll(async () => {
  scene = await Scene.create(Ipvs, 'update')
  ipvs = scene.ipvs
})
beforeEach(() => ipvs.flush())
afterEach(() => reconciler.close())
afterAll(() => scene[Symbol.asyncDispose]())

async function keep(desired: DesiredService[], options: ReconcileOptions = {}): Promise<void> {
  reconciler = ipvs.reconcile(undefined, { prune: 'all', interval: 1000, ...options })
  await reconciler.set(desired)
}

const saved = async (): Promise<string[]> => (await scene.ipvsadm.save()).sort()

test('an update reads and changes the services that it names, however many there are beside them', async () => {
  await keep(Array.from({ length: 500 }, (_, i) => at(i + 1, a)))
  await reconciler.look()
  const requests: number[] = []
  const channel = tracingChannel('ipvs:batch')
  const listener = { start: (trace: unknown) => void requests.push((trace as { requests: number }).requests) }
  channel.subscribe(listener as never)
  try {
    expect(await reconciler.update({ services: [at(7, b)], removed: [at(8) as ServiceKey] })).toEqual({ generation: 2, refused: [] })
  } finally {
    channel.unsubscribe(listener as never)
  }
  // Two services with their destinations; one destination that comes; one that goes, with the service.
  expect(requests).toEqual([4, 1, 2])
  const lines = await saved()
  expect(lines.filter((line) => line.startsWith('-A'))).toHaveLength(499)
  expect(lines.filter((line) => /:[78] /.test(line.slice(0, 20)))).toEqual([
    '-A -t 10.0.0.1:7 -s wlc',
    '-a -t 10.0.0.1:7 -r 10.0.0.102:80 -m -w 1',
  ])
})

test('a refusal is reported with the kernel\'s error, and the service to be replaced stays until the new one is in force', async () => {
  await keep([at(80, a)], { withhold: 'all', backOff: { min: 0.01, max: 0.05 } })
  const { refused } = await reconciler.update({ services: [{ ...at(81, c), scheduler: 'missing' }], removed: [web] })
  expect(refused.map(({ operation, error }) => [operation.type, error.code])).toEqual([
    ['addService', 'ENOENT'],
    ['addDestination', 'ESRCH'],
  ])
  expect(await saved()).toEqual(['-A -t 10.0.0.1:80 -s wlc', '-a -t 10.0.0.1:80 -r 10.0.0.101:80 -m -w 1'])
  await reconciler.update({ services: [{ ...at(81, c), scheduler: 'rr' }] })
  await until(saved, (lines) => lines.join() === ['-A -t 10.0.0.1:81 -s rr', '-a -t 10.0.0.1:81 -r 10.0.0.103:80 -m -w 1'].join(), 20)
})

test('edits of the same service by another program are gone after the next looks', async () => {
  await keep([at(80, a)])
  for (let i = 0; i < 10; i++) {
    const [one, other] = i % 2 === 0 ? [b, a] : [a, b]
    await Promise.all([
      reconciler.update({ services: [{ ...at(80, one, c), scheduler: i % 2 === 0 ? 'rr' : 'sh' }] }),
      scene.ipvsadm.try(`-a -t 10.0.0.1:80 -r ${other.address}:80 -m -w 9`),
    ])
  }
  await reconciler.look()
  await reconciler.look()
  expect(await saved()).toEqual([
    '-A -t 10.0.0.1:80 -s sh',
    '-a -t 10.0.0.1:80 -r 10.0.0.101:80 -m -w 1',
    '-a -t 10.0.0.1:80 -r 10.0.0.103:80 -m -w 1',
  ])
})

test('for random tables, a state and its updates lead to the table that the latest of them describe', async () => {
  await fc.assert(fc.asyncProperty(fc.array(table, { minLength: 2, maxLength: 5 }), fc.nat(63), async ([first, ...updates], removals) => {
    await ipvs.flush()
    const wanted = new Map<string, DesiredService>()
    const take = (services: readonly DesiredService[]): void =>
      services.forEach((service) => wanted.set(serviceId(canonicalKey(service)), service))
    take(first)
    await keep(first)
    const answers = updates.map((services) => {
      const named = new Set(services.map((service) => serviceId(canonicalKey(service))))
      const removed = [...wanted].filter(([id], i) => !named.has(id) && (removals >> i & 1) === 1)
      for (const [id] of removed) wanted.delete(id)
      take(services)
      return reconciler.update({ services, removed: removed.map(([, service]) => service as ServiceKey) })
    })
    expect((await Promise.all(answers)).flatMap(({ refused }) => refused)).toEqual([])
    const { operations } = await ipvs.plan([...wanted.values()], { prune: 'all' })
    expect(operations).toEqual([])
    await reconciler.close()
  }), { seed: 23, numRuns: 40 })
})
