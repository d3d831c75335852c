import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { Ipvs } from 'ipvs'
import { Scene } from '../support/scene.js'
import { watchBatches } from '../support/transactions.js'

const service = (port: number) => ({ protocol: 'tcp', address: '10.10.10.100', port } as const)

let scene: Scene
let ipvs: Ipvs
beforeAll(async () => {
  scene = await Scene.create(Ipvs, 'order')
  ipvs = scene.ipvs
})
beforeEach(() => ipvs.flush())
afterAll(() => scene[Symbol.asyncDispose]())

test('operations called in one turn travel together', async () => {
  const seen = await watchBatches(() => Promise.all(Array.from({ length: 500 }, (_, n) => ipvs.addService(service(n + 1)))))
  expect(seen.map(({ requests }) => requests)).toEqual([500])
  expect(await scene.ipvsadm.save()).toHaveLength(500)
})

test('operations that microtasks of the same turn call travel with them', async () => {
  const seen = await watchBatches(() => Promise.all([
    ipvs.addService(service(1)),
    Promise.resolve().then(() => ipvs.addService(service(2))),
    Promise.resolve().then(() => Promise.resolve()).then(() => ipvs.addService(service(3))),
    (async () => {
      await Promise.resolve()
      await Promise.resolve()
      await ipvs.addService(service(4))
    })(),
  ]))
  expect(seen.map(({ requests }) => requests)).toEqual([4])
})

test('operations called during a transaction wait for it together', async () => {
  const seen = await watchBatches(async () => {
    const first = ipvs.addService(service(1))
    const second = new Promise(resolve => setImmediate(resolve)).then(() =>
      Promise.all(Array.from({ length: 100 }, (_, n) => ipvs.addService(service(n + 2)))),
    )
    await Promise.all([first, second])
  })
  expect(seen.length).toBeLessThanOrEqual(2)
  expect(seen.reduce((sum, { requests }) => sum + requests, 0)).toBe(101)
})

test('ten thousand rules by Promise.all are a handful of transactions', async () => {
  const seen = await watchBatches(() => Promise.all(Array.from({ length: 10_000 }, (_, n) => ipvs.addService(service(n + 1)))))
  expect(seen.reduce((sum, { requests }) => sum + requests, 0)).toBe(10_000)
  expect(seen.length).toBeLessThanOrEqual(6)
  expect(await scene.ipvsadm.save()).toHaveLength(10_000)
})

test('reads between writes see what was called before them, and nothing that was called after', async () => {
  const web = service(80)
  const [, empty, , one, , two, , none] = await Promise.all([
    ipvs.addService(web),
    ipvs.destinations(web),
    ipvs.addDestination(web, { address: '10.10.10.2', port: 80, forward: 'nat' }),
    ipvs.destinations(web),
    ipvs.addDestination(web, { address: '10.10.10.3', port: 80, forward: 'nat' }),
    ipvs.destinations(web),
    ipvs.removeService(web),
    ipvs.getService(web),
  ])
  expect([empty.length, one.length, two.length, none]).toEqual([0, 1, 2, undefined])
})

test('a single read between writes keeps its place', async () => {
  const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => [
    ipvs.getService(service(n + 1)),
    ipvs.addService({ ...service(n + 1), scheduler: 'rr' }),
    ipvs.getService(service(n + 1)),
  ]).flat())
  answers.forEach((answer, place) => {
    if (place % 3 === 2) expect(answer).toMatchObject({ port: Math.floor(place / 3) + 1, scheduler: 'rr' })
    else expect(answer).toBeUndefined()
  })
})

test('each promise settles with its own answer, whatever the others get', async () => {
  await ipvs.addService(service(7))
  const results = await Promise.allSettled([
    ipvs.addService(service(1)),
    ipvs.addService(service(7)),
    ipvs.removeService(service(8)),
    ipvs.addService({ ...service(2), port: -1 }),
    ipvs.destinations(service(9)),
    ipvs.addService(service(3)),
    ipvs.timeouts(),
    ipvs.getService(service(10)),
  ])
  expect(results.map(result => result.status === 'fulfilled' ? result.value : (result.reason as { code: string }).code)).toEqual([
    undefined, 'EEXIST', 'ESRCH', 'ERR_OUT_OF_RANGE', 'ESRCH', undefined, { tcp: 900, tcpFin: 120, udp: 300 }, undefined,
  ])
  expect((await scene.ipvsadm.save()).map(line => /:(\d+) /.exec(line)![1]).sort()).toEqual(['1', '3', '7'])
})

test('arguments may change after the call: the kernel gets them as they were', async () => {
  const changing: { protocol: 'tcp', address: string, port: number, scheduler: string } = { ...service(1), scheduler: 'rr' }
  const added = ipvs.addService(changing)
  changing.port = 2
  changing.scheduler = 'nonsuch'
  await added
  expect(await scene.ipvsadm.save()).toEqual(['-A -t 10.10.10.100:1 -s rr'])
})

test('operations, batches and snapshots keep the order in which they were called', async () => {
  const web = service(80)
  const [, , snapshot, , later, , last] = await Promise.all([
    ipvs.addService(web),
    ipvs.batch(Array.from({ length: 5000 }, (_, n) => ({ type: 'addDestination', service: web, destination: { address: `10.30.${n >> 8}.${n & 255}`, port: 80, forward: 'nat' } } as const))),
    ipvs.snapshot(),
    ipvs.flush(),
    ipvs.services(),
    ipvs.batch([{ type: 'addService', service: service(81) }]),
    ipvs.services(),
  ])
  expect(snapshot.services[0].destinations).toHaveLength(5000)
  expect(later).toEqual([])
  expect(last).toMatchObject([{ port: 81 }])
})
