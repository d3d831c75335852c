import { expect, test, vi } from 'vitest'

vi.mock('prom-client', () => {
  throw new Error('prom-client is not there')
})
vi.mock('node:module', () => ({
  createRequire: () => () => {
    throw Object.assign(new Error('Cannot find module \'prom-client\''), { code: 'MODULE_NOT_FOUND' })
  },
}))

test('without prom-client the writer works, and the collector says what it lacks', async () => {
  const { IpvsCollector, MetricsWriter } = await import('../../../lib/metrics/index.js')
  const none = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n }
  const still = { connections: 0, inPackets: 0, outPackets: 0, inBytes: 0, outBytes: 0 }
  const ipvs = {
    snapshot: () => Promise.resolve({ services: [], timeouts: { tcp: 900, tcpFin: 120, udp: 300 }, daemons: [] }),
    totals: () => Promise.resolve({ stats: none, rates: still }),
  }
  expect(await new MetricsWriter({ ipvs }).text()).toContain('node_ipvs_connections_total 0\n')
  expect(() => new IpvsCollector({ ipvs })).toThrow(
    expect.objectContaining({
      code: 'ERR_IPVS_PACKAGE_MISSING',
      message: expect.stringMatching(/npm install prom-client.*MetricsWriter/) as unknown,
    }) as Error,
  )
})
