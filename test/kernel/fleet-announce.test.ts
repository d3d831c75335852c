import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ipvs } from 'ipvs'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { DirectorProcess } from '../support/director-process.js'
import { EtcdCluster } from '../support/etcd.js'
import { Scene } from '../support/scene.js'
import { until } from '../support/until.js'

const VIP = '192.0.2.1'
let scene: Scene
let folder: string
beforeEach(async () => {
  scene = await Scene.create(Ipvs, 'bird')
  // A way to the server: a director without one is rightly withdrawn.
  await scene.namespace.ip(
    `address add ${VIP}/32 dev lo`, 'link add eth0 type veth peer name port', 'link set port up', 'address add 10.0.0.1/24 dev eth0', 'link set eth0 up',
  )
  folder = await mkdtemp(join(tmpdir(), 'bird-'))
})
afterEach(async () => {
  await scene[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

const socket = (): string => join(folder, 'bird.ctl')

/** bird, with the address as a route that it has only when it is told to. Returns what ends it. */
async function bird(): Promise<() => Promise<void>> {
  const file = join(folder, 'bird.conf')
  await writeFile(file, `router id 10.0.0.1;\nprotocol device {}\nprotocol static vip { disabled yes; ipv4; route ${VIP}/32 blackhole; }\n`)
  const child = spawn('nsenter', [`--net=${scene.namespace.path}`, 'bird', '-f', '-c', file, '-s', socket(), '-P', join(folder, 'bird.pid')], { stdio: 'ignore' })
  const closed = once(child, 'close')
  const end = async (): Promise<void> => {
    child.kill('SIGKILL')
    await closed
  }
  onTestFinished(end)
  await until(announced, (state) => state !== '')
  return end
}

/** Whether bird announces the address, as birdc sees it; '' while there is no bird. */
async function announced(): Promise<string> {
  const { stdout } = await scene.namespace.run('birdc', ['-s', socket(), 'show', 'protocols', 'vip'])
  return /^vip +Static +\S+ +(\S+)/m.exec(stdout)?.[1] ?? ''
}

const service = { protocol: 'tcp', address: VIP, port: 80, scheduler: 'mh', destinations: [{ address: '10.0.0.2', port: 80, forward: 'tun' }] }

function start(...more: string[]): DirectorProcess {
  const director = new DirectorProcess([...more, '--netns', scene.namespace.name, '--announce', 'vip', '--bird', socket()])
  onTestFinished(() => director[Symbol.asyncDispose]())
  return director
}

test('a director is announced when its table is there, while etcd is away too, and withdrawn before it ends', async () => {
  await using cluster = await EtcdCluster.start()
  await bird()
  expect(await announced()).toBe('down')
  // A director that finds no service has nothing to wait for.
  await cluster.put('/fleet/v1/services/web', service)
  await cluster.members[0].kill()
  const director = start('--etcd', cluster.endpoints.join(','), '--prefix', '/fleet')
  await director.logged(({ event }) => event === 'etcd-away')
  expect(await announced()).toBe('down')

  cluster.members[0].start()
  await until(announced, (state) => state === 'up')
  expect((await scene.ipvsadm.save()).join('\n')).toContain(`-a -t ${VIP}:80 -r 10.0.0.2:80 -i`)

  const before = director.log.length
  await cluster.members[0].kill()
  await director.logged(({ event }) => event === 'etcd-away', before)
  expect(await announced()).toBe('up')

  expect(await director.end()).toBe(0)
  expect(await announced()).toBe('down')
  const events = director.log.map(({ event }) => event)
  expect(events.lastIndexOf('withdrawn')).toBeLessThan(events.lastIndexOf('ended'))
})

test('bird that is started anew is told again', async () => {
  const end = await bird()
  const file = join(folder, 'fleet.json')
  await writeFile(file, JSON.stringify({ services: [service] }))
  const director = start('--config', file)
  await until(announced, (state) => state === 'up')
  await end()
  await director.logged(({ event }) => event === 'bird')
  await bird()
  await until(announced, (state) => state === 'up')
})

test('a director that lacks the virtual address is withdrawn, and announced again when it has it', async () => {
  await bird()
  const file = join(folder, 'fleet.json')
  await writeFile(file, JSON.stringify({ services: [service] }))
  const director = start('--config', file)
  await until(announced, (state) => state === 'up')
  await scene.namespace.ip(`address del ${VIP}/32 dev lo`)
  const { message } = await director.logged(({ event }) => event === 'fault-found')
  expect(message).toContain('vip-not-here')
  await until(announced, (state) => state === 'down')
  await scene.namespace.ip(`address add ${VIP}/32 dev lo`)
  await until(announced, (state) => state === 'up')
})
