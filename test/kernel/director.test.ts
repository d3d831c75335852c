import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Ipvs } from 'ipvs'
import { Director, type DirectedDestination, type DirectorConfiguration, type Drained, type ProgramEnd } from 'ipvs/director'
import { refusal } from '../support/errors.js'
import { Scene } from '../support/scene.js'
import { until } from '../support/until.js'

const SERVER =
  "require('node:http').createServer((_, answer) => answer.end(process.argv[2])).listen(8080, process.argv[1], () => console.log('ready'))"
const DIRECT = fileURLToPath(new URL('programs/direct.mjs', import.meta.url))
const check = { type: 'http' as const, urls: [{ path: '/' }], interval: 0.2, retryInterval: 0.1, warmup: 0, timeout: 30 }
const [a, b, sorry] = ['127.0.1.1', '127.0.1.2', '127.0.1.9'].map((address): DirectedDestination => ({
  address,
  port: 8080,
  forward: 'nat',
}))
const web = { protocol: 'tcp', address: '10.0.0.1', port: 80, scheduler: 'rr' } as const
const configuration = (destinations: DirectedDestination[]): DirectorConfiguration => ({
  services: [{ ...web, checks: [check], fallback: sorry, destinations }],
})

let scene: Scene
let servers: Map<string, ChildProcess>
beforeEach(async () => {
  scene = await Scene.create(Ipvs, 'director')
  servers = new Map()
})
afterEach(async () => {
  for (const address of [...servers.keys()]) await stop(address)
  await scene[Symbol.asyncDispose]()
})

/** Starts a real server in the director's namespace. */
async function start({ address }: DirectedDestination): Promise<void> {
  const server = spawn('nsenter', [`--net=${scene.namespace.path}`, process.execPath, '-e', SERVER, address, 'hello'], { stdio: ['ignore', 'pipe', 'inherit'] })
  servers.set(address, server)
  await once(server.stdout, 'data')
}

async function stop(address: string): Promise<void> {
  const server = servers.get(address)!
  servers.delete(address)
  server.kill('SIGKILL')
  await once(server, 'exit')
}

/** The table as ipvsadm sees it: one line for each destination with its weight. */
const table = async (): Promise<string> =>
  (await scene.ipvsadm.save())
    .filter((line) => line.startsWith('-a'))
    .map((line) => line.replace(/^.* -r (\S+) .*-w (\d+)$/, '$1=$2'))
    .sort()
    .join(' ')
const becomes = (expected: string): Promise<string> => until(table, (now) => now === expected, 60)

test('real servers die and return, and the kernel has what ipvsadm should see', async () => {
  for (const server of [a, b]) await start(server)
  await using director = new Director({ ipvs: scene.ipvs, configuration: configuration([a, b]) })
  await director.inForce()
  expect(await table()).toBe('127.0.1.1:8080=1 127.0.1.2:8080=1')
  await stop(a.address)
  await becomes('127.0.1.2:8080=1')
  await stop(b.address)
  await becomes('127.0.1.9:8080=1')
  await start(b)
  await becomes('127.0.1.2:8080=1')
  await start(a)
  await becomes('127.0.1.1:8080=1 127.0.1.2:8080=1')
})

test('the next director goes on from the table that the one before has left, and brings no dead server back', async () => {
  await start(a)
  {
    await using first = new Director({ ipvs: scene.ipvs, configuration: configuration([a, b]) })
    await first.inForce()
    await becomes('127.0.1.1:8080=1')
  }
  expect(await table()).toBe('127.0.1.1:8080=1')
  const tables = new Set<string>()
  await using second = new Director({ ipvs: scene.ipvs, configuration: configuration([a, b]) })
  await second.inForce()
  tables.add(await table())
  await until(() => second.checks(), ({ good, bad }) => good > 2 && bad > 2)
  tables.add(await table())
  expect([...tables]).toEqual(['127.0.1.1:8080=1'])
  await start(b)
  await becomes('127.0.1.1:8080=1 127.0.1.2:8080=1')
})

