import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HttpAnswer } from '../../../lib/checks/http-answer.js'

interface Read {
  status: number
  done: boolean
  problem: string
  raw: string
  content: string
}

/** Reads an answer that comes in these pieces; then the connection ends, unless it is to stay open. */
function read(pieces: readonly (string | Buffer)[], { limit = 1_000_000, ends = true } = {}): Read {
  const raw: Buffer[] = []
  const content: Buffer[] = []
  const answer = new HttpAnswer(limit, {
    raw: (bytes) => raw.push(Buffer.from(bytes)),
    content: (bytes) => content.push(Buffer.from(bytes)),
  })
  let wants = true
  for (const piece of pieces) if (wants) wants = answer.push(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece)
  if (wants && ends) answer.end()
  return {
    status: answer.status,
    done: answer.done,
    problem: answer.problem,
    raw: Buffer.concat(raw).toString('latin1'),
    content: Buffer.concat(content).toString('latin1'),
  }
}

const good = (status: number, body: string, raw = body): Read => ({ status, done: true, problem: '', raw, content: body })

describe('an answer is complete', () => {
  test.each([
    ['at the end of the connection', 'HTTP/1.0 200 OK\r\n\r\nhello', good(200, 'hello')],
    ['at its Content-Length', 'HTTP/1.1 503 Busy\r\ncontent-length: 3\r\n\r\nhello', good(503, 'hel')],
    ['with its header, where the Content-Length is 0', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', good(200, '')],
    ['with its header, where the status has no body', 'HTTP/1.1 204 No Content\r\nX: y\r\n\r\n', good(204, '')],
    ['without a reason', 'HTTP/1.1 200\r\n\r\nx', good(200, 'x')],
    [
      'after interim answers',
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\nx',
      good(200, 'x'),
    ],
    [
      'after its last chunk',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;name="a"\r\n!\r\n0\r\nX-Sum: 1\r\n\r\nmore',
      good(200, 'hello!', '5\r\nhello\r\n1;name="a"\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n'),
    ],
    ['with the same Content-Length twice', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx', good(200, 'x')],
  ])('%s', (_, bytes, expected) => {
    expect(read([bytes])).toEqual(expected)
    // The same byte by byte, and the same when nobody closes, where the end is known.
    expect(read([...bytes])).toEqual(expected)
  })
})

describe('an answer is refused', () => {
  const cases: [string, string, string | RegExp][] = [
    ['that is empty', '', 'the connection ended without an answer'],
    ['that is not HTTP', '220 mail.example ESMTP\r\n', "the answer is not HTTP: it begins with '220 mail.example ESMTP..'"],
    ['of another version', 'HTTP/2 200\r\n\r\n', /not HTTP/],
    ['whose status line is none', 'HTTP/1.1 OK\r\n\r\n', "the status line is not valid: 'HTTP/1.1 OK'"],
    ['whose status is beyond 599', 'HTTP/1.1 600 Odd\r\n\r\n', /status line is not valid/],
    ['whose header stops', 'HTTP/1.1 200 OK\r\nServer: x', 'the connection ended within the header'],
    ['with bare line feeds', 'HTTP/1.1 200 OK\nServer: x\n\nbody', 'the lines of the header end with LF alone, not with CR LF'],
    ['with a header line without a colon', 'HTTP/1.1 200 OK\r\nServer\r\n\r\n', "a line of the header is not valid: 'Server'"],
    ['with a blank before the colon', 'HTTP/1.1 200 OK\r\nServer : x\r\n\r\n', /line of the header/],
    ['with a folded line', 'HTTP/1.1 200 OK\r\nServer: x\r\n y\r\n\r\n', /line of the header/],
    ['with a line feed within a line', 'HTTP/1.1 200 OK\r\nServer: x\nY: z\r\n\r\n', /line of the header/],
    [
      'with two lengths',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx',
      'the header has two different Content-Length',
    ],
    ['with a length that is none', 'HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx', /no number of bytes: '\+1'/],
    ['with a length and chunks', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', /both/],
    [
      'with an encoding that is unknown',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n',
      "the transfer encoding is unknown: 'gzip, chunked'",
    ],
    ['of HTTP/1.0 with chunks', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', /HTTP\/1\.0/],
    ['that switches protocols', 'HTTP/1.1 101 Switching\r\n\r\n', 'the server switches to another protocol'],
    [
      'that is shorter than its length',
      'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello',
      'the connection ended 4 bytes before the end of the body',
    ],
    [
      'whose last chunk is missing',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
      'the connection ended before the last chunk of the body',
    ],
    [
      'whose chunk has no size',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n',
      "the size of a chunk of the body is not valid: 'x'",
    ],
    [
      'whose chunk is too long',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n',
      'a chunk of the body is longer than its size says',
    ],
    ['whose chunks have bare line feeds', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n', /LF alone/],
    [
      'whose trailer is none',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n???\r\n\r\n',
      "a line of the trailer is not valid: '???'",
    ],
  ]
  test.each(cases)('%s', (_, bytes, problem) => {
    const whole = read([bytes])
    expect(whole).toMatchObject({ done: false, problem: problem instanceof RegExp ? expect.stringMatching(problem) as string : problem })
    expect(read([...bytes])).toMatchObject({ done: false })
  })

  test('that is longer than the limit', () => {
    expect(read(['HTTP/1.0 200 OK\r\n\r\n', 'x'.repeat(100), 'x'.repeat(100)], { limit: 200 }).problem).toBe(
      'the answer is longer than 200 bytes',
    )
    expect(read(['HTTP/1.0 200 OK\r\n', ...Array.from({ length: 70_000 }, () => 'X: y\r\n')], { limit: 1e6 }).problem).toBe(
      'the header is longer than 65536 bytes',
    )
    expect(read(['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;', 'x'.repeat(5_000)]).problem).toMatch(/too long/)
  })

  test('as soon as it is certain, not only when the connection ends', () => {
    expect(read(['SSH-2.0-OpenSSH_9.2\r\n'], { ends: false }).problem).toMatch(/not HTTP/)
    expect(read(['HTTP/1.1 200 OK\n\n'], { ends: false }).problem).toMatch(/LF alone/)
  })
})

/** Pieces of a text, cut at these places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b)
  return [0, ...ends].map((from, i) => bytes.subarray(from, ends[i] ?? bytes.length))
}

const token = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,10}$/).filter((name) => !/^(content-length|transfer-encoding)$/i.test(name))
const value = fc.stringMatching(/^[\x21-\x7e]([\x20-\x7e]{0,20}[\x21-\x7e])?$/)
const headers = fc.array(fc.tuple(token, value), { maxLength: 5 })
const body = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))

interface Generated {
  bytes: Buffer
  status: number
  content: string
  raw: string
}

const generated: fc.Arbitrary<Generated> = fc
  .record({
    status: fc.integer({ min: 200, max: 599 }).filter((status) => status !== 204 && status !== 304),
    headers,
    chunks: fc.array(body, { maxLength: 4 }),
    framing: fc.constantFrom('length', 'chunked', 'end'),
  })
  .map(({ status, headers, chunks, framing }) => {
    const content = Buffer.concat(chunks)
    const raw =
      framing !== 'chunked'
        ? content
        : Buffer.concat([
            ...chunks
              .filter(({ length }) => length > 0)
              .flatMap((chunk) => [Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]),
            Buffer.from('0\r\n\r\n'),
          ])
    const frame = { length: `Content-Length: ${content.length}\r\n`, chunked: 'Transfer-Encoding: chunked\r\n', end: '' }[framing]
    const head = `HTTP/1.1 ${status} Reason\r\n${headers.map(([name, text]) => `${name}: ${text}\r\n`).join('')}${frame}\r\n`
    return { bytes: Buffer.concat([Buffer.from(head), raw]), status, content: content.toString('latin1'), raw: raw.toString('latin1') }
  })

describe('whatever comes', () => {
  test('a valid answer is read as it was written, in whatever pieces it comes', () => {
    fc.assert(fc.property(generated, fc.array(fc.nat(), { maxLength: 12 }), ({ bytes, status, content, raw }, places) => {
      expect(read(cut(bytes, places))).toEqual({ status, done: true, problem: '', raw, content })
    }), { numRuns: 500 })
  })

  test('a damaged answer is judged alike in whatever pieces it comes, and is either done or has a problem', () => {
    fc.assert(
      fc.property(
        generated,
        fc.nat(),
        fc.uint8Array({ maxLength: 3 }),
        fc.nat(3),
        fc.array(fc.nat(), { maxLength: 12 }),
        ({ bytes }, at, inserted, dropped, places) => {
          const place = at % (bytes.length + 1)
          const damaged = Buffer.concat([bytes.subarray(0, place), inserted, bytes.subarray(place + dropped)])
          const whole = read([damaged])
          expect(whole.done).toBe(whole.problem === '')
          expect(read(cut(damaged, places)).done).toBe(whole.done)
        },
      ),
      { numRuns: 1000 },
    )
  })

  test('any bytes at all are either an answer or a problem', () => {
    fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), (pieces) => {
      const result = read(pieces.map((piece) => Buffer.from(piece)))
      expect(result.done).toBe(result.problem === '')
    }), { numRuns: 1000 })
  })
})
