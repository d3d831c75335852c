import { expect, test } from 'vitest'
import { check, type CheckAnswer } from 'ipvs/director'
import { refusal } from '../../support/errors.js'
import { answering, closedPort } from '../checks/support/servers.js'

test('one check of one target is answered, whatever it finds', async () => {
  await using server = await answering('HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello')
  const good = await check(server, { type: 'http', urls: [{ path: '/service.txt', text: 'hello' }] })
  expect(good).toEqual({ outcome: 'good', check: 'GET /service.txt', words: 'GET /service.txt answered 200', duration: expect.any(Number) as number } satisfies CheckAnswer)
  expect(good.duration).toBeGreaterThan(0)
  const bad = await check(server, { type: 'http', urls: [{ path: '/service.txt', text: 'goodbye' }] })
  expect(bad).toMatchObject({ outcome: 'bad', words: 'GET /service.txt answered 200, but the body does not have the text \'goodbye\'' })
  expect(await check({ address: '127.0.0.1', port: await closedPort() }, { type: 'tcp' })).toMatchObject({ outcome: 'bad', words: 'the connection was refused' })
  expect(await check(server, { type: 'tcp', bindAddress: '192.0.2.77' })).toMatchObject({ outcome: 'untried', words: expect.stringMatching(/^the connection could not be tried: /) as string })
  expect(await check(server, { type: 'script', command: ['/bin/sh', '-c', 'exit 9'], dynamicWeight: true })).toMatchObject({ outcome: 'good', weight: { rule: 'set', value: 7 } })
})

test('what is wrong in the question is named before anything is asked', async () => {
  await using server = await answering('')
  expect(await refusal(() => check(server, { type: 'http', urls: [] }))).toMatchObject({ field: 'check.urls' })
  expect(await refusal(() => check({ address: 'www.example', port: server.port }, { type: 'tcp' }))).toMatchObject({ field: 'target.address' })
  expect(server.count).toBe(0)
})

test('a check that nobody waits for any more leaves nothing behind', async () => {
  await using server = await answering('')
  const controller = new AbortController()
  const asked = refusal(() => check(server, { type: 'smtp', timeout: 60 }, { signal: controller.signal }))
  server.server.once('connection', () => controller.abort(new Error('no longer wanted')))
  expect((await asked).message).toBe('no longer wanted')
})