/** A director in a process of its own, whose table is in force. */
async function elsewhere(given: DirectorConfiguration, options: object = {}): Promise<ChildProcess> {
  const child = spawn(process.execPath, [DIRECT, scene.namespace.name, JSON.stringify(options)], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(JSON.stringify(given))
  await once(child.stdout, 'data')
  return child
}

test('a second director in the namespace is refused, until the first one has ended, whatever ended it', async () => {
  const other = await Scene.create(Ipvs, 'other')
  const first = await elsewhere(configuration([a]))
  try {
    await using second = new Director({ ipvs: scene.ipvs, configuration: { services: [] } })
    const refused = {
      code: 'ERR_IPVS_DIRECTOR_RUNS',
      message: expect.stringMatching(new RegExp(`^Another director runs here, and two would undo each other's work: process ${first.pid} \\(.*node.*\\) has the name @ipvs-director`)) as string,
    }
    expect(await refusal(() => second.inForce())).toMatchObject(refused)
    expect(await refusal(() => second.set({ services: [] }))).toMatchObject(refused)
    // Another namespace is another matter.
    await using third = new Director({ ipvs: other.ipvs, configuration: { services: [] } })
    await third.inForce()
    first.kill('SIGKILL')
    await once(first, 'exit')
    await second.set(configuration([b]))
    expect((await scene.ipvsadm.save()).filter((line) => line.startsWith('-A'))).toHaveLength(1)
  } finally {
    first.kill('SIGKILL')
    await other[Symbol.asyncDispose]()
  }
})

test('a service that is taken out after the director was killed goes when the next one starts', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ipvs-director-'))
  try {
    const remember = join(folder, 'named.json')
    await scene.ipvsadm.run('-A -t 10.0.0.9:80 -s rr')
    const first = await elsewhere({ services: [...configuration([a]).services, { ...web, port: 81 }] }, { remember })
    first.kill('SIGKILL')
    await once(first, 'exit')
    await using next = new Director({ ipvs: scene.ipvs, configuration: { services: [{ ...web, port: 81 }] }, remember })
    await next.inForce()
    await until(() => scene.ipvsadm.save(), (lines) => lines.length === 2)
    expect(await scene.ipvsadm.save()).toEqual(expect.arrayContaining(['-A -t 10.0.0.1:81 -s rr', '-A -t 10.0.0.9:80 -s rr']))
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('programs to notify run in the network namespace of the director', async () => {
  const program = { command: ['/usr/bin/readlink', '/proc/self/ns/net'] }
  const [service] = configuration([{ ...a, onDown: program }]).services
  await using director = new Director({ ipvs: scene.ipvs, configuration: { services: [service] } })
  const [end] = await once(director, 'program') as [ProgramEnd]
  expect(end).toMatchObject({ service: { address: '10.0.0.1' }, destination: { address: a.address }, outcome: 'good' })
  expect(end.words).toBe(`the program ended with status 0: net:[${statSync(scene.namespace.path).ino}]`)
})

test('what others change in its services is repaired, and their services are left', async () => {
  await start(a)
  await scene.ipvsadm.run('-A -t 10.0.0.2:80 -s rr')
  await using director = new Director({ ipvs: scene.ipvs, configuration: configuration([a]), interval: 0.2 })
  await director.inForce()
  await scene.ipvsadm.run('-d -t 10.0.0.1:80 -r 127.0.1.1:8080', '-a -t 10.0.0.1:80 -r 127.0.1.7:8080 -m -w 1')
  await becomes('127.0.1.1:8080=1')
  expect((await scene.ipvsadm.save()).filter((line) => line.startsWith('-A'))).toHaveLength(2)
})

test('what is taken out of the configuration leaves, and a service with it', async () => {
  for (const server of [a, b]) await start(server)
  await using director = new Director({ ipvs: scene.ipvs, configuration: configuration([a, b]) })
  await director.inForce()
  const drained = once(director, 'drained') as Promise<[Drained]>
  await director.set(configuration([a]))
  expect((await drained)[0]).toMatchObject({ destination: { address: b.address }, connections: 0 })
  expect(await table()).toBe('127.0.1.1:8080=1')
  await director.set({ services: [] })
  await until(() => scene.ipvsadm.save(), (lines) => lines.length === 0)
})
