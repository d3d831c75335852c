import { describe, expect, test } from 'vitest'
import { inAddressOrder } from '../../../lib/command/address-order.js'
import { jsonLine, measured, type TopService } from '../../../lib/command/top-rates.js'
import { readTopOptions } from '../../../lib/command/top-options.js'
import { helpScreen, lastScroll, scaled, screen, sortOrders, tableLines, titleLine, totalLine, type SortOrder } from '../../../lib/command/top-screen.js'
import { filtered, TopView } from '../../../lib/command/top-view.js'
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
    expect(tableLines(services, 'bytes', 100).map((line) => line.trim().split(/ +/)[0] + line.trim().split(/ +/)[1])).toEqual([
      'TCP10.0.0.1:80',
      '->10.0.0.3:80',
      '->10.0.0.2:80',
      'FWM7',
    ])
    expect(tableLines(services, 'name', 100)[0]).toMatch(/^FWM 7 rr/)
  })

  test.each([[200, 50], [90, 12], [40, 5], [20, 3], [1, 1]])('fills %i columns and %i rows, never more', (columns, rows) => {
    const lines = screen(services, services, new TopView('bytes', 1), { columns, rows })
    expect(lines).toHaveLength(rows)
    expect(new Set(lines.filter((text) => text !== '').map((line) => line.length))).toEqual(new Set([columns]))
  })

  test.each(['conns', 'packets', 'bytes', 'active'] satisfies SortOrder[])('is never without the column that it is sorted by: %s', (order) => {
    const title = { conns: 'Conns/s', packets: 'InPkts/s', bytes: 'In B/s', active: 'Active' }[order]
    for (let columns = 200; columns >= 10; columns--) expect(titleLine(order, columns).slice(0, columns), String(columns)).toContain(title)
    for (const columns of [86, 60, 50]) {
      const lines = screen(services, services, new TopView(order, 1), { columns, rows: 10 })
      expect(lines.slice(0, 6).map((line) => line.length)).toEqual(new Array(6).fill(columns))
    }
  })

  test('has both directions of what it is sorted by, while there is room for them', () => {
    expect(titleLine('bytes', 50)).toMatch(/ ↓In B\/s↓Out B\/s$/)
    expect(titleLine('packets', 50)).toMatch(/↓InPkts\/s↓OutPkts\/s$/)
    expect(titleLine('active', 70)).toMatch(/ Conns\/s InPkts\/s OutPkts\/s +↓Active$/)
    const columns = Object.keys(sortOrders).map((order) => titleLine(order as SortOrder, 88).split('…')[1].replace(/↓/g, ' ').trim().split(/ +/))
    expect(columns).toEqual(new Array(5).fill(columns[0]))
  })

  test('scrolls to its end and no further', () => {
    expect(lastScroll(services, 6)).toBe(2)
    const view = new TopView('bytes', 1)
    view.scroll = 2
    expect(screen(services, services, view, { columns: 90, rows: 6 })[0]).toContain('lines 3-4 of 4')
    expect(lastScroll(services, 50)).toBe(0)
  })

  test.each([[0, '0'], [1, '1.0'], [99.94, '99.9'], [999, '999'], [999.6, '1.0K'], [1234, '1.2K'], [123_456, '123K'], [4e6, '4.0M'], [999_600_000, '1.0G'], [7.25e12, '7.3T'], [1e15, '1.0P']])('writes %d as %s', (rate, text) => {
    expect(scaled(rate)).toBe(text)
  })
})

