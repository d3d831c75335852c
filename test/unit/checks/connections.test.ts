import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { check } from '../../../lib/checks/index.js'
import { refusal } from '../../support/errors.js'
import { until } from '../../support/until.js'
import { answering, closedPort, tcpServer } from './support/servers.js'

describe('a TCP check', () => {
  test('is good when the connection is accepted, and closes it at once', async () => {
    await using server = await tcpServer()
    const answer = await check(server, { type: 'tcp' })
    expect(answer).toMatchObject({ outcome: 'good', check: 'TCP connection', words: 'the connection was accepted' })
    expect(answer.duration).toBeGreaterThan(0)
    await until(() => Promise.resolve(server.connections.size), (open) => open === 0)
    expect(server.count).toBe(1)
  })

  test('is bad when it is refused', async () => {
    expect(await check({ address: '127.0.0.1', port: await closedPort() }, { type: 'tcp' })).toMatchObject({
      outcome: 'bad',
      words: 'the connection was refused',
    })
  })

  test('goes to the address and port of its own, where it has them', async () => {
    await using server = await tcpServer()
    expect(await check({ address: '192.0.2.1', port: 0 }, { type: 'tcp', address: server.address, port: server.port })).toMatchObject({
      outcome: 'good',
    })
  })

  test('comes from the local address and port that it has', async () => {
    await using server = await tcpServer()
    const from: string[] = []
    server.server.on('connection', (socket) => from.push(`${socket.remoteAddress}:${socket.remotePort}`))
    const bindPort = await closedPort()
    expect(await check(server, { type: 'tcp', bindAddress: '127.0.0.9', bindPort })).toMatchObject({ outcome: 'good' })
    expect(from).toEqual([`127.0.0.9:${bindPort}`])
  })

  test('could not be tried from an address that is not here: that says nothing of the server', async () => {
    await using server = await tcpServer()
    const answer = await check(server, { type: 'tcp', bindAddress: '192.0.2.77' })
    expect(answer).toMatchObject({
      outcome: 'untried',
      words: 'the connection could not be tried: there is no local address or port for it (EADDRNOTAVAIL)',
    })
    expect(server.count).toBe(0)
  })

  test.each([
    [{ address: 'localhost', port: 80 }, { type: 'tcp' }, 'target.address'],
    [{ address: '127.0.0.1', port: 65_536 }, { type: 'tcp' }, 'target.port'],
    [{ address: '127.0.0.1', port: 0 }, { type: 'tcp' }, 'check.port'],
    [{ address: '127.0.0.1', port: 80 }, { type: 'telnet' }, 'check.type'],
    [{ address: '127.0.0.1', port: 80 }, { type: 'http', urls: [{ path: '/', pattern: '(' }] }, 'check.urls[0].pattern'],
    [{ address: '127.0.0.1', port: 80 }, { type: 'script', command: ['ls'] }, 'check.command[0]'],
    [{ address: 'fe80::1', port: 80 }, { type: 'tcp' }, 'check.bindInterface'],
  ])('is not begun with what is wrong in %j %j', async (target, wrong, field) => {
    expect(await refusal(() => check(target, wrong as never))).toMatchObject({ field })
  })

  test('can be taken back', async () => {
    await using server = await tcpServer((socket) => socket.resume().on('end', () => socket.end()))
    const before = new AbortController()
    before.abort(new Error('not wanted'))
    expect((await refusal(() => check(server, { type: 'tcp' }, { signal: before.signal }))).message).toBe('not wanted')
    const meanwhile = new AbortController()
    server.server.once('connection', () => meanwhile.abort(new Error('no longer wanted')))
    expect((await refusal(() => check(server, { type: 'smtp', timeout: 60 }, { signal: meanwhile.signal }))).message).toBe(
      'no longer wanted',
    )
    await until(() => Promise.resolve(server.connections.size), (open) => open === 0)
  })
})

