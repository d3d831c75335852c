import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { followEtcd, type EtcdFollower, type FollowOptions } from 'ipvs/etcd'
import type { DirectorConfiguration } from 'ipvs/director'
import { expect, onTestFinished, test } from 'vitest'
import { LeasedKeys } from '../../../lib/sources/etcd/leased.js'
import { etcdSettings } from '../../../lib/sources/etcd/options.js'
import { EtcdCluster } from '../../support/etcd.js'
import { Gate } from '../../support/gate.js'
import { until } from '../../support/until.js'

const service = (address: string) => ({ protocol: 'tcp', address, port: 80 })

async function start(options: Record<string, string> = {}): Promise<EtcdCluster> {
  const cluster = await EtcdCluster.start({ options })
  onTestFinished(() => cluster[Symbol.asyncDispose]())
  return cluster
}

/** A follower, and what returns the addresses of its next configuration. */
function follow(options: FollowOptions): { follower: EtcdFollower, next: () => Promise<string[]> } {
  const follower = followEtcd({ heartbeat: 0.3, timeout: 3, ...options })
  onTestFinished(() => follower.close())
  const iterator = follower[Symbol.asyncIterator]() as AsyncIterator<DirectorConfiguration>
  const next = async (): Promise<string[]> => {
    const { value } = await iterator.next() as { value: DirectorConfiguration }
    return value.services.flatMap((one) => 'address' in one ? one.address : [])
  }
  return { follower, next }
}

test('half of a configuration, where what was before it is compacted, is not acted on until the rest is written', async () => {
  const cluster = await start()
  const [{ url }] = cluster.members
  await using gate = await Gate.before(url)
  await cluster.put('/x/v1/services/a', service('192.0.2.1'))
  await cluster.put('/x/v1/services/b', service('192.0.2.2'))
  const early = follow({ endpoints: gate.url, prefix: '/x' })
  expect(await early.next()).toEqual(['192.0.2.1', '192.0.2.2'])
  const away = once(early.follower, 'away')
  gate.shut()
  await away
  await cluster.put('/x/v1/services/.head', { state: 'writing', by: 'somebody', since: 'then' })
  await cluster.ctl('del', '/x/v1/services/a')
  const { header } = JSON.parse(await cluster.ctl('get', 'x', '-w', 'json')) as { header: { revision: number } }
  await cluster.ctl('compaction', String(header.revision))
  const held = once(early.follower, 'held')
  const back = once(early.follower, 'back')
  gate.open()
  expect(await held).toEqual([{ by: 'somebody', since: 'then' }])
  await back
  expect(early.follower.status().services).toBe(2)
  // One that has nothing takes what there is.
  const late = follow({ endpoints: url, prefix: '/x' })
  expect(await late.next()).toEqual(['192.0.2.2'])

  await cluster.put('/x/v1/services/c', service('192.0.2.3'))
  await cluster.put('/x/v1/services/.head', { state: 'written', by: 'somebody', since: 'then' })
  expect(await early.next()).toEqual(['192.0.2.2', '192.0.2.3'])
  // From here on each change counts again.
  await cluster.put('/x/v1/services/d', service('192.0.2.4'))
  expect(await early.next()).toEqual(['192.0.2.2', '192.0.2.3', '192.0.2.4'])
  await until(late.next, (services) => services.join() === '192.0.2.2,192.0.2.3,192.0.2.4')
})

test('a token that ends by itself is replaced: nothing is missed, nothing is listed anew, and nobody is told', async () => {
  const cluster = await start({ 'auth-token-ttl': '1', 'bcrypt-cost': '4' })
  const [{ url }] = cluster.members
  await using gate = await Gate.before(url)
  await cluster.ctl('user', 'add', 'root:r')
  await cluster.ctl('user', 'grant-role', 'root', 'root')
  await cluster.ctl('auth', 'enable')
  cluster.user = 'root:r'
  await cluster.put('/x/v1/services/a', service('192.0.2.1'))

  const ask = async (path: string, body: object, token?: string): Promise<{ token?: string, code?: number }> => {
    const headers = token === undefined ? undefined : { authorization: token }
    const answer = await fetch(`${url}/v3/${path}`, { method: 'POST', body: JSON.stringify(body), headers })
    return await answer.json() as { token?: string, code?: number }
  }
  /** Waits until all tokens that have not been used since have ended. Each look takes a token of its own: one that is used lives longer. */
  const tokensEnd = async (): Promise<void> => {
    const tokens: string[] = []
    for (let count = 0; count < 100; count++) tokens.push((await ask('auth/authenticate', { name: 'root', password: 'r' })).token!)
    for (const token of tokens) {
      if ((await ask('kv/range', { key: 'AA==' }, token)).code === 16) return
      await wait(200)
    }
    throw new Error('tokens do not end')
  }

  let asked = 0
  const login = { user: 'root', password: () => {
    asked++
    return 'r'
  } }
  const { follower, next } = follow({ endpoints: gate.url, prefix: '/x', ...login })
  let lists = 0
  follower.on('listed', () => lists++)
  const followed = once(follower, 'back')
  expect(await next()).toEqual(['192.0.2.1'])
  await followed
  await tokensEnd()
  expect(asked).toBe(1)
  const away = once(follower, 'away')
  gate.shut()
  await away
  await cluster.put('/x/v1/services/b', service('192.0.2.2'))
  gate.open()
  expect(await next()).toEqual(['192.0.2.1', '192.0.2.2'])
  expect(asked).toBe(2)
  expect(lists).toBe(1)

  asked = 0
  const keys = new LeasedKeys(etcdSettings({ endpoints: url, ...login }, 'the options'), 60)
  onTestFinished(async () => { await keys.close() })
  const told: string[] = []
  for (const name of ['lost', 'away', 'foreign'] as const) keys.on(name, () => told.push(name))
  const isThere = once(keys, 'there')
  keys.set('/x/v1/health/a', '1')
  await isThere
  await tokensEnd()
  expect(asked).toBe(1)
  keys.set('/x/v1/health/a', '2')
  await until(() => cluster.ctl('get', '/x/v1/health/a', '--print-value-only'), (value) => value.trim() === '2')
  expect(asked).toBe(2)
  expect(told).toEqual([])
})
