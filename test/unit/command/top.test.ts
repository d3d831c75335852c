import { describe, expect, test } from 'vitest'
import { inAddressOrder } from '../../../lib/command/address-order.js'
import { measured, type TopService } from '../../../lib/command/top-rates.js'
import { lastScroll, scaled, screen, sortOrders, tableLines, titleLine, type SortOrder } from '../../../lib/command/top-screen.js'
import type { ListedTable } from '../../../lib/model/types.js'
import { RateMeter } from '../../../lib/state/rates.js'

const none = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n }
const noRates = { connections: 0, inPackets: 0, outPackets: 0, inBytes: 0, outBytes: 0 }
const plain = { scheduler: 'rr', schedulerFlags: [], onePacket: false, persistence: null, persistenceEngine: null, rates: noRates }

/** A busy service with two destinations and an idle one. The kernel's average is that of something whose first two seconds these are. */
function tableOf(inBytes: bigint, connections = 0n): ListedTable {
  const destination = (address: string, bytes: bigint) => ({
    address,
    port: 80,
    forward: 'nat' as const,
    weight: 1,
    upperThreshold: 0,
    lowerThreshold: 0,
    tunnel: null,
    rates: { ...noRates, inBytes: Number(bytes) / 8 },
    activeConnections: 3,
    inactiveConnections: 1,
    persistentConnections: 0,
    stats: { ...none, inBytes: bytes },
  })
  return {
    services: [
      { fwmark: 7, family: 4, ...plain, stats: none, destinations: [] },
      {
        protocol: 'tcp',
        address: '10.0.0.1',
        port: 80,
        ...plain,
        rates: { ...noRates, inBytes: Number(inBytes) / 8, connections: Number(connections) / 8 },
        stats: { ...none, inBytes, connections },
        destinations: [destination('10.0.0.2', inBytes / 4n), destination('10.0.0.3', (inBytes * 3n) / 4n)],
      },
    ],
    timeouts: { tcp: 900, tcpFin: 120, udp: 300 },
    daemons: [],
  }
}

/** What looks say that are a second apart. */
function looks(...tables: ListedTable[]): TopService[][] {
  const meter = new RateMeter()
  return tables.map((table, second) => {
    meter.look(second)
    return measured(table, meter)
  })
}

describe('the table', () => {
  test('has the rates of the last two seconds that the kernel has counted, for services and destinations', () => {
    const [, [, busy], [, held]] = looks(tableOf(0n), tableOf(8000n, 40n), tableOf(8000n, 40n))
    expect(busy).toMatchObject({ name: 'TCP 10.0.0.1:80', rates: { inBytes: 4000, connections: 20 }, active: 6, inactive: 2 })
    expect(busy.destinations.map(({ rates }) => rates.inBytes)).toEqual([1000, 3000])
    expect(held.rates).toEqual(busy.rates)
  })

  test('has the kernel\'s average for new entries', () => {
    expect(looks(tableOf(8000n))[0][1].rates.inBytes).toBe(1000)
  })
})

test('names are in the order of their numbers', () => {
  const table = tableOf(0n)
  const [mark, web] = table.services
  const at = (address: string, port = 80): object => ({ ...web, address, port, destinations: [] })
  const services = [
    at('10.5.0.19'),
    at('10.5.0.1', 443),
    at('10.5.0.1'),
    at('2001:db8::10'),
    at('2001:db8::a'),
    at('9.0.0.1'),
    { ...mark, fwmark: 10 },
    { ...mark, fwmark: 9 },
    { ...at('1.1.1.1'), protocol: 'udp' },
  ]
  const [rows] = looks(inAddressOrder({ ...table, services: services as never }))
  expect(tableLines(rows, 'name', 100).map((line) => line.split(' rr')[0])).toEqual([
    'FWM 9',
    'FWM 10',
    'TCP 9.0.0.1:80',
    'TCP 10.5.0.1:80',
    'TCP 10.5.0.1:443',
    'TCP 10.5.0.19:80',
    'TCP [2001:db8::a]:80',
    'TCP [2001:db8::10]:80',
    'UDP 1.1.1.1:80',
  ])
})

describe('the screen', () => {
  const services = looks(tableOf(0n), tableOf(4_000_000n))[1]

  test('has the busiest first, services and destinations within them', () => {
    expect(tableLines(services, 'bytes', 100).map((line) => line.trim().split(/ +/)[0] + line.trim().split(/ +/)[1])).toEqual(['TCP10.0.0.1:80', '->10.0.0.3:80', '->10.0.0.2:80', 'FWM7'])
    expect(tableLines(services, 'name', 100)[0]).toMatch(/^FWM 7 rr/)
  })

  test.each([[200, 50], [90, 12], [40, 5], [20, 3], [1, 1]])('fills %i columns and %i rows, never more', (columns, rows) => {
    const lines = screen(services, 1, { columns, rows, order: 'bytes', scroll: 0 })
    expect(lines).toHaveLength(rows)
    expect(new Set(lines.filter((text) => text !== '').map((line) => line.length))).toEqual(new Set([columns]))
  })

  test.each(['conns', 'packets', 'bytes', 'active'] satisfies SortOrder[])('is never without the column that it is sorted by: %s', (order) => {
    const title = { conns: 'Conns/s', packets: 'InPkts/s', bytes: 'In B/s', active: 'Active' }[order]
    for (let columns = 200; columns >= 10; columns--) expect(titleLine(order, columns).slice(0, columns), String(columns)).toContain(title)
    for (const columns of [86, 60, 50]) {
      const lines = screen(services, 1, { columns, rows: 10, order, scroll: 0 })
      expect(lines.slice(0, 6).map((line) => line.length)).toEqual(new Array(6).fill(columns))
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
