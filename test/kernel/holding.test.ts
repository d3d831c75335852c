import { once } from 'node:events'
import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Ipvs } from 'ipvs'
import { Director, type DirectorConfiguration, type HoldingChange, type SharedAddress } from 'ipvs/director'
import { Namespace } from '../../scripts/network/namespace.js'
import { DirectorProcess } from '../support/director-process.js'
import { Scene } from '../support/scene.js'
import { until } from '../support/until.js'
import { WebServers } from '../support/web-servers.js'

const A = '127.0.1.1'
const B = '127.0.1.2'
const VIRTUAL = '10.0.0.100'

let scene: Scene
let servers: WebServers
beforeEach(async () => {
  scene = await Scene.create(Ipvs, 'holding')
  servers = new WebServers(scene.namespace)
  await servers.serve(A, 8080, 'hello')
  await servers.serve(B, 8080, 'hello')
  await scene.namespace.ip('link add front type veth peer name peer0', 'link set front up', 'link set peer0 up')
})
afterEach(async () => {
  await servers[Symbol.asyncDispose]()
  await scene[Symbol.asyncDispose]()
})

const check = { type: 'tcp', interval: 0.1, retryInterval: 0.05, warmup: 0, timeout: 30 } as const
const configuration = (onlyWhileHeld: boolean): DirectorConfiguration => ({
  services: [{
    protocol: 'tcp', address: VIRTUAL, port: 80, scheduler: 'rr', onlyWhileHeld, checks: [check],
    destinations: [{ address: A, port: 8080, forward: 'nat' }, { address: B, port: 8080, forward: 'nat' }],
  }],
})

const destinations = async (): Promise<string> => (await scene.ipvsadm.save()).filter((line) => line.startsWith('-a'))
  .map((line) => /-r (\S+):/.exec(line)![1]).sort().join(' ')
const becomes = (expected: string): Promise<string> => until(destinations, (now) => now === expected, 60)

test('a director tells whether the machine holds the addresses, as ip(8) puts them there and takes them away', async () => {
  await using director = new Director({ ipvs: scene.ipvs, configuration: configuration(false), addresses: [VIRTUAL, '10.1.0.254'] })
  const changes: HoldingChange[] = []
  director.on('holding', (change) => changes.push(change))
  const heard = (count: number): Promise<number> => until(() => Promise.resolve(changes.length), (length) => length >= count, 60)
  await director.inForce()
  expect(changes).toMatchObject([{ held: 'none', came: [], went: [] }])
  await scene.namespace.ip(`addr add ${VIRTUAL}/32 dev front`)
  await heard(2)
  expect(changes[1]).toMatchObject({ held: 'some', came: [VIRTUAL], why: `${VIRTUAL} came to front` })
  await scene.namespace.ip('addr add 10.1.0.254/24 dev peer0')
  await heard(3)
  expect(changes[2]).toMatchObject({ held: 'all', came: ['10.1.0.254'] })
  expect(director.status().holding).toMatchObject({
    held: 'all', vrrp: [], addresses: [{ address: VIRTUAL, held: true, interface: 'front' }, { address: '10.1.0.254', held: true, interface: 'peer0' }],
  })
  director.watchAddresses(undefined)
  expect(director.status().holding!.addresses.map(({ address }) => address)).toEqual([VIRTUAL])
  await scene.namespace.ip(`addr del ${VIRTUAL}/32 dev front`)
  await until(() => Promise.resolve(changes.at(-1)!), ({ held }) => held === 'none', 60)
  expect(changes.at(-1)).toMatchObject({ went: [VIRTUAL], why: `${VIRTUAL} has gone from front` })
  expect(() => director.watchAddresses(['nowhere'])).toThrow('addresses[0]')
})

test('checks that run only while the address is held rest without it, and the table stays as it was', async () => {
  await servers.stop(B, 8080)
  await using director = new Director({ ipvs: scene.ipvs, configuration: configuration(true), drain: false })
  await director.inForce()
  // Nobody knows yet that B is dead, because nobody asks.
  expect(await director.checks()).toMatchObject({ checks: 0, good: 0, bad: 0, destinations: [] })
  expect(director.status().services[0].resting).toBe(true)
  expect(await destinations()).toBe(`${A} ${B}`)
  await scene.namespace.ip(`addr add ${VIRTUAL}/32 dev front`)
  await becomes(A)
  expect(director.status().services[0]).not.toHaveProperty('resting')
  const told = once(director, 'holding')
  await scene.namespace.ip(`addr del ${VIRTUAL}/32 dev front`)
  await told
  await servers.serve(B, 8080, 'hello')
  await servers.stop(A, 8080)
  expect(await director.checks()).toMatchObject({ checks: 0, destinations: [] })
  expect(await destinations()).toBe(A)
  // What was known when the address went counts when it comes: B is down until it answers.
  await scene.namespace.ip(`addr add ${VIRTUAL}/32 dev front`)
  await becomes(B)
})

