import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseCounters, parseCounters6 } from '../../../lib/host/counters.js'
import { directorRows, serverRows, tableOf } from '../../../lib/host/rows.js'
import { contains } from '../../../lib/host/subnet.js'
import { answeredInVain, nextAnswer, parseHandshakes } from '../../../lib/host/tcp-handshakes.js'

const docs = readFileSync(new URL('../../../docs/doctor.md', import.meta.url), 'utf8')

test('docs/doctor.md has the table of rows as the program has it', () => {
  expect(docs).toContain(`### On a director\n\n${tableOf(directorRows)}\n`)
  expect(docs).toContain(`### On a real server\n\n${tableOf(serverRows)}\n`)
})

test('every row has a name of its own', () => {
  const names = [...directorRows, ...serverRows].map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
})

test('an address is in a network if its leading bits are those of the network', () => {
  const network = { address: '10.1.2.3', prefixLength: 20 }
  expect(['10.1.0.1', '10.1.15.255', '10.1.16.0', '10.0.2.3', 'fd00::1'].map((address) => contains(network, address))).toEqual([
    true,
    true,
    false,
    false,
    false,
  ])
  expect(contains({ address: 'fd00::1', prefixLength: 127 }, 'fd00::')).toBe(true)
  expect(contains({ address: 'fd00::1', prefixLength: 128 }, 'fd00::')).toBe(false)
  expect(contains({ address: '10.0.0.1', prefixLength: 0 }, '192.0.2.1')).toBe(true)
})

test('counters of /proc/net/snmp are found by group and name', () => {
  const counters = parseCounters('Ip: Forwarding InReceives\nIp: 1 25\nTcp: RtoMin MaxConn\nTcp: 200 -1\n')
  expect([counters.get('Ip.InReceives'), counters.get('Tcp.MaxConn'), counters.get('Ip.None')]).toEqual([25, -1, undefined])
})

test('counters of /proc/net/snmp6 are those of IPv6 itself', () => {
  const counters = parseCounters6('Ip6InReceives                   \t12\nIp6OutNoRoutes                  \t3\nIcmp6InMsgs                     \t4\n')
  expect([...counters]).toEqual([['Ip6.InReceives', 12], ['Ip6.OutNoRoutes', 3]])
})

const HEADING = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'
const line = (local: string, remote: string, state: string, nextIn = '00000000', repeated = '00000000'): string =>
  `   1: ${local}:0050 ${remote} ${state} 00000000:00000000 01:${nextIn} ${repeated}     0        0 0\n`

test('handshakes that wait are read from /proc/net/tcp, but not of clients that have another connection to the same address', () => {
  const text = [
    HEADING,
    line('0100000A', '00000000:0000', '0A'),
    line('0100000A', '0200000A:C350', '03', '00000190', '00000002'),
    line('0100000A', '0300000A:C351', '03'),
    line('0100000A', '0300000A:C352', '01'),
    line('0900000A', '0300000A:C353', '03', '0000000A'),
  ].join('')
  expect([...parseHandshakes(text).values()]).toEqual([
    { local: '10.0.0.1', client: '10.0.0.2', repeated: 2, nextIn: 4_000 },
    { local: '10.0.0.9', client: '10.0.0.3', repeated: 0, nextIn: 100 },
  ])
})

test('a handshake was answered in vain if it was answered again meanwhile and still waits', () => {
  const [before, after] = [['00000000', '00000001', '00000002'], ['00000001', '00000001']].map((times) =>
    parseHandshakes(HEADING + times.map((repeated, index) => line('0100000A', `0${index + 2}00000A:C350`, '03', `000000${index + 2}0`, repeated)).join('')))
  expect(answeredInVain(before, after).map(({ repeated }) => repeated)).toEqual([1])
  expect(answeredInVain(new Map(), after)).toEqual([])
  expect(nextAnswer(before, after)).toBe(320)
  expect(nextAnswer(new Map(), after)).toBe(Infinity)
})
