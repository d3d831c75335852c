import { describe, expect, test } from 'vitest'
import { check } from '../../../lib/checks/index.js'
import { closedPort, UdpLoopback } from './support/servers.js'

/** Nobody listens on this UDP port either: it was TCP's a moment ago, and UDP's never. */
const nobody = async () => ({ address: '127.0.0.1', port: await closedPort() })

describe('a UDP check', () => {
  test('without an expected answer is good when nothing says that the port is closed', async () => {
    await using server = await UdpLoopback.listen(() => undefined)
    expect(await check(server, { type: 'udp', payload: '00 ff', timeout: 0.2 })).toMatchObject({
      outcome: 'good',
      words: 'nothing said within 0.2 s that the port is closed',
    })
    expect(server.received.map((bytes) => bytes.toString('hex'))).toEqual(['00ff'])
  })

  test('is bad when the port is closed', async () => {
    expect(await check(await nobody(), { type: 'udp', timeout: 5 })).toMatchObject({ outcome: 'bad', words: 'the datagram was refused' })
  })

  test.each([
    ['any', { requireReply: true }, 'good', 'the datagram was answered as expected'],
    ['one that begins so', { reply: '01 x2' }, 'good', 'the datagram was answered as expected'],
    ['one that begins otherwise', { reply: '01 x3' }, 'bad', 'an answer of 3 bytes came, which does not begin as expected: 01f203'],
    ['a longer beginning', { reply: '01f20304' }, 'bad', 'an answer of 3 bytes came, which does not begin as expected: 01f203'],
    ['a longer one', { requireReply: true, minReply: 4 }, 'bad', 'an answer of 3 bytes came, at least 4 were expected'],
    ['a shorter one', { requireReply: true, maxReply: 2 }, 'bad', 'an answer of 3 bytes came, at most 2 were expected'],
  ])('that expects %s', async (_, extra, outcome, words) => {
    await using server = await UdpLoopback.listen(() => Buffer.of(1, 0xf2, 3))
    expect(await check(server, { type: 'udp', payload: 'ab', ...extra })).toMatchObject({ outcome, words })
  })

  test('that expects an answer is bad when none comes', async () => {
    await using server = await UdpLoopback.listen(() => undefined)
    expect(await check(server, { type: 'udp', requireReply: true, timeout: 0.2 })).toMatchObject({
      outcome: 'bad',
      words: 'no answer within 0.2 s',
    })
  })

  test('comes from the local address that it has, or could not be tried', async () => {
    const from: string[] = []
    await using server = await UdpLoopback.listen((_, { address }) => {
      from.push(address)
      return Buffer.of(1)
    })
    expect(await check(server, { type: 'udp', requireReply: true, bindAddress: '127.0.0.9' })).toMatchObject({ outcome: 'good' })
    expect(from).toEqual(['127.0.0.9'])
    expect(await check(server, { type: 'udp', bindAddress: '192.0.2.77' })).toMatchObject({
      outcome: 'untried',
      words: expect.stringMatching(/^the datagram could not be tried: .*EADDRNOTAVAIL/) as string,
    })
  })
})

describe('a DNS check', () => {
  /** A name server that answers with this code, after something that is not for us. */
  const nameServer = (code: number) => UdpLoopback.listen((asked) => {
    const answer = Buffer.from(asked)
    answer[2] |= 0x80
    answer[3] = code
    return answer
  })

  test('asks for the records of a name', async () => {
    await using server = await nameServer(0)
    expect(await check(server, { type: 'dns', name: 'www.example.', recordType: 'AAAA' })).toMatchObject({
      outcome: 'good',
      check: 'DNS AAAA www.example.',
      words: 'the name server answered',
    })
    expect(await check(server, { type: 'dns' })).toMatchObject({ outcome: 'good', check: 'DNS SOA .' })
    const [first, second] = server.received.map((bytes) => bytes.toString('hex', 2))
    expect(first).toBe(`01000001000000000000${'03777777'}${'076578616d706c65'}00${'001c'}0001`)
    expect(second).toBe('01000001000000000000' + '00' + '0006' + '0001')
    expect(server.received[0].readUInt16BE(0)).not.toBe(server.received[1].readUInt16BE(0))
  })

  test.each([[2, 'SERVFAIL'], [3, 'NXDOMAIN'], [5, 'REFUSED'], [9, 'with code 9']])('is bad with the code %d', async (code, words) => {
    await using server = await nameServer(code)
    expect(await check(server, { type: 'dns' })).toMatchObject({ outcome: 'bad', words: `the name server answered ${words}` })
  })

  test('passes over what is no answer to its question', async () => {
    await using echo = await UdpLoopback.listen((asked) => asked)
    expect(await check(echo, { type: 'dns', timeout: 0.2 })).toMatchObject({ outcome: 'bad', words: 'no answer within 0.2 s' })
    await using other = await UdpLoopback.listen((asked) =>
      Buffer.from(asked.map((byte, i) => (i === 0 ? byte ^ 1 : i === 2 ? byte | 0x80 : byte))),
    )
    expect(await check(other, { type: 'dns', timeout: 0.2 })).toMatchObject({ outcome: 'bad', words: 'no answer within 0.2 s' })
  })

  test('is bad with an answer that is too short, and where nobody listens', async () => {
    await using server = await UdpLoopback.listen(() => Buffer.of(1, 2, 3))
    expect(await check(server, { type: 'dns' })).toMatchObject({
      outcome: 'bad',
      words: 'an answer of 3 bytes came, which is too short for DNS',
    })
    expect(await check(await nobody(), { type: 'dns' })).toMatchObject({ outcome: 'bad', words: 'the datagram was refused' })
  })
})