test.each([
  ['IPv4', VIRTUAL, '/32'],
  // keepalived gives IPv6 addresses without duplicate address detection too.
  ['IPv6', 'fd00::100', '/128', 'nodad'],
])('a director warns when another machine answers for an address that this one holds: %s', async (_, address, whole, ...flags) => {
  const put = (device: string): string => [`addr add ${address}${whole} dev ${device}`, ...flags].join(' ')
  await using other = await Namespace.create('other')
  await scene.namespace.ip(`link set peer0 netns ${other.name}`)
  await other.ip('link set peer0 up')
  await scene.namespace.ip(put('front'))
  await other.ip(put('peer0'))
  const [{ address: hardware }] = JSON.parse(await other.must('ip', ['-json', 'link', 'show', 'peer0'])) as [{ address: string }]
  await using director = new Director({ ipvs: scene.ipvs, configuration: configuration(false), addresses: [address] })
  const shared = once(director, 'shared') as Promise<[SharedAddress]>
  expect((await shared)[0]).toEqual({ address, interface: 'front', hardware: [hardware] })
  expect(director.status().holding!.addresses).toMatchObject([{ address, held: true, sharedWith: [hardware] }])
  const over = once(director, 'shared') as Promise<[SharedAddress]>
  await scene.namespace.ip(`addr del ${address}${whole} dev front`)
  expect((await over)[0]).toEqual({ address, hardware: [] })
})

test('ipvs director takes the addresses of keepalived.conf, and tells what keepalived writes into its FIFO', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holding-'))
  try {
    const file = join(folder, 'keepalived.conf')
    const fifo = join(folder, 'vrrp.fifo')
    await writeFile(file, `
vrrp_instance front {
  interface front
  virtual_router_id 51
  virtual_ipaddress {
    10.1.0.254/24
  }
}
virtual_server ${VIRTUAL} 80 {
  lb_algo rr
  lb_kind NAT
  protocol TCP
  ha_suspend
  real_server ${A} 8080 {
    TCP_CHECK {
    }
  }
}
`)
    await using director = await DirectorProcess.start(['--keepalived', file, '--netns', scene.namespace.name, '--fifo', fifo])
    await director.logged(({ event, held }) => event === 'holding' && held === 'none')
    const writer = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK)
    writeSync(writer, 'VS [10.0.0.1]:tcp:80 UP\n\0INSTANCE "front" MASTER 150\n\0')
    expect(await director.logged(({ event }) => event === 'vrrp')).toMatchObject({ type: 'instance', name: 'front', state: 'MASTER', priority: 150 })
    // The service's own address is not what VRRP moves.
    await scene.namespace.ip(`addr add ${VIRTUAL}/32 dev front`, 'addr add 10.1.0.254/24 dev front')
    expect(await director.logged(({ event, held }) => event === 'holding' && held === 'all')).toMatchObject({ came: ['10.1.0.254'] })
    closeSync(writer)
    expect(await director.logged(({ event }) => event === 'vrrpGone')).toMatchObject({ level: 'warning', held: 'all' })
    expect(await director.end()).toBe(0)
  } finally {
    await rm(folder, { recursive: true })
  }
})

const daemons = async (): Promise<string> =>
  (await scene.namespace.must('ipvsadm', ['-l', '--daemon'])).replace(/, maxlen=[^)]*/g, '').trim().split('\n').sort().join('; ')
const RUNNING = 'backup sync daemon (mcast=front, syncid=7); master sync daemon (mcast=front, syncid=7)'

test('ipvs director --sync runs the daemons of both roles after the table is there, and again when they vanish', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sync-'))
  try {
    const file = join(folder, 'director.json')
    await writeFile(file, JSON.stringify(configuration(false)))
    await using director = await DirectorProcess.start(['--config', file, '--netns', scene.namespace.name, '--sync', 'front,id=7'])
    const { message } = await director.logged(({ event }) => event === 'applied')
    expect(message).toBe('5 changes in the table: 1 × addService, 2 × addDestination, 2 × startDaemon')
    expect(await daemons()).toBe(RUNNING)
    await scene.namespace.must('ipvsadm', ['--stop-daemon', 'master'])
    await until(daemons, (now) => now === RUNNING)
    expect(await director.end()).toBe(0)
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('ipvs director leaves the daemons alone that keepalived.conf gives to VRRP', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sync-'))
  try {
    const file = join(folder, 'keepalived.conf')
    await writeFile(file, `
global_defs {
  lvs_sync_daemon front VI_1 id 7
}
vrrp_instance VI_1 {
  interface front
  virtual_router_id 51
}
virtual_server ${VIRTUAL} 80 {
  lb_algo rr
  lb_kind NAT
  protocol TCP
  real_server ${A} 8080 {
    TCP_CHECK {
    }
  }
}
`)
    await using director = await DirectorProcess.start(['--keepalived', file, '--netns', scene.namespace.name, '--sync', 'front'])
    expect(director.log).toContainEqual(expect.objectContaining({ level: 'warning', event: 'sync', message: expect.stringContaining('VRRP instance VI_1') as string }))
    expect(await daemons()).toBe('')
  } finally {
    await rm(folder, { recursive: true })
  }
})
