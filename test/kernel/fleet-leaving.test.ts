import { Ipvs } from 'ipvs'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { DirectorProcess } from '../support/director-process.js'
import { EtcdCluster } from '../support/etcd.js'
import type { Ipvsadm } from '../support/ipvsadm.js'
import { Scene } from '../support/scene.js'
import { Stage } from '../support/stage.js'
import { until } from '../support/until.js'

const PREFIX = '/leaving'

let cluster: EtcdCluster
/** Where clients and servers are. */
let stage: Stage
/** Where another director of the fleet has its table. */
let scene: Scene
beforeEach(async () => {
  cluster = await EtcdCluster.start()
  stage = await Stage.create(['alpha', 'beta'])
  scene = await Scene.create(Ipvs, 'other')
})
afterEach(async () => {
  await scene[Symbol.asyncDispose]()
  await stage[Symbol.asyncDispose]()
  await cluster[Symbol.asyncDispose]()
})

async function start(id: string, netns: string): Promise<DirectorProcess> {
  const director = new DirectorProcess(['--etcd', cluster.endpoints.join(','), '--prefix', PREFIX, '--id', id, '--netns', netns])
  onTestFinished(() => director[Symbol.asyncDispose]())
  await director.logged(({ event }) => event === 'running')
  return director
}

/** What a director tells the others, as etcdctl sees it. */
const told = async (id: string): Promise<string> => (await cluster.ctl('get', `${PREFIX}/v1/health/${id}`, '--print-value-only')).trim()

const table = async (ipvsadm: Ipvsadm): Promise<string> =>
  (await ipvsadm.save()).flatMap((line) => / -r (\S+):80 .* -w (\d+)/.exec(line)?.slice(1).join('=') ?? []).sort().join(' ')
const becomes = (ipvsadm: Ipvsadm, expected: string): Promise<string> => until(() => table(ipvsadm), (now) => now === expected)

test('a server that leaves stays at weight 0 at all directors, until the last connection of any of them has ended', async () => {
  const service = stage.virtual('tcp', 4)
  const [alpha, beta] = stage.workshop.backends.map(({ address }) => address[4])
  const leaving = JSON.stringify({ [`tcp ${service.address} 80`]: { [`${alpha} 80`]: 'DEPARTURE' } })
  const says = (id: string, departure: string): Promise<string> =>
    until(() => told(id), (text) => text === `{"down":{},"leaving":${leaving.replace('DEPARTURE', departure)}}`)
  const put = (...addresses: string[]): Promise<void> => cluster.put(`${PREFIX}/v1/services/web`, {
    ...service, scheduler: 'mh', schedulerFlags: ['mh-port', 'mh-fallback'],
    destinations: addresses.map((address) => ({ address, port: 80, forward: 'dr' })),
  })
  // Closed connections are forgotten soon.
  await stage.ipvs.setTimeouts({ tcpFin: 1 })
  await put(alpha)
  const through = await start('d1', stage.workshop.director.namespace.name)
  await start('d2', scene.namespace.name)
  for (const id of ['d1', 'd2']) await until(() => told(id), (text) => text === '{"down":{}}')
  const held = await stage.workshop.client.connect({ transport: 'tcp', address: service.address, port: service.port })
  await held.say()

  await put(beta)
  await says('d1', 'busy')
  await says('d2', 'empty')
  for (const ipvsadm of [stage.ipvsadm, scene.ipvsadm]) expect(await table(ipvsadm)).toBe(`${alpha}=0 ${beta}=1`)
  // One that is started meanwhile, and has never had it, is not waited for.
  const third = await Scene.create(Ipvs, 'third')
  onTestFinished(() => third[Symbol.asyncDispose]())
  const late = await start('d3', third.namespace.name)
  await says('d3', 'gone')
  expect(await held.say()).toHaveLength(1)
  for (const ipvsadm of [stage.ipvsadm, scene.ipvsadm]) expect(await table(ipvsadm)).toBe(`${alpha}=0 ${beta}=1`)
  await becomes(third.ipvsadm, `${beta}=1`)

  await held.end()
  for (const ipvsadm of [stage.ipvsadm, scene.ipvsadm]) await becomes(ipvsadm, `${beta}=1`)
  for (const id of ['d1', 'd2', 'd3']) await until(() => told(id), (text) => text === '{"down":{}}')
  expect((await through.logged(({ event }) => event === 'drained')).message).toContain(alpha)
  expect(await late.end()).toBe(0)
})

test('a director that has ended is not waited for', async () => {
  const service = stage.virtual('tcp', 4)
  const [alpha, beta] = stage.workshop.backends.map(({ address }) => address[4])
  const put = (address: string): Promise<void> =>
    cluster.put(`${PREFIX}/v1/services/web`, { ...service, scheduler: 'mh', destinations: [{ address, port: 80, forward: 'dr' }] })
  await put(alpha)
  const through = await start('d1', stage.workshop.director.namespace.name)
  await start('d2', scene.namespace.name)
  for (const id of ['d1', 'd2']) await until(() => told(id), (text) => text === '{"down":{}}')
  const held = await stage.workshop.client.connect({ transport: 'tcp', address: service.address, port: service.port })
  await held.say()
  await put(beta)
  await until(() => told('d2'), (text) => text.includes('"empty"'))
  expect(await table(scene.ipvsadm)).toBe(`${alpha}=0 ${beta}=1`)
  expect(await through.end()).toBe(0)
  await becomes(scene.ipvsadm, `${beta}=1`)
  await held.end()
})
