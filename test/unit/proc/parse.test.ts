import { expect, test } from 'vitest'
import { connectionOf, originOf, words } from '../../../lib/proc/connection-line.js'
import { parseProcessorTotals, parseTotals } from '../../../lib/proc/totals.js'

test('an IPv4 connection', () => {
  expect(connectionOf(words('TCP 0A000005 8B5C 0A000001 0050 0A000002 1F90 ESTABLISHED     897'), 'local')).toEqual({
    protocol: 'tcp',
    client: { address: '10.0.0.5', port: 35_676 },
    virtual: { address: '10.0.0.1', port: 80 },
    destination: { address: '10.0.0.2', port: 8080 },
    state: 'ESTABLISHED',
    expires: 897,
    origin: 'local',
    persistenceEngine: null,
    persistenceData: null,
  })
})

test('an IPv6 connection to an IPv4 destination, with the data of a persistence engine', () => {
  const line = 'UDP 2001:0db8:0000:0000:0000:0000:0000:0005 13C4 2001:0db8:0000:0000:0000:0000:0000:0001 13C4 0A000002 13C4 '
    + 'UDP             299 sip 2012345@10.0.0.5'
  expect(connectionOf(words(line), 'sync')).toMatchObject({
    client: { address: '2001:db8::5', port: 5060 },
    virtual: { address: '2001:db8::1' },
    destination: { address: '10.0.0.2' },
    expires: 299,
    origin: 'sync',
    persistenceEngine: 'sip',
    persistenceData: '2012345@10.0.0.5',
  })
})

test('the origin stands before the seconds', () => {
  expect(originOf(words('TCP 0A000005 8B5C 0A000001 0050 0A000002 1F90 ESTABLISHED SYNC       897'))).toBe('sync')
  expect(originOf(words('TCP 0A000005 8B5C 0A000001 0050 0A000002 1F90 ESTABLISHED LOCAL      897'))).toBe('local')
})

test('totals are hexadecimal', () => {
  const text = `   Total Incoming Outgoing         Incoming         Outgoing
   Conns  Packets  Packets            Bytes            Bytes
      1F       2A        0 FFFFFFFFFFFFFFFF               10

 Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s
       1        2        A               1F                0
`
  const totals = parseTotals(text)
  expect(totals).toEqual({
    stats: { connections: 31n, inPackets: 42n, outPackets: 0n, inBytes: 2n ** 64n - 1n, outBytes: 16n },
    rates: { connections: 1, inPackets: 2, outPackets: 10, inBytes: 31, outBytes: 0 },
  })
  expect(JSON.stringify(totals.stats)).toContain('"inBytes":"18446744073709551615"')
})

test('each processor has its counters; the sums are not one', () => {
  const text = `       Total Incoming Outgoing         Incoming         Outgoing
CPU    Conns  Packets  Packets            Bytes            Bytes
  0        1        0        0                0                0
  A        2        0        0                0                0
  ~        3        0        0                0                0

     Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s
           0        0        0                0                0
`
  expect(parseProcessorTotals(text).map(({ processor, stats }) => [processor, stats.connections])).toEqual([[0, 1n], [10, 2n]])
})
