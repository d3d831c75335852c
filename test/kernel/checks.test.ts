import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Checker, type CheckedDestination, type CheckTrouble, type HealthChange } from '../../lib/checks/index.js'
import type { Check } from '../../lib/configuration/types.js'
import { Namespace } from '../../scripts/network/namespace.js'
import { program } from '../support/program.js'
import { until } from '../support/until.js'

/** A checker in a namespace, and what it has reported. */
class Watch implements AsyncDisposable {
  readonly changes: HealthChange[] = []
  readonly troubles: CheckTrouble[] = []

  private constructor(readonly checker: Checker) {
    checker.on('changes', (some) => this.changes.push(...some))
    checker.on('troubles', (some) => this.troubles.push(...some))
  }

  static async from(namespace: Namespace): Promise<Watch> {
    const netns = openSync(namespace.path, 'r')
    try {
      return new Watch(await Checker.start({ netns }))
    } finally {
      closeSync(netns)
    }
  }

  /** Checks an address. Returns the first result of its only check. */
  async found(address: string, check: Check): Promise<string> {
    this.checker.update({ set: [destination('found', address, check)] })
    const status = await until(
      () => this.checker.status(['found']),
      ({
        destinations: [
          {
            checks: [one],
          },
        ],
      }) => one.last !== undefined || one.trouble !== undefined,
      60,
    )
    this.checker.update({ removed: ['found'] })
    const [{ last, trouble }] = status.destinations[0].checks
    return last === undefined ? `untried: ${trouble}` : `${last.outcome}: ${last.words}`
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.checker.close()
  }
}

const quick = { interval: 0.2, retryInterval: 0.1, warmup: 0, timeout: 30 }
const destination = (id: string, address: string, ...checks: Check[]): CheckedDestination => ({
  id,
  address,
  port: 8080,
  weight: 1,
  checks,
  initially: 'down',
})

const SERVER = "require('node:net')"
  + ".createServer((socket) => socket.on('error', () => 0).end('HTTP/1.0 200 OK\\r\\n\\r\\nhello'))"
  + ".listen(8080, '::', () => console.log('ready'))"

