import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { check } from '../../../lib/checks/index.js'
import { Monitor } from '../../../lib/checks/monitor.js'
import type { HealthChange } from '../../../lib/checks/protocol.js'
import type { Check, HttpCheck } from '../../../lib/configuration/types.js'
import { until } from '../../support/until.js'

/** A server in a thread of its own: it goes on while this thread is held up. It answers 200 ms after it was asked, or never. */
const SERVER = `
  const { createServer } = require('node:net')
  const { parentPort } = require('node:worker_threads')
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      if (!bytes.includes('/never')) setTimeout(() => socket.end('HTTP/1.0 200 OK\\r\\n\\r\\nhello'), 200)
    })
  })
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))
`

let server: Worker
let port: number
beforeAll(async () => {
  server = new Worker(SERVER, { eval: true })
  ;[port] = await once(server, 'message') as [number]
})
afterAll(() => server.terminate())

/** Holds the event loop of this thread, as a large piece of work would. */
function hold(milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end;);
}

const page = (path: string, timeout: number): HttpCheck => ({ type: 'http', urls: [{ path }], timeout })

test('a server that answers in time is good, although nobody came to hear it for seconds', async () => {
  const answer = check({ address: '127.0.0.1', port }, page('/', 1))
  // Held up before the connection, between the request and its answer, and once more.
  hold(1_500)
  const timer = setTimeout(() => hold(2_000), 50)
  const found = await answer
  clearTimeout(timer)
  expect(found).toMatchObject({ outcome: 'good' })
  expect(found.duration).toBeLessThan(1.5)
})

test('a server that never answers is bad, although the loop is held up again and again', async () => {
  const answer = check({ address: '127.0.0.1', port }, page('/never', 0.5))
  const timer = setInterval(() => hold(200), 50)
  expect(await answer).toMatchObject({ outcome: 'bad', words: 'GET /never: no answer within 0.5 s' })
  clearInterval(timer)
})

test('no server of many is taken for dead while the checker is held up', async () => {
  const changes: HealthChange[] = []
  const monitor = new Monitor({ socket: 1_000, program: 1 }, (news) => changes.push(...news.changes))
  const checks = Array.from({ length: 200 }, (_, n): Check => ({ ...page(`/${n}`, 1.5), interval: 0.2, failures: 1, warmup: 0.2 }))
  monitor.update({ set: checks.map((each, n) => ({ id: `${n}`, address: '127.0.0.1', port, weight: 1, checks: [each] })) })
  let held = 0
  const timer = setInterval(() => {
    hold(2_000)
    held++
  }, 100)
  await until(() => Promise.resolve(held), (times) => times >= 4)
  clearInterval(timer)
  const { good } = monitor.status().counts
  await until(() => Promise.resolve(monitor.status().counts), (counts) => counts.good > good + 200)
  const { bad, late } = monitor.status().counts
  monitor.close()
  expect(changes).toEqual([])
  expect(bad).toBe(0)
  expect(late).toBeGreaterThan(4_000)
})