describe('an SMTP check', () => {
  /** A mail server that says these things, one for the connection and one for each line that comes. */
  const mailServer = (...says: string[]) => {
    const heard: string[] = []
    return tcpServer((socket) => {
      const next = [...says]
      const speak = (): void => {
        const text = next.shift()
        if (text !== undefined) socket.write(text)
      }
      speak()
      socket.on('data', (bytes) => {
        heard.push(bytes.toString())
        speak()
      })
    }).then((server) => Object.assign(server, { heard }))
  }

  test('is good when the server greets, takes HELO, and answers QUIT', async () => {
    await using server = await mailServer('220 mail ESMTP\r\n', '250 hello\r\n', '221 bye\r\n')
    expect(await check(server, { type: 'smtp', hello: 'director.example' })).toMatchObject({
      outcome: 'good',
      words: "the mail server answered '221 bye'",
    })
    expect(server.heard).toEqual(['HELO director.example\r\n', 'QUIT\r\n'])
  })

  test('takes a greeting of several lines', async () => {
    await using server = await mailServer('220-mail ESMTP\r\n220-no spam\r\n220 please\r\n', '250-mail\r\n250 SIZE\r\n', '221 bye\r\n')
    expect(await check(server, { type: 'smtp' })).toMatchObject({ outcome: 'good' })
    expect(server.heard).toEqual(['HELO localhost\r\n', 'QUIT\r\n'])
  })

  test.each([
    ['a greeting that sends away', ['554 go away\r\n'], "the greeting was answered '554 go away', not 220"],
    ['a HELO that is not taken', ['220 mail\r\n', '550 who?\r\n'], "HELO was answered '550 who?', not 250"],
    ['something that is not SMTP', ['SSH-2.0-x\r\n'], "the greeting was answered 'SSH-2.0-x', which is not SMTP"],
    ['a line without an end', ['x'.repeat(10_000)], 'the greeting was answered with a line longer than 8192 bytes'],
    ['a greeting that never comes', [], 'no greeting within 0.2 s'],
    ['an answer to HELO that never comes', ['220 mail\r\n'], 'no answer to HELO within 0.2 s'],
  ])('is bad with %s', async (_, says, words) => {
    await using server = await mailServer(...says)
    expect(await check(server, { type: 'smtp', timeout: 0.2 })).toMatchObject({ outcome: 'bad', words })
  })

  test('is bad when the server hangs up', async () => {
    await using server = await tcpServer((socket) => socket.end('220 mail\r\n'))
    expect((await check(server, { type: 'smtp' })).words).toMatch(
      /^the connection (ended before HELO was answered|was reset|was closed by the other side)$/,
    )
  })
})

