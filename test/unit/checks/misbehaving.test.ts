import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { check, type CheckAnswer } from '../../../lib/checks/index.js'
import type { Check } from '../../../lib/configuration/types.js'
import { until } from '../../support/until.js'
import { tcpServer, tlsServer, UdpLoopback, type Loopback } from './support/servers.js'

/** Servers that take their time, that never come to an end, or that end too early, for each kind of check. */

let keys: { key: Buffer, cert: Buffer }
beforeAll(() => {
  const folder = mkdtempSync(join(tmpdir(), 'checks-misbehaving-'))
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=server', '-days', '2']
  execFileSync('openssl', ['req', '-x509', ...curve, '-keyout', 'key', '-out', 'cert'], { cwd: folder, stdio: 'pipe' })
  keys = { key: readFileSync(join(folder, 'key')), cert: readFileSync(join(folder, 'cert')) }
  rmSync(folder, { recursive: true })
})

const timers = new Set<NodeJS.Timeout>()
afterAll(() => timers.forEach((timer) => clearInterval(timer)))

/** Says the next word each time that some milliseconds have passed. */
function drip(socket: Socket, words: Iterable<string | Buffer>, pause = 10): void {
  const iterator = words[Symbol.iterator]()
  const timer = setInterval(() => {
    const { value, done } = iterator.next() as { value: string, done: boolean }
    if (done) clearInterval(timer)
    else socket.write(value)
  }, pause)
  timers.add(timer)
  socket.on('error', () => undefined)
  socket.on('close', () => {
    clearInterval(timer)
    timers.delete(timer)
  })
}

function* forEver(word: string, first = ''): Generator<string> {
  yield first
  for (;;) yield word
}

const pieces = (text: string): string[] => text.match(/.{1,4}/gs)!

const http = (extra: object = {}): Check => ({ type: 'http', urls: [{ path: '/', text: 'hello' }], ...extra })
const PAGE = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'

/** Asks, and makes sure that no connection is left. */
async function ask(server: Loopback | UdpLoopback, given: Check): Promise<CheckAnswer> {
  const answer = await check(server, given)
  if ('connections' in server) await until(() => Promise.resolve(server.connections.size), (open) => open === 0, 30)
  return answer
}

/** A server that plays its part once somebody has said something. */
const afterRequest = (part: (socket: Socket) => void) => (socket: Socket): void => {
  socket.on('error', () => undefined)
  socket.once('data', () => part(socket))
}

describe('a server that is slow, and answers in time, is good', () => {
  const slow: [string, () => Promise<Loopback | UdpLoopback>, Check][] = [
    ['http', () => tcpServer(afterRequest((socket) => drip(socket, pieces(PAGE)))), http({ version: '1.1' })],
    [
      'http with chunks',
      () =>
        tcpServer(
          afterRequest((socket) => drip(socket, pieces('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'))),
        ),
      http({ version: '1.1' }),
    ],
    [
      'http over TLS',
      () =>
        tlsServer(
          keys,
          afterRequest((socket) => drip(socket, pieces(PAGE))),
        ),
      http({ version: '1.1', tls: { verify: false } }),
    ],
    [
      'smtp',
      () =>
        tcpServer((socket) => {
          drip(socket, pieces('220-welcome\r\n220 here\r\n'))
          const says = ['250 hello\r\n', '221 bye\r\n']
          socket.on('data', () => drip(socket, pieces(says.shift()!)))
        }),
      { type: 'smtp' },
    ],
    [
      'udp',
      () =>
        UdpLoopback.listen(() => undefined).then((server) => {
          server.socket.on('message', (_, { port, address }) => setTimeout(() => server.socket.send('hello', port, address), 150))
          return server
        }),
      { type: 'udp', requireReply: true, reply: '68' },
    ],
  ]
  test.each(slow)('%s', async (_, make, given) => {
    await using server = await make()
    expect(await ask(server, { timeout: 60, ...given } as Check)).toMatchObject({ outcome: 'good' })
  })

  test('script', async () => {
    expect(await check({ address: '127.0.0.1', port: 0 }, { type: 'script', command: ['/bin/sleep', '0.2'], timeout: 60 })).toMatchObject({
      outcome: 'good',
    })
  })
})

