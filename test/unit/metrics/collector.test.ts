import { Gauge, Registry } from 'prom-client'
import { expect, test, vi } from 'vitest'
import type { Desired, Ipvs } from 'ipvs'
import { IpvsCollector } from '../../../lib/metrics/index.js'
import { TestTable } from '../state/support/test-table.js'

const web = { protocol: 'tcp', address: '10.0.0.1', port: 80 } as const
const none = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n }
const still = { connections: 0, inPackets: 0, outPackets: 0, inBytes: 0, outBytes: 0 }

async function tableWith(desired: Desired): Promise<{ table: TestTable, ipvs: Ipvs }> {
  const table = await TestTable.of(desired)
  return {
    table,
    ipvs: Object.assign(table.ipvs, {
      totals: () => Promise.resolve({ stats: { ...none, connections: 7n }, rates: { ...still, inBytes: 12 } }),
    }),
  }
}

test('the metrics have node_exporter\'s names and labels', async () => {
  const { table, ipvs } = await tableWith([{ ...web, destinations: [{ address: '10.0.0.9', port: 8080, forward: 'nat', weight: 5 }] }])
  table.connect(web, { address: '10.0.0.9', port: 8080 }, { active: 3, inactive: 2 })
  const registry = new Registry()
  new IpvsCollector({ ipvs, registers: [registry], extras: false })
  const text = await registry.metrics()
  const labels = 'local_address="10.0.0.1",local_port="80",remote_address="10.0.0.9",remote_port="8080",proto="TCP",local_mark=""'
  expect(text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))).toEqual([
    'node_ipvs_connections_total 7',
    'node_ipvs_incoming_packets_total 0',
    'node_ipvs_outgoing_packets_total 0',
    'node_ipvs_incoming_bytes_total 0',
    'node_ipvs_outgoing_bytes_total 0',
    `node_ipvs_backend_connections_active{${labels}} 3`,
    `node_ipvs_backend_connections_inactive{${labels}} 2`,
    `node_ipvs_backend_weight{${labels}} 5`,
  ])
  expect(text).toContain('# TYPE node_ipvs_connections_total counter')
  expect(text).toContain('# TYPE node_ipvs_backend_weight gauge')
})

test('one scrape reads the table once, and what is gone is gone from the next one', async () => {
  const { ipvs } = await tableWith([{ ...web, destinations: [{ address: '10.0.0.9', port: 80 }] }])
  const read = vi.spyOn(ipvs, 'snapshot')
  const registry = new Registry()
  const collector = new IpvsCollector({ ipvs, registers: [registry] })
  expect(await registry.metrics()).toContain('10.0.0.9')
  expect(read).toHaveBeenCalledTimes(1)
  await ipvs.apply([], { prune: 'all' })
  expect(await registry.metrics()).not.toContain('10.0.0.9')
  collector.close()
  expect(await registry.metrics()).toBe('\n')
})

test('a draining destination and thresholds are told', async () => {
  const { table, ipvs } = await tableWith([{ ...web, destinations: [{ address: '10.0.0.9', port: 80, weight: 0, upperThreshold: 40 }] }])
  table.connect(web, { address: '10.0.0.9', port: 80 }, { active: 1 })
  const registry = new Registry()
  new IpvsCollector({ ipvs, registers: [registry], prefix: 'lb_', labels: ['remote_address'] })
  const text = await registry.metrics()
  expect(text).toContain('lb_backend_draining{remote_address="10.0.0.9"} 1')
  expect(text).toContain('lb_backend_upper_threshold{remote_address="10.0.0.9"} 40')
  expect(text).toContain('lb_incoming_bytes_per_second 12')
  expect(text).toContain('lb_service_backends_available{local_address="10.0.0.1",local_port="80",proto="TCP",local_mark="",family="4"} 0')
})

test('firewall-mark services of both families have no line twice', async () => {
  const tunnel = { address: 'fd00::9', port: 0, forward: 'tun' as const }
  const { ipvs } = await tableWith([
    { fwmark: 0x1a, family: 4, destinations: [tunnel] },
    { fwmark: 0x1a, family: 6, destinations: [tunnel] },
  ])
  const registry = new Registry()
  new IpvsCollector({ ipvs, registers: [registry] })
  const text = await registry.metrics()
  expect(text).toContain(
    'node_ipvs_backend_weight{local_address="",local_port="0",remote_address="fd00::9",remote_port="0",proto="FWM",local_mark="0000001A"} 2',
  )
  expect(text).toContain('node_ipvs_service_backends{local_address="",local_port="0",proto="FWM",local_mark="0000001A",family="6"} 1')
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).map((line) => line.replace(/ \S+$/, ''))
  expect(new Set(lines).size).toBe(lines.length)
})

test.each([
  [{ ipvs: undefined }, 'options.ipvs'],
  [{ prefix: 'my-' }, 'options.prefix'],
  [{ labels: ['remote'] }, 'options.labels'],
  [{ name: 'x' }, 'options.name'],
  [{ registers: [5] }, 'options.registers[0]'],
  [{ registers: [null] }, 'options.registers[0]'],
  [{ ipvs: { snapshot() {} } }, 'options.ipvs'],
])('%j is refused', async (options, field) => {
  const { ipvs } = await tableWith([])
  expect(() => new IpvsCollector({ ipvs, registers: [new Registry()], ...options } as never)).toThrow(field)
})

test('a name that the registry has already is refused, and nothing is registered', async () => {
  const { ipvs } = await tableWith([])
  const [registry, other] = [new Registry(), new Registry()]
  const taken = new Gauge({ name: 'node_ipvs_backend_weight', help: 'mine', registers: [registry] })
  const make = (): IpvsCollector => new IpvsCollector({ ipvs, registers: [other, registry] })
  expect(make).toThrow(/options\.prefix .*node_ipvs_backend_weight/)
  expect(registry.getMetricsAsArray()).toEqual([taken])
  expect(other.getMetricsAsArray()).toEqual([])
  registry.clear()
  make().close()
  expect(registry.getMetricsAsArray()).toEqual([])
})

test('closing twice takes nothing away from the next collector', async () => {
  const { ipvs } = await tableWith([])
  const registry = new Registry()
  const first = new IpvsCollector({ ipvs, registers: [registry] })
  first.close()
  new IpvsCollector({ ipvs, registers: [registry] })
  const names = registry.getMetricsAsArray().length
  first.close()
  expect(registry.getMetricsAsArray()).toHaveLength(names)
})