describe('an HTTP check', () => {
  const page = (status: string, body = ''): string => `HTTP/1.0 ${status}\r\nContent-Length: ${body.length}\r\n\r\n${body}`

  test('asks as keepalived does, so that the same page is digested', async () => {
    await using server = await answering(page('200 OK', 'hello\n'))
    const host = `127.0.0.1:${server.port}`
    const ask = (extra: object, url: object = {}) => check(server, { type: 'http', urls: [{ path: '/a?b=c', ...url }], ...extra })
    await ask({})
    await ask({ close: true, host: 'www.example' })
    await ask({ version: '1.1', host: 'www.example' }, { host: 'other.example' })
    expect(server.requests).toEqual([
      `GET /a?b=c HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: ${host}\r\n\r\n`,
      'GET /a?b=c HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: www.example\r\n\r\n',
      'GET /a?b=c HTTP/1.1\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: other.example\r\n\r\n',
    ])
  })

  test('takes 200 to 299 without a list of status codes', async () => {
    for (const [status, outcome] of [[200, 'good'], [299, 'good'], [300, 'bad'], [404, 'bad']] as const) {
      await using server = await answering(page(`${status} Word`))
      expect(await check(server, { type: 'http', urls: [{ path: '/' }] })).toMatchObject({ outcome, words: `GET / answered ${status}` })
    }
  })

  test('takes the status codes of its list', async () => {
    for (const [status, outcome] of [[200, 'bad'], [301, 'good'], [302, 'good'], [303, 'bad'], [404, 'good']] as const) {
      await using server = await answering(page(`${status} Word`))
      expect(await check(server, { type: 'http', urls: [{ path: '/', status: [[301, 302], 404] }] })).toMatchObject({ outcome })
    }
  })

  test('compares the digest of the body', async () => {
    await using server = await answering(page('200 OK', 'hello\n'))
    const ask = (digest: string) => check(server, { type: 'http', urls: [{ path: '/', digest }] })
    // printf 'hello\n' | md5sum
    expect(await ask('b1946ac92492d2347c6235b4d2611184')).toMatchObject({ outcome: 'good' })
    expect(await ask('B1946AC92492D2347C6235B4D2611184')).toMatchObject({ outcome: 'good' })
    expect(await ask('d41d8cd98f00b204e9800998ecf8427e')).toMatchObject({
      outcome: 'bad',
      words: 'GET / answered 200, but the digest of the body is b1946ac92492d2347c6235b4d2611184, not d41d8cd98f00b204e9800998ecf8427e',
    })
  })

  test('digests chunks as they are on the wire, and searches what is in them', async () => {
    await using server = await answering('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n3\r\nlo\n\r\n0\r\n\r\n')
    const wire = createHash('md5').update('3\r\nhel\r\n3\r\nlo\n\r\n0\r\n\r\n').digest('hex')
    expect(await check(server, { type: 'http', version: '1.1', urls: [{ path: '/', text: 'hello\n' }] })).toMatchObject({ outcome: 'good' })
    expect(await check(server, { type: 'http', version: '1.1', urls: [{ path: '/', digest: wire }] })).toMatchObject({ outcome: 'good' })
  })

  test('searches the body for a text', async () => {
    await using server = await answering(page('200 OK', 'all is w\u00c3\u00a4ll'))
    expect(await check(server, { type: 'http', urls: [{ path: '/', text: 'wäll' }] })).toMatchObject({ outcome: 'good' })
    expect(await check(server, { type: 'http', urls: [{ path: '/', text: 'ill' }] }))
      .toMatchObject({ outcome: 'bad', words: "GET / answered 200, but the body does not have the text 'ill'" })
  })

  test.each([
    ['matches', { pattern: '^state: (up|ok)$', patternFlags: 'm' }, 'good', /./],
    ['does not match', { pattern: '^STATE' }, 'bad', /but the body does not match \/\^STATE\/$/],
    ['matches without regard to case', { pattern: 'STATE', patternFlags: 'i' }, 'good', /./],
    ['matches what it must not', { pattern: 'up', patternForbidden: true }, 'bad', /but the body matches \/up\/$/],
    ['does not match what it must not', { pattern: 'down', patternForbidden: true }, 'good', /./],
    ['matches only before the place where the search begins', { pattern: 'name', patternFrom: 1 }, 'bad', /does not match/],
    ['matches from there on', { pattern: 'state', patternFrom: 6 }, 'good', /./],
    ['matches only behind the place where it ends', { pattern: 'state', patternUntil: 6 }, 'bad', /does not match/],
    ['matches just before it', { pattern: 'state', patternUntil: 7 }, 'good', /./],
  ])('searches the body by a pattern that %s', async (_, url, outcome, words) => {
    await using server = await answering(page('200 OK', 'name\n\nstate: up\n'))
    expect(await check(server, { type: 'http', urls: [{ path: '/', ...url }] })).toMatchObject({
      outcome,
      words: expect.stringMatching(words) as string,
    })
  })

  test('asks for all urls, one after another, each on its own connection, and tells which is wrong', async () => {
    await using server = await answering((request) => page(request.startsWith('GET /b ') ? '503 Busy' : '200 OK'))
    expect(await check(server, { type: 'http', urls: [{ path: '/a' }, { path: '/c' }] })).toMatchObject({
      outcome: 'good',
      check: 'GET /a, GET /c',
      words: 'GET /c answered 200',
    })
    expect(await check(server, { type: 'http', urls: [{ path: '/a' }, { path: '/b' }, { path: '/c' }] })).toMatchObject({
      outcome: 'bad',
      words: 'GET /b answered 503',
    })
    expect(server.requests.map((request) => request.split(' ')[1])).toEqual(['/a', '/c', '/a', '/b'])
    expect(server.count).toBe(4)
  })

  test('does not wait for the end of the connection where the length is known', async () => {
    await using server = await tcpServer((socket) =>
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')),
    )
    expect(await check(server, { type: 'http', version: '1.1', urls: [{ path: '/', text: 'ok' }], timeout: 30 })).toMatchObject({
      outcome: 'good',
    })
    await until(() => Promise.resolve(server.connections.size), (open) => open === 0)
  })

  /** Bytes that come one after another, for ever. */
  const dripping = (text: string) => tcpServer((socket) => {
    let at = 0
    const timer = setInterval(() => socket.write(text[at++ % text.length]), 10)
    socket.on('close', () => clearInterval(timer))
  })

  const misbehaving: [string, () => ReturnType<typeof tcpServer>, object, RegExp][] = [
    [
      'refuses',
      () => tcpServer((socket) => socket.resetAndDestroy()),
      {},
      /^(GET \/: )?the connection (was reset|was closed at once|was closed by the other side)$/,
    ],
    [
      'hangs up without an answer',
      () => tcpServer((socket) => socket.once('data', () => socket.end())),
      {},
      /^GET \/: the connection ended without an answer$/,
    ],
    ['takes the request and says nothing', () => tcpServer(), { timeout: 0.2 }, /^GET \/: no answer within 0\.2 s$/],
    [
      'drips its header',
      () => dripping('HTTP/1.0 200 OK\r\n' + 'X: y\r\n'.repeat(1000)),
      { timeout: 0.3 },
      /^GET \/: no complete header within 0\.3 s$/,
    ],
    [
      'drips its body',
      () =>
        tcpServer((socket) =>
          socket.once('data', () => {
            socket.write('HTTP/1.0 200 OK\r\n\r\n')
            const timer = setInterval(() => socket.write('x'), 10)
            socket.on('close', () => clearInterval(timer))
          }),
        ),
      { timeout: 0.3 },
      /^GET \/: no complete answer within 0\.3 s$/,
    ],
    [
      'is half closed in the middle',
      () => answering('HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\nhello'),
      {},
      /^GET \/: the connection ended 5 bytes before the end of the body$/,
    ],
    [
      'sends too much',
      () => answering(`HTTP/1.0 200 OK\r\n\r\n${'x'.repeat(100_000)}`),
      { maxSize: 50_000 },
      /^GET \/: the answer is longer than 50000 bytes$/,
    ],
    [
      'speaks another protocol',
      () => answering('-ERR unknown command\r\n'),
      {},
      /^GET \/: the answer is not HTTP: it begins with '-ERR unknown command\.\.'$/,
    ],
  ]
  test.each(misbehaving)('is bad when the server %s', async (_, make, extra, words) => {
    await using server = await make()
    const answer = await check(server, { type: 'http', urls: [{ path: '/' }], ...extra })
    expect(answer).toMatchObject({ outcome: 'bad', words: expect.stringMatching(words) as string })
    await until(() => Promise.resolve(server.connections.size), (open) => open === 0)
  })
})
