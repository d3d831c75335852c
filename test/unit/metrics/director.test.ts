import { once } from 'node:events'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Ipvs } from 'ipvs'
import { Director, type Check, type DirectedDestination, type DirectorStatus, type VrrpState } from 'ipvs/director'
import { IpvsCollector, MetricsWriter, type MeasuredDirector, type MeasuredStatus, type MetricsOptions } from '../../../lib/metrics/index.js'
import { TestKernel } from '../../support/test-kernel.js'
import { until } from '../../support/until.js'
import { answering, type Loopback } from '../checks/support/servers.js'
import { readExposition } from './support/exposition.js'

const web = { protocol: 'tcp', address: '10.0.0.1', port: 80 } as const
const check: Check = { type: 'http', urls: [{ path: '/say/"hello"\\' }], interval: 0.02, retryInterval: 0.01, warmup: 0, timeout: 30 }

let kernel: TestKernel
let ipvs: Ipvs
let server: Loopback
let director: Director
let isWell: boolean
/** What the kernel counts is not what this is about. */
let table: MetricsOptions['ipvs']
beforeEach(async () => {
  isWell = true
  kernel = new TestKernel()
  ipvs = kernel.open()
  const counted = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n }
  const totals = { stats: counted, rates: { connections: 0, inPackets: 0, outPackets: 0, inBytes: 0, outBytes: 0 } }
  table = { snapshot: () => ipvs.snapshot(), totals: () => Promise.resolve(totals) }
  server = await answering(() => `HTTP/1.0 ${isWell ? '200 OK' : '503 Busy'}\r\nContent-Length: 0\r\n\r\n`)
  director = new Director({ ipvs, jitter: 0 })
})
afterEach(async () => {
  await director.close()
  await server[Symbol.asyncDispose]()
  await ipvs.close()
})

const real = (extra: Partial<DirectedDestination> = {}): DirectedDestination => ({
  address: '127.0.0.1',
  port: server.port,
  forward: 'nat',
  weight: 3,
  ...extra,
})