describe('a server that never comes to an end is bad when the time is over', () => {
  const endless: [string, () => Promise<Loopback>, Check, string][] = [
    // A record of TLS that would be 16 KiB long.
    [
      'tls, with a handshake that drips',
      () => tcpServer((socket) => drip(socket, forEver('\0', '\x16\x03\x03\x40\x00'))),
      { type: 'tls' },
      'no TLS session within 0.3 s',
    ],
    [
      'http over TLS, with a handshake that drips',
      () => tcpServer((socket) => drip(socket, forEver('\0', '\x16\x03\x03\x40\x00'))),
      http({ tls: {} }),
      'no TLS session within 0.3 s',
    ],
    [
      'http over TLS, with a header that drips',
      () => tlsServer(keys, (socket) => drip(socket, forEver('X: y\r\n', 'HTTP/1.0 200 OK\r\n'))),
      http({ tls: { verify: false } }),
      'GET /: no complete header within 0.3 s',
    ],
    [
      'http over TLS, with a body that drips',
      () =>
        tlsServer(
          keys,
          afterRequest((socket) => drip(socket, forEver('x', 'HTTP/1.0 200 OK\r\n\r\n'))),
        ),
      http({ tls: { verify: false } }),
      'GET /: no complete answer within 0.3 s',
    ],
    [
      'http over TLS, with nothing after the handshake',
      () => tlsServer(keys, (socket) => socket.on('error', () => undefined).resume()),
      http({ tls: { verify: false } }),
      'GET /: no answer within 0.3 s',
    ],
    [
      'http, with chunks for ever',
      () =>
        tcpServer(afterRequest((socket) => drip(socket, forEver('1\r\nx\r\n', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')))),
      http({ version: '1.1' }),
      'GET /: no complete answer within 0.3 s',
    ],
    [
      'http, with interim answers for ever',
      () => tcpServer((socket) => drip(socket, forEver('HTTP/1.1 100 Continue\r\n\r\n'))),
      http({ version: '1.1' }),
      'GET /: no complete header within 0.3 s',
    ],
    [
      'smtp, with a greeting that drips',
      () => tcpServer((socket) => drip(socket, forEver('x', '220 '))),
      { type: 'smtp' },
      'no greeting within 0.3 s',
    ],
    [
      'smtp, with a greeting of lines for ever',
      () => tcpServer((socket) => drip(socket, forEver('220-more\r\n'))),
      { type: 'smtp' },
      'no greeting within 0.3 s',
    ],
    [
      'smtp, that takes QUIT and says nothing',
      () =>
        tcpServer((socket) => {
          const says = ['250 hello\r\n']
          socket.write('220 mail\r\n')
          socket.on('data', () => socket.write(says.shift() ?? ''))
        }),
      { type: 'smtp' },
      'no answer to QUIT within 0.3 s',
    ],
  ]
  test.each(endless)('%s', async (_, make, given, words) => {
    await using server = await make()
    expect(await ask(server, { ...given, timeout: 0.3 } as Check)).toMatchObject({ outcome: 'bad', words })
  })
})

describe('a server that ends too early, or says too much, is bad at once', () => {
  const early: [string, () => Promise<Loopback>, Check, RegExp][] = [
    [
      'tls, half closed before the handshake',
      () => tcpServer((socket) => socket.resume().end()),
      { type: 'tls' },
      /^the connection was closed during the TLS handshake$/,
    ],
    [
      'http, half closed before the request is read',
      () => tcpServer((socket) => socket.resume().end()),
      http(),
      /^(GET \/: the connection ended without an answer|the connection was closed at once)$/,
    ],
    [
      'http, half closed within the header',
      () => tcpServer(afterRequest((socket) => socket.end('HTTP/1.0 200 OK\r\nX'))),
      http(),
      /^GET \/: the connection ended within the header$/,
    ],
    [
      'http, half closed within a chunk',
      () => tcpServer(afterRequest((socket) => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello'))),
      http({ version: '1.1' }),
      /^GET \/: the connection ended before the last chunk of the body$/,
    ],
    [
      'http over TLS, closed within the body',
      () =>
        tlsServer(
          keys,
          afterRequest((socket) => socket.end('HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nhello')),
        ),
      http({ tls: { verify: false } }),
      /^GET \/: the connection ended 4 bytes before the end of the body$/,
    ],
    [
      'http over TLS, with too much',
      () =>
        tlsServer(
          keys,
          afterRequest((socket) => socket.end(`HTTP/1.0 200 OK\r\n\r\n${'x'.repeat(100_000)}`)),
        ),
      http({ tls: { verify: false }, maxSize: 50_000 }),
      /^GET \/: the answer is longer than 50000 bytes$/,
    ],
    [
      'http, with a status that is not wanted, and a body that never ends',
      () => tcpServer(afterRequest((socket) => drip(socket, forEver('x', 'HTTP/1.1 503 Busy\r\n\r\n')))),
      http(),
      /^GET \/ answered 503$/,
    ],
    [
      'http over TLS, with a status that is not wanted, and no body',
      () => tlsServer(keys, afterRequest((socket) => socket.write('HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\n'))),
      http({ tls: { verify: false } }),
      /^GET \/ answered 503$/,
    ],
    [
      'http, with a header without an end',
      () => tcpServer(afterRequest((socket) => socket.write(`HTTP/1.0 200 OK\r\nX: ${'y'.repeat(100_000)}`))),
      http(),
      /^GET \/: the header is longer than 65536 bytes$/,
    ],
    [
      'smtp, half closed before the greeting',
      () => tcpServer((socket) => socket.resume().end()),
      { type: 'smtp' },
      /^the connection ended before the greeting was answered$/,
    ],
    [
      'smtp, half closed within the greeting',
      () => tcpServer((socket) => socket.end('220-mail\r\n')),
      { type: 'smtp' },
      /^the connection ended before the greeting was answered$/,
    ],
  ]
  test.each(early)('%s', async (_, make, given, words) => {
    await using server = await make()
    expect(await ask(server, { ...given, timeout: 60 } as Check)).toMatchObject({
      outcome: 'bad',
      words: expect.stringMatching(words) as string,
    })
  })
})
