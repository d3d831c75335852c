import { Registry, type OpenMetricsContentType, type PrometheusContentType } from 'prom-client'
import { describe, expect, test, vi } from 'vitest'
import type { DesiredService, ListedTable, Totals } from 'ipvs'
import { IpvsCollector, MetricsWriter, type MetricsOptions } from '../../../lib/metrics/index.js'
import { TestTable } from '../state/support/test-table.js'
import { readExposition } from './support/exposition.js'

const web = { protocol: 'tcp', address: '10.0.0.1', port: 80 } as const
const tunnel = { address: 'fd00::9', port: 0, forward: 'tun' as const }
const desired: DesiredService[] = [
  {
    ...web,
    destinations: [
      { address: '10.0.0.9', port: 8080, forward: 'nat', weight: 5 },
      { address: '10.0.0.10', port: 8080, forward: 'nat', weight: 0, upperThreshold: 40, lowerThreshold: 7 },
    ],
  },
  { ...web, protocol: 'udp', port: 53 },
  { protocol: 'sctp', address: 'fd00::1', port: 9, destinations: [{ address: 'fd00::2', port: 9 }] },
  { fwmark: 0x1a, family: 4, destinations: [tunnel] },
  { fwmark: 0x1a, family: 6, destinations: [tunnel] },
]

/** A handle whose table has other numbers everywhere. */
async function handle(services = desired): Promise<{ snapshot: () => Promise<ListedTable>, totals: () => Promise<Totals> }> {
  const table = (await TestTable.of(services)).kernel.table()
  let last = 0
  const counted = (): Totals => ({
    stats: {
      connections: BigInt(++last),
      inPackets: 2n ** 53n + BigInt(++last),
      outPackets: 2n ** 63n,
      inBytes: BigInt(++last),
      outBytes: 0n,
    },
    rates: { connections: ++last, inPackets: ++last, outPackets: 2 ** 40, inBytes: 0, outBytes: ++last },
  })
  for (const service of table.services) {
    Object.assign(service, counted())
    for (const destination of service.destinations)
      Object.assign(destination, counted(), { activeConnections: ++last, inactiveConnections: ++last, persistentConnections: ++last })
  }
  const totals = counted()
  return { snapshot: vi.fn(() => Promise.resolve(table)), totals: () => Promise.resolve(totals) }
}

const variants: Omit<MetricsOptions, 'ipvs'>[] = [
  {},
  { prefix: 'lb_' },
  { extras: false },
  { labels: ['local_address', 'local_port', 'proto', 'local_mark'] },
  { labels: ['remote_address'] },
  { labels: ['proto', 'local_address'], extras: false },
  { labels: [] },
]

describe.each(['prometheus', 'openmetrics'] as const)('as %s', (format) => {
  test.each(variants)('the writer\'s text says what a registry with the collector says, with %j', async (options) => {
    const ipvs = await handle()
    const registry = new Registry<PrometheusContentType | OpenMetricsContentType>()
    registry.setContentType(format === 'prometheus' ? Registry.PROMETHEUS_CONTENT_TYPE : Registry.OPENMETRICS_CONTENT_TYPE)
    const collector = new IpvsCollector({ ipvs, registers: [registry], ...options })
    const writer = new MetricsWriter({ ipvs, format, ...options })
    const text = await writer.text()
    const said = readExposition(text)
    expect(said).toEqual(readExposition(await registry.metrics()))
    expect(Object.keys(said.samples).length).toBeGreaterThan(8)
    expect(writer.contentType).toBe(registry.contentType)
    expect(text.endsWith(format === 'openmetrics' ? '\n# EOF\n' : '\n')).toBe(true)
    collector.close()
    expect(registry.getMetricsAsArray()).toEqual([])
  })
})

test('the samples are those of the table', async () => {
  const { samples, families } = readExposition(
    await new MetricsWriter({
      ipvs: await handle([{ ...web, destinations: [{ address: '10.0.0.9', port: 8080, forward: 'nat', weight: 5 }] }]),
    }).text(),
  )
  const labels = 'local_address="10.0.0.1",local_mark="",local_port="80",proto="TCP",remote_address="10.0.0.9",remote_port="8080"'
  expect(samples).toMatchObject({
    [`node_ipvs_backend_weight{${labels}}`]: 5,
    [`node_ipvs_backend_draining{${labels}}`]: 0,
    'node_ipvs_service_backends{family="4",local_address="10.0.0.1",local_mark="",local_port="80",proto="TCP"}': 1,
    'node_ipvs_outgoing_packets_total{}': 2 ** 63,
  })
  expect(families).toMatchObject({ node_ipvs_backend_weight: { type: 'gauge' }, node_ipvs_connections_total: { type: 'counter' } })
})

test('an empty table has the totals, and the families without samples', async () => {
  const { samples, families } = readExposition(await new MetricsWriter({ ipvs: await handle([]) }).text())
  expect(Object.keys(samples)).toHaveLength(10)
  expect(families).toHaveProperty('node_ipvs_backend_weight')
})

test('the text comes in pieces, and the event loop has its turn between any two of them, and while it is put together', async () => {
  const destinations = Array.from({ length: 5000 }, (_, i) => ({ address: `10.1.${i >> 8}.${i & 255}`, port: 80, forward: 'nat' as const }))
  const ipvs = await handle([{ ...web, destinations }])
  let turns = 0
  const ticking = setInterval(() => turns++, 0)
  const immediate = (): void => {
    turns++
    running = setImmediate(immediate)
  }
  let running = setImmediate(immediate)
  try {
    let pieces = 0
    const seen: number[] = []
    for await (const piece of new MetricsWriter({ ipvs }).pieces()) {
      pieces++
      expect(piece.length).toBeLessThan(200_000)
      seen.push(turns)
    }
    expect(pieces).toBeGreaterThan(50)
    expect(seen[0]).toBeGreaterThan(3)
    expect(new Set(seen).size).toBe(seen.length)
  } finally {
    clearInterval(ticking)
    clearImmediate(running)
  }
  expect(ipvs.snapshot).toHaveBeenCalledTimes(1)
})

test('the error of a reading is the iteration\'s', async () => {
  const broken = { snapshot: () => Promise.reject(new Error('the handle is closed')), totals: async () => (await handle()).totals() }
  await expect(new MetricsWriter({ ipvs: broken }).text()).rejects.toThrow('the handle is closed')
})

test.each([
  [{ ipvs: undefined }, 'options.ipvs'],
  [{ prefix: 'my-' }, 'options.prefix'],
  [{ labels: ['remote'] }, 'options.labels'],
  [{ registers: [] }, 'options.registers'],
  [{ format: 'json' }, 'options.format'],
  [{ extras: 1 }, 'options.extras'],
  [{ labels: 5 }, 'options.labels'],
])('%j is refused', async (options, field) => {
  const ipvs = await handle()
  expect(() => new MetricsWriter({ ipvs, ...options } as never)).toThrow(field)
})
