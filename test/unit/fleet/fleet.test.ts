import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { followEtcd, type EtcdFollower } from 'ipvs/etcd'
import type { DirectorConfiguration } from 'ipvs/director'
import { run, type Ended } from '../../../scripts/setup/run.js'
import { command } from '../../support/director-process.js'
import { EtcdCluster } from '../../support/etcd.js'
import { outputMistakes } from '../../support/output-schema.js'
import { until } from '../../support/until.js'

let cluster: EtcdCluster
let number = 0
let prefix = ''
let folder = ''

beforeAll(async () => {
  cluster = await EtcdCluster.start()
})
afterAll(() => cluster[Symbol.asyncDispose]())
beforeEach(async () => {
  prefix = `/fleet-${++number}`
  folder = await mkdtemp(join(tmpdir(), 'fleet-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
})

const ipvs = (...args: string[]): Promise<Ended> =>
  run(process.execPath, [command, ...args, '--etcd', cluster.endpoints.join(','), '--prefix', prefix])

async function file(name: string, content: unknown): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

const names = async (): Promise<string[]> => (await cluster.ctl('get', `${prefix}/v1/services/`, '--prefix', '--keys-only')).split('\n')
  .filter((line) => line !== '').map((line) => line.slice(`${prefix}/v1/services/`.length))
const revision = async (): Promise<number> => (JSON.parse(await cluster.ctl('get', 'x', '-w', 'json')) as { header: { revision: number } }).header.revision

const service = (address: string, ...destinations: string[]) =>
  ({ protocol: 'tcp', address, port: 80, scheduler: 'mh', destinations: destinations.map((one) => ({ address: one, port: 80 })) })
const many = (count: number, scheduler: string) => Array.from({ length: count }, (_, index) => ({ ...service(`10.9.${index >> 8}.${index & 255}`), scheduler }))

/** Follows a prefix, and notes the schedulers of each configuration. */
function follow(options: { copy?: string } = {}): { follower: EtcdFollower, seen: string[] } {
  const follower = followEtcd({ endpoints: cluster.endpoints, prefix, ...options })
  const seen: string[] = []
  const following = (async () => {
    for await (const { services } of follower as AsyncIterable<DirectorConfiguration>) {
      seen.push(`${services.length} ${[...new Set(services.map(({ scheduler }) => scheduler))].sort().join('+')}`)
    }
  })()
  onTestFinished(async () => {
    await follower.close()
    await following
  })
  return { follower, seen }
}

describe('ipvs fleet apply', () => {
  test('writes a keepalived.conf, and shows what changes; the same again changes nothing', async () => {
    const conf = (weight: number) => `virtual_server 192.0.2.1 80 {
  lb_algo mh
  lb_kind DR
  protocol TCP
  real_server 10.0.0.2 80 {
    weight ${weight}
    TCP_CHECK {
      connect_timeout 3
    }
  }
}
`
    const dry = await ipvs('fleet', 'apply', await file('keepalived.conf', conf(1)), '--dry-run')
    expect(dry.stdout).toContain('+ tcp-192.0.2.1-80: tcp 192.0.2.1:80\n  + 10.0.0.2:80\n1 service to add, 0 to change, 0 to remove; 0 unchanged\n')
    expect(await names()).toEqual([])

    const first = await ipvs('fleet', 'apply', await file('keepalived.conf', conf(1)))
    expect(first).toMatchObject({ status: 0, stdout: expect.stringContaining('Written in 1 transaction') as string })
    expect(await names()).toEqual(['tcp-192.0.2.1-80'])
    const before = await revision()
    expect((await ipvs('fleet', 'apply', await file('keepalived.conf', conf(1)))).stdout).toBe('0 services to add, 0 to change, 0 to remove; 1 unchanged\n')
    expect(await revision()).toBe(before)

    const second = await ipvs('fleet', 'apply', await file('keepalived.conf', conf(5)))
    expect(second.stdout).toContain('~ tcp-192.0.2.1-80: tcp 192.0.2.1:80\n  ~ 10.0.0.2:80\n      weight: 1 → 5\n')
  })

  test('a service keeps its name, what the file lacks goes, and servers that registered themselves stay', async () => {
    await cluster.put(`${prefix}/v1/services/web`, service('192.0.2.1', '10.0.0.2'))
    await cluster.put(`${prefix}/v1/services/old`, service('192.0.2.9'))
    await cluster.put(`${prefix}/v1/services/web/destinations/a`, { address: '10.0.0.7', port: 80 })
    const { stdout, status } = await ipvs('fleet', 'apply', await file('fleet.json', { services: [service('192.0.2.1', '10.0.0.3')] }))
    expect(stdout).toContain('~ web: tcp 192.0.2.1:80\n  - 10.0.0.2:80\n  + 10.0.0.3:80\n- old\n')
    expect(status).toBe(0)
    expect(await names()).toEqual(['web', 'web/destinations/a'])
  })

  test('a file with a mistake is refused whole, and the prefix stays as it is', async () => {
    const bad = await ipvs('fleet', 'apply', await file('fleet.json', { services: [service('192.0.2.1'), { ...service('192.0.2.2'), port: 0.5 }] }))
    expect(bad.status).toBe(5)
    expect(bad.stderr).toContain('services[1].port')
    expect(await names()).toEqual([])
    expect((await ipvs('fleet', 'apply', '/no/such/file')).status).toBe(2)
    expect((await ipvs('fleet', 'apply')).stderr).toContain('which file?')
  })

  test('more than one transaction takes are acted on at once, by those who follow and those who come', async () => {
    const { seen } = follow()
    await until(() => Promise.resolve(seen.join()), (now) => now === '0 ')
    const rr = await ipvs('fleet', 'apply', await file('rr.json', { services: many(300, 'rr') }))
    expect(rr.stdout).toContain('Written in 5 transactions')
    await until(() => Promise.resolve(seen.join()), (now) => now === '0 ,300 rr')
    expect((await ipvs('fleet', 'apply', await file('mh.json', { services: many(300, 'mh') }))).status).toBe(0)
    await until(() => Promise.resolve(seen.join()), (now) => now === '0 ,300 rr,300 mh')
  })

  test('what somebody has begun to write and not ended is not acted on, and applying again ends it', async () => {
    await ipvs('fleet', 'apply', await file('rr.json', { services: many(2, 'rr') }))
    const { follower, seen } = follow()
    await until(() => Promise.resolve(seen.join()), (now) => now === '2 rr')
    const held = new Promise<{ by: string }>((resolve) => follower.once('held', resolve))
    await cluster.put(`${prefix}/v1/services/.head`, { state: 'writing', by: 'somebody', since: 'then' })
    await cluster.put(`${prefix}/v1/services/tcp-10.9.0.0-80`, { ...service('10.9.0.0'), scheduler: 'wlc' })
    expect((await held).by).toBe('somebody')
    // One that comes now sees what was there before.
    const late = follow()
    await until(() => Promise.resolve(late.seen.join()), (now) => now === '2 rr')
    expect((await ipvs('fleet')).stdout).toContain('somebody has been writing since then')

    const { stderr, status } = await ipvs('fleet', 'apply', await file('mh.json', { services: many(2, 'mh') }))
    expect(stderr).toContain('somebody began to write at then and has not ended')
    expect(status).toBe(0)
    for (const one of [seen, late.seen]) await until(() => Promise.resolve(one.join()), (now) => now === '2 rr,2 mh')
  })
})

describe('ipvs fleet', () => {
  const director = (id: string, value: object) => cluster.put(`${prefix}/v1/directors/${id}`, { services: 1, destinations: 2, unsorted: 0, ...value })

  test('says who is alive, what each has in force, and that tables differ', async () => {
    const nobody = await ipvs('fleet')
    expect(nobody).toMatchObject({ status: 1, stdout: expect.stringContaining('No director is alive.') as string })

    await cluster.put(`${prefix}/v1/services/web`, service('192.0.2.1', '10.0.0.2'))
    const now = await revision()
    await director('d1', { revision: now, hash: 'aaaa' })
    await director('d2', { revision: now, hash: 'aaaa' })
    await cluster.put(`${prefix}/v1/health/d2`, { down: { 'tcp 192.0.2.1 80': ['10.0.0.2 80'] } })
    const same = await ipvs('fleet')
    expect(same.status).toBe(0)
    expect(same.stdout).toContain('The tables are the same.')
    expect(same.stdout).toMatch(/d2 +\d+ +aaaa +1 +2 +sees 1 down/)

    await director('d3', { revision: now - 1, hash: 'bbbb', unsorted: 1 })
    await cluster.put(`${prefix}/v1/health/d3`, { blind: true })
    const other = await ipvs('fleet', '--json')
    expect(other.status).toBe(1)
    expect(outputMistakes('FleetStatus', JSON.parse(other.stdout))).toEqual([])
    expect(JSON.parse(other.stdout)).toMatchObject({
      prefix, revision: now, services: 1, differ: true,
      directors: [{ id: 'd1', hash: 'aaaa' }, { id: 'd2', down: ['tcp 192.0.2.1 80 10.0.0.2 80'] }, { id: 'd3', blind: true, revision: now - 1 }],
    })
    expect((await ipvs('fleet')).stdout).toMatch(/d3 .* behind, sees everything down: no vote, order differs in 1 service\n/)
  })

  test('without etcd it says so', async () => {
    const { status, stderr } = await run(process.execPath, [command, 'fleet', '--etcd', 'http://127.0.0.1:9', '--prefix', '/x'])
    expect(status).toBe(3)
    expect(stderr).toContain('etcd cannot be read')
  })
})