let namespace: Namespace
let server: ChildProcess
beforeEach(async () => {
  namespace = await Namespace.create('checks')
  server = spawn('nsenter', [`--net=${namespace.path}`, process.execPath, '-e', SERVER], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(server.stdout!, 'data')
})
afterEach(async () => {
  server.kill()
  await once(server, 'exit')
  await namespace[Symbol.asyncDispose]()
})

test('a checker reaches what is in its namespace from one thread, the only one that moved there', async () => {
  const home = readlinkSync('/proc/self/ns/net')
  const there = (await namespace.must('readlink', ['/proc/self/ns/net'])).trim()
  const namespaces = (): string[] => readdirSync('/proc/self/task').flatMap((task) => {
    try {
      return readlinkSync(`/proc/self/task/${task}/ns/net`)
    } catch {
      return []
    }
  })
  {
    await using watch = await Watch.from(namespace)
    expect(namespaces().filter((one) => one !== home)).toEqual([there])
    watch.checker.update({
      set: [destination('a', '127.0.0.1', { type: 'http', urls: [{ path: '/', text: 'hello' }], ...quick }, { type: 'tcp', ...quick })],
    })
    await until(() => Promise.resolve(watch.changes.length), (length) => length === 1)
    expect(watch.changes[0]).toMatchObject({ id: 'a', up: true })
    // Programs run in the checker's namespace too.
    expect(await watch.found('127.0.0.1', { type: 'script', command: ['/bin/readlink', '/proc/self/ns/net'], ...quick })).toBe(`good: the program ended with status 0: ${there}`)
  }
  // A worker's thread ends a moment after Node says that the worker has.
  await until(() => Promise.resolve(namespaces()), (all) => all.every((one) => one === home))
  await using outside = await Watch.from(await elsewhere())
  expect(await outside.found('127.0.0.1', { type: 'tcp', ...quick })).toBe('bad: the connection was refused')
})

const others: Namespace[] = []
afterEach(async () => {
  for (const other of others.splice(0)) await other[Symbol.asyncDispose]()
})

/** A namespace where nothing listens. */
async function elsewhere(): Promise<Namespace> {
  const other = await Namespace.create('elsewhere')
  others.push(other)
  return other
}

describe('ping', () => {
  test('is good if the echo request is answered, over IPv4 and IPv6', async () => {
    await using watch = await Watch.from(namespace)
    for (const address of ['127.0.0.1', '::1']) {
      expect(await watch.found(address, { type: 'ping', ...quick })).toBe('good: the echo request was answered')
    }
    expect(await watch.found('127.0.0.1', { type: 'ping', ...quick, bindAddress: '127.0.0.9' })).toBe('good: the echo request was answered')
    expect(await watch.found('127.0.0.1', { type: 'ping', ...quick, bindAddress: '192.0.2.77' })).toBe(
      'untried: the echo request could not be tried: there is no local address or port for it (EADDRNOTAVAIL)',
    )
  })

  test('is bad if the host does not answer or is unreachable', async () => {
    await namespace.ip('link add eth0 type veth peer name eth1', 'link set eth0 up', 'link set eth1 up', 'addr add 10.9.0.1/24 dev eth0')
    await using watch = await Watch.from(namespace)
    expect(await watch.found('10.9.0.2', { type: 'ping', ...quick })).toBe('bad: the host is unreachable')
    expect(await watch.found('10.9.0.2', { type: 'ping', ...quick, timeout: 0.1 })).toBe('bad: no echo reply within 0.1 s')
  })

  test('is untried without a route', async () => {
    await using watch = await Watch.from(namespace)
    expect(await watch.found('10.7.0.1', { type: 'ping', ...quick })).toBe(
      'untried: the echo request could not be tried: there is no route (ENETUNREACH)',
    )
  })

  test('needs a capability, or a group in ping_group_range', async () => {
    const inside = { wrapper: ['nsenter', `--net=${namespace.path}`, 'setpriv', '--bounding-set=-all', '--inh-caps=-all', '--reuid=65534', '--regid=65534', '--clear-groups'] }
    const ping = async () =>
      JSON.parse((await program('check.mjs', ['{"type":"ping"}'], inside)).stdout) as { outcome: string, words: string }
    expect(await ping()).toMatchObject({ outcome: 'untried', words: expect.stringMatching(/not permitted here .*\(EACCES\)$/) as string })
    await namespace.must('sh', ['-c', 'echo "0 2147483647" > /proc/sys/net/ipv4/ping_group_range'])
    expect(await ping()).toMatchObject({ outcome: 'good' })
  })
})

test('a host that drops every packet is bad for each kind of check, once the timeout is over', async () => {
  // A dummy interface needs no neighbours, and drops every packet.
  await namespace.ip('link add void type dummy', 'link set void up', 'addr add 10.8.0.1/24 dev void')
  await using watch = await Watch.from(namespace)
  const kinds: [Check, string][] = [
    [{ type: 'tcp' }, 'no connection'], [{ type: 'tls' }, 'no connection'], [{ type: 'http', urls: [{ path: '/' }] }, 'no connection'],
    [{ type: 'http', urls: [{ path: '/' }], tls: {} }, 'no connection'], [{ type: 'smtp' }, 'no connection'],
    [{ type: 'dns' }, 'no answer'], [{ type: 'udp', requireReply: true }, 'no answer'], [{ type: 'ping' }, 'no echo reply'],
  ]
  for (const [check, missing] of kinds) {
    expect(await watch.found('10.8.0.2', { ...check, ...quick, timeout: 0.2 } as Check), check.type).toBe(`bad: ${missing} within 0.2 s`)
  }
})

describe('a check with a source of its own', () => {
  test('a mark decides how packets are routed', async () => {
    await namespace.ip('rule add fwmark 7 unreachable priority 10', 'rule del priority 0', 'rule add priority 20 table local')
    await using watch = await Watch.from(namespace)
    for (const type of ['tcp', 'ping'] as const) {
      expect(await watch.found('127.0.0.1', { type, ...quick, mark: 6 })).toMatch(/^good/)
      expect(await watch.found('127.0.0.1', { type, ...quick, mark: 7 })).toMatch(/^untried: .*\((EHOSTUNREACH|ENETUNREACH)\)$/)
    }
    expect(await watch.found('127.0.0.1', { type: 'udp', ...quick, mark: 7 })).toMatch(/^untried: /)
  })

  test('a check bound to an interface does not blame the server when the interface is gone', async () => {
    await namespace.ip('link add eth0 type veth peer name eth1', 'link set eth0 up', 'link set eth1 up', 'addr add 10.9.0.1/24 dev eth0')
    await using watch = await Watch.from(namespace)
    watch.checker.update({ set: [destination('b', '10.9.0.1', { type: 'tcp', ...quick, bindInterface: 'eth0' })] })
    await until(() => Promise.resolve(watch.changes.length), (length) => length === 1)
    await namespace.ip('link del eth0')
    await until(
      () => Promise.resolve(watch.troubles),
      (troubles) => troubles.some(({ ids, words }) => ids.includes('b') && words?.endsWith('the interface is gone (ENODEV)')),
    )
    const [b] = (await watch.checker.status(['b'])).destinations
    expect([b.up, b.checks[0].last?.outcome]).toEqual([true, 'good'])
    expect(watch.changes.map(({ id, up }) => `${id} ${up}`)).toEqual(['b true'])
  })

  test('a link-local address is reached through its interface', async () => {
    await namespace.ip('link add eth0 type veth peer name eth1', 'link set eth0 up', 'link set eth1 up')
    const own = await until(
      () => namespace.must('ip', ['-6', '-o', 'addr', 'show', 'dev', 'eth0', 'scope', 'link']),
      (text) => text.includes('fe80') && !text.includes('tentative'),
    )
    const address = /fe80[^/ ]*/.exec(own)![0]
    await using watch = await Watch.from(namespace)
    expect(await watch.found(address, { type: 'tcp', ...quick, bindInterface: 'eth0' })).toMatch(/^good/)
    expect(await watch.found(address, { type: 'ping', ...quick, bindInterface: 'eth0' })).toMatch(/^good/)
  })
})

test('a namespace that may not be entered is refused with a reason', async () => {
  const { stdout } = await program('check.mjs', ['{}', namespace.path], {
    wrapper: ['setpriv', '--bounding-set=-sys_admin', '--inh-caps=-sys_admin'],
  })
  expect(stdout).toBe('the network namespace could not be entered: that needs root, or CAP_SYS_ADMIN over the namespace (EPERM)\n')
})
