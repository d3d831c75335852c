import { execFileSync } from 'node:child_process'
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import { afterEach, describe, expect, test } from 'vitest'
import { run, type Ended } from '../../scripts/setup/run.js'
import { command } from '../support/director-process.js'

/** Compares digests of pages with those of Debian's genhash, which shares no code with this package. */

let server: Server | HttpServer | undefined
const sockets = new Set<Socket>()
afterEach(async () => {
  if (server === undefined) return
  const closed = once(server, 'close')
  server.close()
  for (const socket of sockets) socket.destroy()
  sockets.clear()
  await closed
  server = undefined
})

async function listening(made: Server | HttpServer, host = '127.0.0.1'): Promise<string[]> {
  server = made.on('connection', (socket: Socket) => sockets.add(socket))
  await new Promise<void>((resolve) => made.listen(0, host, resolve))
  return ['-s', host, '-p', String((made.address() as AddressInfo).port)]
}

/** A key with a certificate of its own. */
function certificate(): { key: string, cert: string } {
  const both = execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-keyout',
      '-',
      '-out',
      '-',
      '-subj',
      '/CN=test',
      '-days',
      '2',
    ],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  )
  return { key: both, cert: both }
}

/** A server that sends bytes as they are, and closes. */
const raw = (bytes: Buffer | string): Server => createServer({ allowHalfOpen: true }, (socket) => {
  socket.on('error', () => {})
  socket.once('data', () => socket.end(bytes))
})

const ours = (args: readonly string[]): Promise<Ended> => run(process.execPath, [command, 'digest', ...args])
const theirs = (args: readonly string[]): Promise<Ended> => run('genhash', args)

async function same(args: readonly string[]): Promise<string> {
  const [here, there] = [await ours(args), await theirs(args)]
  expect(here.stderr).toBe('')
  expect(here.stdout.trim()).toBe(there.stdout.trim())
  expect(here.stdout).toMatch(/^[0-9a-f]{32}\n$/)
  expect(here.status).toBe(0)
  return here.stdout
}

describe('ipvs digest prints what genhash prints', () => {
  test.each([['1.0'], ['1.0c'], ['1.1']])('of a page that depends on what is asked, with HTTP %s', async (version) => {
    const place = await listening(createHttpServer((request, answer) => {
      const { method, url, httpVersion, headers } = request
      answer.end(JSON.stringify([method, url, httpVersion, headers.host, headers['user-agent'], headers.connection]))
    }))
    const plain = await same([...place, '-u', '/service.txt?x=1', '-P', version])
    expect(await same([...place, '-u', '/service.txt?x=1', '-P', version, '-V', 'www.example.org'])).not.toBe(plain)
    // The address is in the Host header.
    expect(await same([...place, '-u', '/other', '-P', version, '-m', '7'])).not.toBe(plain)
  })

  test.each<[string, Buffer | string]>([
    [
      'bytes of every kind',
      Buffer.concat([
        Buffer.from('HTTP/1.0 200 OK\r\n\r\n'),
        Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 7) & 255)),
      ]),
    ],
    ['no body', 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['a body longer than its length', 'HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello, world'],
    ['an empty line in the body', 'HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\na\r\n\r\nb\r\n\r'],
    ['no length', 'HTTP/1.0 200 OK\r\nServer: x\r\n\r\nhello'],
  ])('of %s', async (_, bytes) => {
    await same([...(await listening(raw(bytes))), '-u', '/'])
  })

  test('of an IPv6 server, and of chunks as they come', async () => {
    await same([
      ...(await listening(raw('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'), '::1')),
      '-u',
      '/',
      '-P',
      '1.1',
    ])
  })

  test('over TLS, with a name and without', async () => {
    const place = await listening(createHttpsServer(certificate(), (request, answer) => {
      answer.end(`${request.headers.host} ${String((request.socket as unknown as { servername?: string }).servername)}`)
    }))
    const plain = await same([...place, '-S', '-u', '/'])
    expect(await same([...place, '-S', '-I', '-V', 'www.example.org', '-u', '/'])).not.toBe(plain)
  })
})

describe('ipvs digest', () => {
  test('says why there is no digest, with another exit status than genhash', async () => {
    const place = await listening(raw('SSH-2.0-OpenSSH_9.2\r\n'))
    const wrong = await ours([...place, '-u', '/'])
    expect(wrong).toMatchObject({ status: 1, stdout: '' })
    expect(wrong.stderr).toContain('the answer is not HTTP')
    expect(await ours(['-s', '127.0.0.1', '-p', '1', '-u', '/'])).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringContaining('ECONNREFUSED') as string,
    })
  })

  test('does not wait for ever', async () => {
    const place = await listening(createServer((socket) => socket.on('error', () => {})))
    expect(await ours([...place, '-u', '/', '-t', '0.3'])).toMatchObject({
      status: 1,
      stderr: 'ipvs digest: no complete answer within 0.3 s\n',
    })
  })

  test('of an error page warns', async () => {
    const place = await listening(raw('HTTP/1.0 404 Not Found\r\n\r\nnothing'))
    expect(await ours([...place, '-u', '/'])).toMatchObject({
      status: 0,
      stdout: '3e47b75000b0924b6c9ba5759a7cf15d\n',
      stderr: expect.stringContaining('answered 404') as string,
    })
  })

  test.each([
    [[], '-s ADDRESS, -p PORT, -u PATH are missing'],
    [['-s', 'localhost', '-p', '80', '-u', '/'], '-s \'localhost\''],
    [['-s', '::1', '-p', '0', '-u', '/'], '-p \'0\''],
    [['-s', '::1', '-p', '80', '-u', '/ x'], 'without spaces'],
    [['-s', '::1', '-p', '80', '-u', '/', '-P', '2'], 'expected 1.0, 1.0c or 1.1'],
    [['-s', '::1', '-p', '80', '-u', '/', '-I'], '-V, which is missing'],
  ])('%j is refused', async (args, words) => {
    const { status, stderr } = await ours(args)
    expect(status).toBe(2)
    expect(stderr).toContain(words)
  })
})
