import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Monitor } from '../../../lib/checks/monitor.js'
import type { CheckedDestination, CheckFailure, CheckTrouble, HealthChange } from '../../../lib/checks/protocol.js'
import type { Check, HttpCheck } from '../../../lib/configuration/types.js'
import { until } from '../../support/until.js'
import { answering, closedPort, type Loopback } from './support/servers.js'

/** What a monitor has told. */
class Told {
  readonly changes: HealthChange[] = []
  readonly troubles: CheckTrouble[] = []
  readonly failures: CheckFailure[] = []
  messages = 0
  readonly monitor = new Monitor({ socket: 100, program: 4 }, ({ changes, troubles, failures }) => {
    this.messages++
    this.changes.push(...changes)
    this.troubles.push(...troubles)
    this.failures.push(...failures)
  })

  /** Waits for so many changes; what they say. */
  async changed(count: number): Promise<string[]> {
    await until(() => Promise.resolve(this.changes.length), (length) => length >= count)
    return this.changes.map(({ id, up, weight }) => `${id} ${up ? 'up' : 'down'} ${weight}`)
  }

  /** Waits until each of so many checks has answered. */
  async answered(count: number): Promise<void> {
    await until(() => Promise.resolve(this.monitor.status().counts), ({ good, bad }) => good + bad >= count)
  }
}

let told: Told
let folder: string
let server: Loopback & { requests: string[] }
/** What the server answers to a path; 200 where nothing is said. */
let status: Record<string, number>

