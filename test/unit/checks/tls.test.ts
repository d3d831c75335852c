import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { check } from '../../../lib/checks/index.js'
import { Monitor } from '../../../lib/checks/monitor.js'
import type { HealthChange } from '../../../lib/checks/protocol.js'
import type { Check, TlsOptions } from '../../../lib/configuration/types.js'
import { until } from '../../support/until.js'
import { tcpServer, tlsServer } from './support/servers.js'

let folder: string
const path = (name: string): string => join(folder, name)
const file = (name: string): Buffer => readFileSync(path(name))

const openssl = (...args: string[]): void => {
  execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
}

/** A key and a certificate that the test's own authority has signed. */
function sign(name: string, subject: string, alternative: string, days: readonly string[] = ['-days', '2']): void {
  openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${subject}`, '-addext', `subjectAltName=${alternative}`)
  openssl('x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-copy_extensions', 'copy', '-out', `${name}.crt`, ...days)
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'checks-tls-'))
  openssl(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-subj',
    '/CN=authority',
    '-days',
    '2',
  )
  sign('server', 'www.example', 'DNS:www.example,IP:127.0.0.1')
  sign('named', 'www.example', 'DNS:www.example')
  sign('client', 'director', 'DNS:director')
  sign('expired', 'www.example', 'IP:127.0.0.1', ['-days', '-1'])
})
afterAll(() => rmSync(folder, { recursive: true }))

const keys = (name: string) => ({ key: file(`${name}.key`), cert: file(`${name}.crt`) })
const page = 'HTTP/1.0 200 OK\r\n\r\nhello'

describe('over TLS', () => {
  /** Checks a server that has these keys, by its handshake and by a page. */
  async function both(options: Parameters<typeof tlsServer>[0], tls?: TlsOptions) {
    await using server = await tlsServer(options, (socket) => {
      socket.on('error', () => undefined)
      socket.on('data', () => socket.end(page))
    })
    const handshake = await check(server, { type: 'tls', tls })
    const asked = await check(server, { type: 'http', tls: tls ?? {}, urls: [{ path: '/', text: 'hello' }] })
    expect(asked.outcome).toBe(handshake.outcome)
    if (handshake.outcome === 'bad') expect(asked.words).toBe(handshake.words)
    return handshake
  }

  test('a certificate of an authority that is trusted is good', async () => {
    expect(await both(keys('server'), { authorities: path('ca.crt') })).toMatchObject({
      outcome: 'good',
      words: 'the TLS handshake was done with TLSv1.3',
    })
  })

  test('a certificate of another authority is bad, unless it is not verified', async () => {
    expect(await both(keys('server'))).toMatchObject({
      outcome: 'bad',
      words: expect.stringMatching(/^the certificate is not valid: .*UNABLE_TO/) as string,
    })
    expect(await both(keys('server'), { verify: false })).toMatchObject({ outcome: 'good' })
  })

  test('a certificate that has expired is bad', async () => {
    expect(await both(keys('expired'), { authorities: path('ca.crt') })).toMatchObject({
      outcome: 'bad',
      words: 'the certificate is not valid: certificate has expired (CERT_HAS_EXPIRED)',
    })
  })

  test('a certificate has to be for the address, or for the name that is asked for', async () => {
    expect(await both(keys('named'), { authorities: path('ca.crt') })).toMatchObject({
      outcome: 'bad',
      words: expect.stringMatching(/^the certificate is for another name: /) as string,
    })
    expect(await both(keys('named'), { authorities: path('ca.crt'), serverName: 'www.example' })).toMatchObject({ outcome: 'good' })
    expect(await both(keys('named'), { authorities: path('ca.crt'), serverName: 'mail.example' })).toMatchObject({
      outcome: 'bad',
      words: expect.stringMatching(/mail\.example/) as string,
    })
  })

  test('the name is sent to the server, and none without one', async () => {
    const names: unknown[] = []
    await using server = await tlsServer(keys('server'), (socket) => names.push((socket as unknown as { servername: unknown }).servername))
    await check(server, { type: 'tls', tls: { authorities: path('ca.crt'), serverName: 'www.example' } })
    await check(server, { type: 'tls', tls: { authorities: path('ca.crt') } })
    await until(() => Promise.resolve(names.length), (length) => length === 2)
    expect(names).toEqual(['www.example', false])
  })

  test('a server that wants a certificate gets one', async () => {
    const wants = { ...keys('server'), ca: file('ca.crt'), requestCert: true, rejectUnauthorized: true }
    await using server = await tlsServer(wants, (socket) => socket.on('error', () => undefined).on('data', () => socket.end(page)))
    const ask = (tls: TlsOptions) => check(server, { type: 'http', tls, urls: [{ path: '/' }] })
    expect(await ask({ authorities: path('ca.crt'), certificate: path('client.crt'), key: path('client.key') })).toMatchObject({
      outcome: 'good',
    })
    expect(await ask({ authorities: path('ca.crt') })).toMatchObject({ outcome: 'bad' })
  })

  test('files that are renewed count from the next check on; until all of them are there, those that were read last do', async () => {
    const wants = { ...keys('server'), ca: file('ca.crt'), requestCert: true, rejectUnauthorized: true }
    const shown: string[] = []
    await using server = await tlsServer(wants, (socket) => {
      shown.push(socket.getPeerCertificate().subject.CN as string)
      socket.on('error', () => undefined).on('data', () => socket.end(page))
    })
    const install = (kind: 'crt' | 'key', name: string): void => copyFileSync(path(`${name}.${kind}`), path(`installed.${kind}`))
    install('crt', 'client')
    install('key', 'client')
    const tls = { authorities: path('ca.crt'), certificate: path('installed.crt'), key: path('installed.key') }
    const changes: HealthChange[] = []
    const monitor = new Monitor({ socket: 10, program: 1 }, (news) => changes.push(...news.changes))
    const checks: Check[] = [{ type: 'http', tls, urls: [{ path: '/' }], interval: 0.02, warmup: 0, timeout: 10 }]
    monitor.update({ set: [{ id: 'a', address: server.address, port: server.port, weight: 1, checks }] })
    const more = (): Promise<unknown> => {
      const { good } = monitor.status().counts
      return until(() => Promise.resolve(monitor.status().counts.good), (now) => now > good + 3)
    }
    await more()
    install('crt', 'server')
    await more()
    expect(new Set(shown)).toEqual(new Set(['director']))
    install('key', 'server')
    await until(() => Promise.resolve(shown), (names) => names.includes('www.example'))
    rmSync(path('installed.key'))
    await more()
    monitor.close()
    expect(changes).toEqual([])
    expect(monitor.status().counts.bad).toBe(0)
  })

  test('could not be tried while a file cannot be read', async () => {
    await using server = await tlsServer(keys('server'))
    expect(await check(server, { type: 'tls', tls: { authorities: path('missing.crt') } }))
      .toMatchObject({
        outcome: 'untried', check: 'TLS handshake',
        words: `it could not be tried: ${path('missing.crt')} cannot be read: no such file or directory (ENOENT)`,
      })
    expect(await check(server, { type: 'tls', tls: { certificate: path('ca.key') } })).toMatchObject({ outcome: 'untried' })
    expect(server.count).toBe(0)
  })

  test.each([
    [
      'speaks without TLS',
      () => tcpServer((socket) => socket.write('HTTP/1.0 200 OK\r\n\r\nhello hello hello')),
      /^the TLS handshake failed: /,
    ],
    [
      'hangs up',
      () => tcpServer((socket) => socket.once('data', () => socket.end())),
      /^the connection was closed during the TLS handshake$/,
    ],
    [
      'resets the connection',
      () => tcpServer((socket) => socket.once('data', () => socket.resetAndDestroy())),
      /^the connection was closed during the TLS handshake$/,
    ],
    ['says nothing', () => tcpServer(), /^no TLS session within 0\.3 s$/],
  ])('a server is bad that %s', async (_, make, words) => {
    await using server = await make()
    const answer = { outcome: 'bad', words: expect.stringMatching(words) as string }
    expect(await check(server, { type: 'tls', timeout: 0.3 })).toMatchObject(answer)
    expect(await check(server, { type: 'http', tls: {}, urls: [{ path: '/' }], timeout: 0.3 })).toMatchObject(answer)
  })

  test('an answer is read to its end however it comes, and a page that hangs is told', async () => {
    await using server = await tlsServer(keys('server'), (socket) =>
      socket.once('data', () => socket.write('HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nhello')),
    )
    const answer = await check(server, { type: 'http', tls: { verify: false }, urls: [{ path: '/' }], timeout: 0.3 })
    expect(answer).toMatchObject({ outcome: 'bad', words: 'GET /: no complete answer within 0.3 s' })
  })
})