describe('what the user chooses to see', () => {
  const services = looks(tableOf(0n), tableOf(4_000_000n))[1]
  const names = (those: TopService[]): string[] => those.flatMap(({ name, destinations }) => [name, ...destinations.map((one) => one.name)])
  const pressed = (...keys: string[]): TopView => {
    const view = new TopView('bytes', 1)
    for (const key of keys) view.press(key, 24)
    return view
  }

  test('a filter shows services with all their destinations, and destinations with their service', () => {
    expect(names(filtered(services, 'tcp', false))).toEqual(['TCP 10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80'])
    expect(names(filtered(services, '0.3:', false))).toEqual(['TCP 10.0.0.1:80', '10.0.0.3:80'])
    expect(names(filtered(services, 'fwm 7', false))).toEqual(['FWM 7'])
    expect(filtered(services, 'nothing has this', false)).toEqual([])
  })

  test('idle services and destinations can be hidden; one with connections is not idle', () => {
    expect(names(filtered(services, '', true))).toEqual(['TCP 10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80'])
    const quiet = looks(tableOf(0n), tableOf(0n))[1]
    expect(names(filtered(quiet, '', true))).toEqual(['TCP 10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80'])
    for (const one of [...quiet, ...quiet.flatMap(({ destinations }) => destinations)]) one.active = 0
    expect(filtered(quiet, '', true)).toEqual([])
  })

  test('/ begins a filter, Enter keeps it, Escape removes it', () => {
    expect(pressed('/', '1', '0', '.', 'space', 'x', 'backspace')).toMatchObject({ filter: '10. ', isTyping: true })
    expect(pressed('/', 'q', 'b', 'return', 'c')).toMatchObject({ filter: 'qb', isTyping: false, order: 'conns' })
    expect(pressed('/', 'a', 'escape')).toMatchObject({ filter: '', isTyping: false })
    expect(pressed('/', 'a', 'ctrl-u', 'pageup', 'b')).toMatchObject({ filter: 'b' })
    expect(pressed('/', 'a', 'return', 'escape')).toMatchObject({ filter: '' })
    expect(new TopView('bytes', 1).press('q', 24)).toBe('quit')
    expect(pressed('/').press('q', 24)).toBeUndefined()
  })

  test('+ and - change the time between two looks, from a tenth of a second to an hour', () => {
    expect(pressed('+').interval).toBe(2)
    expect(pressed('-', '-').interval).toBe(0.2)
    expect(pressed(...new Array<string>(20).fill('-')).interval).toBe(0.1)
    expect(pressed(...new Array<string>(20).fill('+')).interval).toBe(3600)
    const view = new TopView('bytes', 3)
    expect(view.press('-', 24)).toBe('interval')
    expect(view.interval).toBe(2)
  })

  test('Space pauses, i hides what is idle, ? shows the keys until one is pressed', () => {
    expect(pressed('space')).toMatchObject({ isPaused: true })
    expect(pressed('space', 'space')).toMatchObject({ isPaused: false })
    expect(pressed('i')).toMatchObject({ busy: true })
    expect(pressed('?')).toMatchObject({ showsHelp: true })
    expect(pressed('?', 'i')).toMatchObject({ showsHelp: false, busy: false })
    expect(pressed('?').press('q', 24)).toBe('quit')
  })

  test('is on the screen', () => {
    const view = pressed('/', '0', '.', '3', 'return', 'space', 'i')
    const lines = screen(filtered(services, view.filter, view.busy), services, view, { columns: 120, rows: 8 })
    expect(lines[0]).toMatch(/^ipvs top: 1 of 2 services, 1 of 2 destinations, by bytes, every 1 s, PAUSED, without idle ones/)
    expect(lines.at(-1)).toMatch(/^q quit {2}\? keys .*filter: 0\.3/)
    expect(screen(services, services, pressed('/', 'a'), { columns: 80, rows: 8 }).at(-1)).toMatch(/^\/a_ {3}Enter keeps it/)
    expect(helpScreen([['q', 'ends']], { columns: 20, rows: 3 })).toEqual(['ipvs top: keys', '', '  q   ends'].map((line) => line.padEnd(20)))
  })

  test('has the sum of all services', () => {
    expect(totalLine(services, 'bytes', 100)).toMatch(/^Total +0 +0 +0 +2\.0M +0 +6 +2$/)
  })

  test('is a line of JSON, with what a program needs to find the service', () => {
    const line = jsonLine(new Date(0), services)
    expect(line.endsWith('}\n') && line.indexOf('\n') === line.length - 1).toBe(true)
    const look = JSON.parse(line) as { services: object[] }
    expect(look).toMatchObject({ time: '1970-01-01T00:00:00.000Z', total: { perSecond: { inBytes: 2_000_000 }, activeConnections: 6 } })
    expect(look.services[1]).toMatchObject({
      protocol: 'tcp', address: '10.0.0.1', port: 80, scheduler: 'rr', perSecond: { inBytes: 2_000_000 },
      destinations: [{ address: '10.0.0.2', port: 80, forward: 'nat', weight: 1 }, { address: '10.0.0.3' }],
    })
  })
})

describe('the options of ipvs top', () => {
  test.each([
    ['', false, { interval: 1, order: 'bytes', filter: '', busy: false, count: 1, json: false }],
    ['', true, { count: Infinity }],
    ['--json', false, { count: Infinity, json: true }],
    ['--json --count 3 --sort name --filter web --busy --interval 0.5 --netns blue -n', false,
      { count: 3, order: 'name', filter: 'web', busy: true, interval: 0.5, netns: 'blue' }],
  ])('%s, with a screen: %s', (line, hasScreen, options) => {
    expect(readTopOptions(line.split(' ').filter((word) => word !== ''), hasScreen)).toMatchObject(options)
  })

  test.each([
    ['--interval 0', "--interval '0'; expected seconds from 0.1 to 3600"],
    ['--sort size', "--sort 'size'; expected conns, packets, bytes, active, name"],
    ['--count 1.5', "--count '1.5'; expected a number from 1 on"],
    ['--count 0', "--count '0'; expected a number from 1 on"],
    ['--intervall 1', 'there is no option --intervall'],
    ['fast', "'fast' is one word too many"],
  ])('%s is refused', (line, message) => {
    expect(() => readTopOptions(line.split(' '), false)).toThrow(message)
  })
})