/** The samples about the director by their names, without what stands beside the table's. */
async function samples(of: MeasuredDirector = director): Promise<Record<string, number>> {
  const { samples: all } = readExposition(
    (await new MetricsWriter({ ipvs: table, director: of, prefix: 'x_' }).text()).replace(/\\["\\]/g, '_'),
  )
  return Object.fromEntries(
    Object.entries(all)
      .filter(([name]) => name.startsWith('x_director_'))
      .map(([name, value]) => [name.replace(/^x_|\{\}$/g, ''), value]),
  )
}

const ofService = 'family="4",local_address="10.0.0.1",local_mark="",local_port="80",proto="TCP"'
const backend = (): string => `${ofService},remote_address="127.0.0.1",remote_port="${server.port}"`
const ofCheck = (): string => ['check="GET /say/_hello__"', 'number="0"', ...backend().split(',')].sort().join(',')

test('before a configuration there is little to tell', async () => {
  expect(await samples()).toMatchObject({
    director_in_force: 0,
    director_looked_timestamp_seconds: 0,
    director_applied_total: 0,
    director_checks: 0,
    director_holding: 0,
    director_addresses_shared: 0,
    director_stays_out: 0,
  })
})

test('a machine that is kept out of VRRP is told', async () => {
  const status = (): MeasuredStatus => ({ ...director.status(), staysOut: 'another director holds the addresses' })
  expect(await samples({ status, checks: () => director.checks() })).toMatchObject({ director_stays_out: 1 })
})

test("keepalived's states are numbers, as keepalived has them", async () => {
  const at = 1_700_000_000_000
  const vrrp = (['BACKUP', 'MASTER', 'FAULT', 'STOP', 'DELETED'] as const).map((state): VrrpState =>
    ({ type: state === 'MASTER' ? 'group' : 'instance', name: `of "${state}"`, state, priority: 100, at }))
  const status = (): DirectorStatus => ({ ...director.status(), holding: { held: 'all', since: at, addresses: [], vrrp } })
  const told = await samples({ status, checks: () => director.checks() })
  const states = Object.fromEntries(Object.entries(told).filter(([name]) => name.startsWith('director_vrrp_state')))
  const labels = (type: string, name: string): string => `{name="of _${name}_",type="${type}"}`
  expect(states).toEqual(Object.fromEntries(
    ([['instance', 'BACKUP', 1], ['group', 'MASTER', 2], ['instance', 'FAULT', 3], ['instance', 'STOP', 0], ['instance', 'DELETED', 0]] as const)
      .flatMap(([type, name, number]) => [
        [`director_vrrp_state${labels(type, name)}`, number],
        [`director_vrrp_state_changed_timestamp_seconds${labels(type, name)}`, at / 1000],
      ]),
  ))
})

test('the health of a backend, its checks and the programs that were run can be followed', async () => {
  const program = { command: ['/bin/sh', '-c', 'exit 7'] }
  await director.set({
    services: [
      { ...web, checks: [check], fallback: { address: '10.0.0.9', port: 80, forward: 'nat' }, destinations: [real({ onDown: program })] },
    ],
  })
  await until(() => director.checks(), ({ good }) => good > 2, 20)
  const before = await samples()
  expect(before).toMatchObject({
    director_in_force: 1, director_applied_total: 2, director_refused_total: 0, director_failed_total: 0, director_checks: 1,
    [`director_service_quorum{${ofService}}`]: 1, [`director_service_fallback{${ofService}}`]: 0, [`director_service_draining{${ofService}}`]: 0,
    [`director_backend_up{${backend()}}`]: 1, [`director_backend_weight{${backend()}}`]: 3,
    [`director_backend_ups_total{${backend()}}`]: 0, [`director_backend_downs_total{${backend()}}`]: 0,
    [`director_check_up{${ofCheck()}}`]: 1, [`director_check_bad_total{${ofCheck()}}`]: 0, [`director_check_untried_total{${ofCheck()}}`]: 0,
  })
  expect(before[`director_check_good_total{${ofCheck()}}`]).toBeGreaterThan(2)
  expect(before[`director_check_duration_seconds{${ofCheck()}}`]).toBeGreaterThan(0)
  expect(Math.abs(before.director_looked_timestamp_seconds - Date.now() / 1000)).toBeLessThan(600)
  isWell = false
  await once(director, 'program')
  const after = await until(() => samples(), (now) => now.director_applied_total === 4, 20)
  expect(after).toMatchObject({
    director_programs_good_total: 0, director_programs_bad_total: 1, director_programs_untried_total: 0,
    [`director_service_quorum{${ofService}}`]: 0, [`director_service_fallback{${ofService}}`]: 1,
    [`director_backend_up{${backend()}}`]: 0, [`director_backend_weight{${backend()}}`]: 0, [`director_backend_downs_total{${backend()}}`]: 1,
    [`director_check_up{${ofCheck()}}`]: 0,
  })
  expect(after[`director_check_bad_total{${ofCheck()}}`]).toBeGreaterThanOrEqual(2)
  expect(after[`director_backend_changed_timestamp_seconds{${backend()}}`]).toBeGreaterThanOrEqual(before[`director_backend_changed_timestamp_seconds{${backend()}}`])
  isWell = true
  await until(() => samples(), (now) => now[`director_backend_ups_total{${backend()}}`] === 1 && now[`director_service_fallback{${ofService}}`] === 0, 20)
})

test('what fails and what is refused is counted', async () => {
  kernel.refuse = ({ command }) => command === 'newDest' ? -28 : undefined
  await director.set({ services: [{ ...web, destinations: [real()] }] })
  director.set({ services: [{ ...web, port: -1 }] }).catch(() => {})
  const now = await until(() => samples(), ({ director_refused_total: refused }) => refused > 0, 20)
  expect(now.director_failed_total).toBeGreaterThanOrEqual(2)
  kernel.refuse = () => undefined
})

test('a program with a registry gets the same from a collector', async () => {
  await director.set({ services: [{ ...web, checks: [{ ...check, interval: 600, warmup: 0 }], destinations: [real()] }] })
  await until(() => director.checks(), ({ good }) => good === 1, 20)
  // It is asked twice, and what is under way must not be another meanwhile.
  const [status, checks] = [director.status(), await director.checks()]
  const still: MeasuredDirector = { status: () => status, checks: () => Promise.resolve(checks) }
  const registry = new Registry()
  const collector = new IpvsCollector({ ipvs: table, director: still, registers: [registry], extras: false })
  const unescaped = (text: string): string => text.replace(/\\["\\]/g, '_')
  const said = readExposition(unescaped(await registry.metrics()))
  expect(said).toEqual(readExposition(unescaped(await new MetricsWriter({ ipvs: table, director: still, extras: false }).text())))
  expect(Object.keys(said.families).filter((name) => name.startsWith('node_ipvs_director_'))).toHaveLength(31)
  collector.close()
})

test('a check whose question has a quote and a backslash is written as the format wants it', async () => {
  await director.set({ services: [{ ...web, checks: [check], destinations: [real()] }] })
  expect(await new MetricsWriter({ ipvs: table, director }).text()).toContain(String.raw`check="GET /say/\"hello\"\\"`)
})

test('while the checks cannot be asked, the rest is told', async () => {
  await director.set({ services: [{ ...web, checks: [check], destinations: [real()] }] })
  const now = await samples({
    status: () => director.status(),
    checks: () => Promise.reject(new Error('the thread of the checks is being started again')),
  })
  expect(now).toMatchObject({ director_in_force: 1, director_checks: 0, [`director_backend_up{${backend()}}`]: 1 })
  expect(Object.keys(now).filter((name) => name.startsWith('director_check_'))).toEqual([])
})

test('what is no director is refused', () => {
  for (const wrong of [7, null, {}])
    expect(() => new MetricsWriter({ ipvs: table, director: wrong as never })).toThrow('options.director must be a Director')
})
