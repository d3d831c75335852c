import { describe, expect, test } from 'vitest'
import { inAddressOrder } from '../../../lib/command/address-order.js'
import { ratesBetween, type Sample } from '../../../lib/command/top-rates.js'
import { lastScroll, scaled, screen, sortOrders, tableLines, titleLine, type SortOrder } from '../../../lib/command/top-screen.js'
import type { ListedTable } from '../../../lib/model/types.js'

const none = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n }
const noRates = { connections: 0, inPackets: 0, outPackets: 0, inBytes: 0, outBytes: 0 }
const plain = { scheduler: 'rr', schedulerFlags: [], onePacket: false, persistence: null, persistenceEngine: null, rates: noRates }

/** A table of a busy service with two destinations and an idle one. */
function sampleAt(time: number, inBytes: bigint, connections = 0n): Sample {
  const destination = (address: string, bytes: bigint) => ({
    address, port: 80, forward: 'nat' as const, weight: 1, upperThreshold: 0, lowerThreshold: 0, tunnel: null, rates: noRates,
    activeConnections: 3, inactiveConnections: 1, persistentConnections: 0, stats: { ...none, inBytes: bytes },
  })
  const table: ListedTable = {
    services: [
      { fwmark: 7, family: 4, ...plain, stats: none, destinations: [] },
      { protocol: 'tcp', address: '10.0.0.1', port: 80, ...plain, stats: { ...none, inBytes, connections }, destinations: [destination('10.0.0.2', inBytes / 4n), destination('10.0.0.3', (inBytes * 3n) / 4n)] },
    ],
    timeouts: { tcp: 900, tcpFin: 120, udp: 300 },
    daemons: [],
  }
  return { table, time }
}

describe('rates come from the counters of two samples', () => {
  test('per second, for services and destinations', () => {
    const [, busy] = ratesBetween(sampleAt(0, 1000n, 10n), sampleAt(2000, 9000n, 30n))
    expect(busy).toMatchObject({ name: 'TCP 10.0.0.1:80', rates: { inBytes: 4000, connections: 10 }, active: 6, inactive: 2 })
    expect(busy.destinations.map(({ rates }) => rates.inBytes)).toEqual([1000, 3000])
  })

  test('a counter that fell counts from zero, what is new has no rate yet', () => {
    const [, busy] = ratesBetween(sampleAt(0, 8000n), sampleAt(1000, 2000n))
    expect(busy.rates.inBytes).toBe(2000)
    const before = sampleAt(0, 0n)
    before.table.services = []
    expect(ratesBetween(before, sampleAt(1000, 2000n))[1].rates.inBytes).toBe(0)
  })
})

test('names are in the order of their numbers', () => {
  const { table } = sampleAt(0, 0n)
  const [mark, web] = table.services
  const at = (address: string, port = 80): object => ({ ...web, address, port, destinations: [] })
  const services = [at('10.5.0.19'), at('10.5.0.1', 443), at('10.5.0.1'), at('2001:db8::10'), at('2001:db8::a'), at('9.0.0.1'), { ...mark, fwmark: 10 }, { ...mark, fwmark: 9 }, { ...at('1.1.1.1'), protocol: 'udp' }]
  const sample = { table: inAddressOrder({ ...table, services: services as never }), time: 0 }
  expect(tableLines(ratesBetween(sample, sample), 'name', 100).map((line) => line.split(' rr')[0])).toEqual([
    'FWM 9', 'FWM 10', 'TCP 9.0.0.1:80', 'TCP 10.5.0.1:80', 'TCP 10.5.0.1:443', 'TCP 10.5.0.19:80', 'TCP [2001:db8::a]:80', 'TCP [2001:db8::10]:80', 'UDP 1.1.1.1:80',
  ])
})

describe('the screen', () => {
  const services = ratesBetween(sampleAt(0, 0n), sampleAt(1000, 4_000_000n))

  test('has the busiest first, services and destinations within them', () => {
    expect(tableLines(services, 'bytes', 100).map((line) => line.trim().split(/ +/)[0] + line.trim().split(/ +/)[1])).toEqual(['TCP10.0.0.1:80', '->10.0.0.3:80', '->10.0.0.2:80', 'FWM7'])
    expect(tableLines(services, 'name', 100)[0]).toMatch(/^FWM 7 rr/)
  })

  test.each([[200, 50], [90, 12], [40, 5], [20, 3], [1, 1]])('fills %i columns and %i rows, never more', (columns, rows) => {
    const lines = screen(services, 1, { columns, rows, order: 'bytes', scroll: 0 })
    expect(lines).toHaveLength(rows)
    for (const line of lines.filter((text) => text !== '')) expect(line.length).toBe(columns)
  })

  test.each(['conns', 'packets', 'bytes', 'active'] satisfies SortOrder[])('is never without the column that it is sorted by: %s', (order) => {
    const title = { conns: 'Conns/s', packets: 'InPkts/s', bytes: 'In B/s', active: 'Active' }[order]
    for (let columns = 200; columns >= 10; columns--) expect(titleLine(order, columns).slice(0, columns), String(columns)).toContain(title)
    for (const columns of [86, 60, 50]) {
      const lines = screen(services, 1, { columns, rows: 10, order, scroll: 0 })
      for (const line of lines.slice(0, 6)) expect(line.length).toBe(columns)
    }
  })

  test('has both directions of what it is sorted by, while there is room for them', () => {
    expect(titleLine('bytes', 50)).toMatch(/ In B\/s Out B\/s$/)
    expect(titleLine('packets', 50)).toMatch(/ InPkts\/s OutPkts\/s$/)
    expect(titleLine('active', 70)).toMatch(/ Conns\/s InPkts\/s OutPkts\/s +Active$/)
    expect(Object.keys(sortOrders).map((order) => titleLine(order as SortOrder, 88))).toEqual(new Array(5).fill(titleLine('bytes', 88)))
  })

  test('scrolls to its end and no further', () => {
    expect(lastScroll(services, 5)).toBe(2)
    expect(screen(services, 1, { columns: 90, rows: 5, order: 'bytes', scroll: 2 })[0]).toContain('lines 3-4 of 4')
    expect(lastScroll(services, 50)).toBe(0)
  })

  test.each([[0, '0'], [1, '1.0'], [99.94, '99.9'], [999, '999'], [999.6, '1.0K'], [1234, '1.2K'], [123_456, '123K'], [4e6, '4.0M'], [999_600_000, '1.0G'], [7.25e12, '7.3T'], [1e15, '1.0P']])('writes %d as %s', (rate, text) => {
    expect(scaled(rate)).toBe(text)
  })
})