beforeEach(async () => {
  told = new Told()
  folder = mkdtempSync(join(tmpdir(), 'checks-monitor-'))
  status = {}
  server = await answering((request) => `HTTP/1.0 ${status[request.split(' ')[1]] ?? 200} Word\r\nContent-Length: 0\r\n\r\n`)
})
afterEach(async () => {
  told.monitor.close()
  await server[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

const quick = { interval: 0.03, retryInterval: 0.02, timeout: 5, warmup: 0 }
const get = (path: string, extra: Partial<HttpCheck> = {}): Check => ({ type: 'http', urls: [{ path }], ...quick, ...extra })
const destination = (id: string, checks: Check[], extra: Partial<CheckedDestination> = {}): CheckedDestination =>
  ({ id, address: server.address, port: server.port, weight: 1, checks, ...extra })
const asked = (path: string): number => server.requests.filter((request) => request.startsWith(`GET ${path} `)).length

test('a destination goes down after the failures in a row and comes back after the successes, each told once, with its reason', async () => {
  told.monitor.update({ set: [destination('a', [get('/', { failures: 3, successes: 2 })], { initially: 'up' })] })
  await told.answered(2)
  status['/'] = 503
  expect(await told.changed(1)).toEqual(['a down 1'])
  expect(told.changes[0]).toMatchObject({ isTransition: true, check: 'GET /', words: 'GET / answered 503', answers: 3 })
  expect(told.changes[0].lastGood).toBeGreaterThan(0)
  delete status['/']
  expect(await told.changed(2)).toEqual(['a down 1', 'a up 1'])
  expect(told.changes[1]).toMatchObject({ words: 'GET / answered 200', answers: 2 })
  expect(told.messages).toBe(2)
})

test('nothing is told of a destination that is as it was thought to be', async () => {
  const port = await closedPort()
  told.monitor.update({ set: [destination('good', [get('/')]), destination('bad', [get('/')], { port, initially: 'down' })] })
  await told.answered(10)
  expect(told.messages).toBe(0)
})

test('a new destination is up until the first answer, which decides', async () => {
  status['/'] = 503
  told.monitor.update({
    set: [destination('a', [get('/', { failures: 100 })]), destination('b', [get('/', { failures: 100 })], { initially: 'up' })],
  })
  expect(await told.changed(1)).toEqual(['a down 1'])
  expect(told.changes[0].answers).toBe(1)
  delete status['/']
  expect(await told.changed(2)).toEqual(['a down 1', 'a up 1'])
})

test('a new destination that starts down comes up when it was good; a check can say otherwise than its destination', async () => {
  told.monitor.update({
    set: [
      destination('a', [get('/', { startDown: true })]),
      destination('b', [get('/')], { startDown: true }),
      destination('c', [get('/', { startDown: false })], { startDown: true }),
    ],
  })
  expect((await told.changed(2)).sort()).toEqual(['a up 1', 'b up 1'])
  await told.answered(3)
  expect(told.changes).toHaveLength(2)
})

test('of several checks all must be good', async () => {
  told.monitor.update({ set: [destination('a', [get('/one'), get('/two')], { initially: 'up' })] })
  status['/one'] = 500
  expect(await told.changed(1)).toEqual(['a down 1'])
  status['/two'] = 500
  await until(
    () => Promise.resolve(told.monitor.status().destinations[0].checks.map(({ health }) => health)),
    (all) => all.every((health) => health === 'down'),
  )
  delete status['/one']
  await until(() => Promise.resolve(told.monitor.status().destinations[0].checks[0].health), (health) => health === 'up')
  expect(told.changes).toHaveLength(1)
  delete status['/two']
  expect(await told.changed(2)).toEqual(['a down 1', 'a up 1'])
})

test('the same check of the same target runs once, whoever asks, and everybody is told in one message', async () => {
  const ids = Array.from({ length: 10 }, (_, n) => `service ${n}`)
  // The order of properties makes no other check of it.
  told.monitor.update({
    set: ids.map((id, n) =>
      destination(
        id,
        [n % 2 ? get('/') : { warmup: 0, timeout: 5, retryInterval: 0.02, interval: 0.03, urls: [{ path: '/' }], type: 'http' }],
        { initially: 'up' },
      ),
    ),
  })
  await told.answered(3)
  expect(told.monitor.status().counts.checks).toBe(1)
  expect(server.requests.length).toBeLessThanOrEqual(5)
  status['/'] = 503
  await told.changed(10)
  expect(told.changes.map(({ id }) => id)).toEqual(ids)
  expect(told.messages).toBe(1)
})

test('another target, or another question, is another check', () => {
  told.monitor.update({
    set: [
      destination('a', [get('/')]),
      destination('b', [get('/')], { port: 9 }),
      destination('c', [get('/other')]),
      destination('d', [get('/', { failures: 9 })]),
    ],
  })
  expect(told.monitor.status().counts.checks).toBe(4)
})

test('who asks later for what is known already is told at once', async () => {
  status['/'] = 503
  told.monitor.update({ set: [destination('a', [get('/')])] })
  await until(() => Promise.resolve(told.monitor.status().destinations[0].checks[0].health), (health) => health === 'down')
  told.monitor.update({ set: [destination('b', [get('/')])] })
  expect(await told.changed(2)).toEqual(['a down 1', 'b down 1'])
})

test('a new configuration keeps what is known: checks that are the same go on, and new ones begin where the destination stands', async () => {
  status['/'] = 503
  told.monitor.update({ set: [destination('a', [get('/')]), destination('b', [get('/fine')])] })
  await until(() => Promise.resolve(told.monitor.status().destinations[0].checks[0].health), (health) => health === 'down')
  const before = told.monitor.status(['a']).destinations[0]
  told.monitor.update({ set: [destination('a', [get('/')], { weight: 7 })] })
  expect(await told.changed(2)).toEqual(['a down 1', 'a down 7'])
  expect(told.changes[1].isTransition).toBe(false)
  expect(told.monitor.status(['a']).destinations[0]).toMatchObject({ since: before.since, checks: [{ since: before.checks[0].since }] })
  // Another question to a destination that is down: it stays down until it was good.
  told.monitor.update({ set: [destination('a', [get('/silent', { warmup: 60 })]), destination('b', [get('/silent', { warmup: 60 })])] })
  expect(told.monitor.status().destinations.map(({ id, up }) => `${id} ${up}`)).toEqual(['a false', 'b true'])
  expect(told.monitor.status().counts.checks).toBe(1)
})

test('a check that nobody asks for any more ends', async () => {
  told.monitor.update({ set: [destination('a', [get('/one'), get('/both')]), destination('b', [get('/both')])] })
  await told.answered(6)
  told.monitor.update({ removed: ['a', 'unknown'] })
  expect(told.monitor.status()).toMatchObject({ destinations: [{ id: 'b' }], counts: { checks: 1 } })
  await until(() => Promise.resolve(server.connections.size), (open) => open <= 1)
  const [one, both] = [asked('/one'), asked('/both')]
  await until(() => Promise.resolve(asked('/both')), (now) => now > both + 2)
  expect(asked('/one')).toBeLessThanOrEqual(one + 1)
  told.monitor.update({ removed: ['b'] })
  expect(told.monitor.status()).toMatchObject({ destinations: [], counts: { checks: 0, underWay: 0 } })
})

test('a check that moves from one destination to another in one update goes on', async () => {
  told.monitor.update({ set: [destination('a', [get('/')])] })
  await told.answered(2)
  const { good } = told.monitor.status().counts
  told.monitor.update({ set: [destination('b', [get('/')])], removed: ['a'] })
  expect(told.monitor.status().destinations[0].checks[0]).toMatchObject({ health: 'up', last: { words: 'GET / answered 200' } })
  expect(good).toBeGreaterThan(0)
})

test('what could not be tried changes nothing, and is told once, and once when it is over', async () => {
  const local: Check = { type: 'tcp', bindAddress: '192.0.2.77', ...quick }
  told.monitor.update({ set: [destination('a', [local]), destination('b', [local], { initially: 'down' })] })
  await until(() => Promise.resolve(told.monitor.status().counts.untried), (untried) => untried > 5)
  expect(told.changes).toEqual([])
  expect(told.troubles).toEqual([{ ids: ['a', 'b'], check: 'TCP connection', words: expect.stringMatching(/EADDRNOTAVAIL/) as string }])
  expect(told.monitor.status(['a']).destinations[0]).toMatchObject({
    up: true,
    checks: [{ health: 'undecided', trouble: expect.stringMatching(/EADDRNOTAVAIL/) as string }],
  })
  // What is missing appears: here the file of a user's certificate.
  const ca = join(folder, 'ca.pem')
  told.monitor.update({ set: [destination('c', [{ type: 'tls', tls: { authorities: ca }, ...quick, timeout: 0.1 }])], removed: ['a', 'b'] })
  await until(() => Promise.resolve(told.troubles.length), (count) => count === 2)
  writeFileSync(ca, '')
  await until(() => Promise.resolve(told.troubles.length), (count) => count === 3)
  expect(told.troubles[2]).toEqual({ ids: ['c'], check: 'TLS handshake' })
  // A check that found the file when it began goes on with what it has read.
  told.monitor.update({ set: [destination('d', [{ type: 'tls', tls: { authorities: ca }, ...quick, timeout: 0.2 }])], removed: ['c'] })
  rmSync(ca)
  const { bad } = told.monitor.status().counts
  await until(() => Promise.resolve(told.monitor.status().counts.bad), (now) => now > bad + 3)
  expect(told.troubles).toHaveLength(3)
})

test('each bad answer is told where that is wanted, and only there', async () => {
  status['/'] = 503
  told.monitor.update({
    set: [
      destination('a', [get('/', { logEachFailure: true })], { initially: 'down' }),
      destination('b', [get('/')], { initially: 'down' }),
    ],
  })
  await until(() => Promise.resolve(told.failures.length), (count) => count >= 3)
  expect(new Set(told.failures.map(({ id, check, words }) => `${id}: ${check}: ${words}`))).toEqual(new Set(['a: GET /: GET / answered 503']))
})

test('checks that speak of the weight add up, and a change of the weight alone is told', async () => {
  const path = join(folder, 'weight')
  writeFileSync(path, '2')
  const script: Check = { type: 'script', command: ['/bin/sh', '-c', 'exit 7'], dynamicWeight: true, ...quick, interval: 60 }
  told.monitor.update({ set: [destination('a', [{ type: 'file', path, factor: 10 }, script], { weight: 100 })] })
  // The status is a weight of 5, the file adds 20.
  await until(() => Promise.resolve(told.monitor.status().destinations[0].weight), (weight) => weight === 25)
  writeFileSync(path, '-3')
  await until(() => Promise.resolve(told.monitor.status().destinations[0].weight), (weight) => weight === 0)
  expect(told.changes.at(-1)).toMatchObject({ id: 'a', up: true, weight: 0, isTransition: false, words: 'the file says -3' })
})

test('a file is looked at when it changes, also where it was not there or is replaced', async () => {
  const path = join(folder, 'maintenance')
  told.monitor.update({ set: [destination('a', [{ type: 'file', path }])] })
  await told.answered(1)
  writeFileSync(path, '1')
  expect(await told.changed(1)).toEqual(['a down 1'])
  rmSync(path)
  expect(await told.changed(2)).toEqual(['a down 1', 'a up 1'])
})

test('a file that is missing gets its first number, and one that is there only where that is wanted', async () => {
  const [missing, there, over] = ['missing', 'there', 'over'].map((name) => join(folder, name))
  writeFileSync(there, '1')
  writeFileSync(over, '1')
  told.monitor.update({
    set: [
      destination('missing', [{ type: 'file', path: missing, initial: 3 }]),
      destination('there', [{ type: 'file', path: there, initial: 0 }]),
      destination('over', [{ type: 'file', path: over, initial: 0, overwrite: true }]),
    ],
  })
  expect((await told.changed(2)).sort()).toEqual(['missing down 1', 'there down 1'])
})

test('the status says of each check what it is, since when, how the last answer was, and how long a good one took', async () => {
  const begin = Date.now()
  told.monitor.update({ set: [destination('a', [get('/')]), destination('b', [])] })
  await told.answered(3)
  const { destinations: [a, b], counts } = told.monitor.status()
  expect(a).toMatchObject({
    id: 'a',
    up: true,
    weight: 1,
    checks: [{ check: 'GET /', health: 'up', last: { outcome: 'good', words: 'GET / answered 200' } }],
  })
  expect(a.checks[0].since).toBeGreaterThanOrEqual(begin)
  expect(a.checks[0].last!.row).toBeGreaterThanOrEqual(3)
  expect(a.checks[0].lastGood).toBeGreaterThan(0)
  expect(b).toMatchObject({ id: 'b', up: true, checks: [] })
  expect(counts).toMatchObject({ bad: 0, untried: 0, waiting: 0, checks: 1 })
})
