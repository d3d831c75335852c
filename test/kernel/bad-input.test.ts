import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Ipvs, IpvsSync } from 'ipvs'
import { Host } from '../../scripts/network/host.js'
import { changes, reads } from '../../lib/client/operations.js'
import { refusal } from '../support/errors.js'
import { Ipvsadm } from '../support/ipvsadm.js'
import { apis } from '../support/scene.js'

type Handle = Ipvs | IpvsSync
/** Calls that TypeScript would not let through. */
type Untyped = Record<string, (...args: unknown[]) => unknown>

const web = { protocol: 'tcp', address: '10.10.10.100', port: 80 } as const
const other = { ...web, port: 81 }
const near = { address: '10.10.10.2', port: 80 }
const complete = { scheduler: 'rr', schedulerFlags: [], onePacket: false, persistence: null, persistenceEngine: null }
const configured = { forward: 'nat', weight: 1, upperThreshold: 0, lowerThreshold: 0, tunnel: null }

/** Each method with arguments of which one is bad. test/unit/wire/validation.test.ts has every bad value of every field. */
const calls: [method: string, args: unknown[], field: string][] = [
  ['addService', [{ ...other, scheduler: 'r r' }], 'service.scheduler'],
  ['updateService', [{ ...web, ...complete, onePacket: undefined }], 'service.onePacket'],
  ['removeService', [{ ...web, port: 65616 }], 'service.port'],
  ['getService', [{ ...web, address: 'localhost' }], 'service.address'],
  ['destinations', [{ ...web, protocol: 'TCP' }], 'service.protocol'],
  ['addDestination', [web, { address: '10.10.10.3', port: 80, forward: 'masq' }], 'destination.forward'],
  ['updateDestination', [web, { ...near, ...configured, weight: -1 }], 'destination.weight'],
  ['removeDestination', [web, { ...near, address: '010.10.10.2' }], 'destination.address'],
  ['zero', [{ fwmark: 0, family: 4 }], 'service.fwmark'],
  ['setTimeouts', [{ tcp: 5, tcpfin: 6 }], 'timeouts.tcpfin'],
  ['startDaemon', [{ role: 'backup', interface: 'lo', ttl: 0 }], 'daemon.ttl'],
  ['stopDaemon', [{ role: 'Master' }], 'daemon.role'],
  ['run', [{ type: 'removeService', service: { ...web, port: '80' } }], 'service.port'],
  ['batch', [[{ type: 'removeService', service: web }, { type: 'addService', service: { ...other, port: -1 } }]], 'service.port'],
]

test('the table has every method that takes arguments', () => {
  const without = ['flush', 'info', 'services', 'timeouts', 'daemons']
  expect(calls.map(([method]) => method).sort()).toEqual(
    [...Object.keys({ ...changes, ...reads }).filter((name) => !without.includes(name)), 'batch', 'run'].sort(),
  )
})

describe.each(apis)('bad input to %s', (label, Api) => {
  let host: Host
  let ipvs: Handle
  let call: Untyped
  let ipvsadm: Ipvsadm
  let before: unknown

  /** Everything that ipvsadm can tell of a table. */
  const everything = async (): Promise<unknown> => [
    await ipvsadm.save(),
    await ipvsadm.thresholds(),
    await ipvsadm.timeouts(),
    await ipvsadm.daemons(),
  ]

  beforeAll(async () => {
    host = await Host.create(label)
    ipvs = await Api.open({ netns: host.namespace.name })
    call = ipvs as unknown as Untyped
    ipvsadm = new Ipvsadm(host.namespace.path)
    await ipvsadm.restore([
      '-A -t 10.10.10.100:80 -s rr',
      '-a -t 10.10.10.100:80 -r 10.10.10.2:80 -m -w 5 -x 100 -y 10',
      '--start-daemon master --mcast-interface lo',
    ])
    before = await everything()
  })
  afterAll(async () => {
    await ipvs.close()
    await host[Symbol.asyncDispose]()
  })

  test.each(calls)('%s is refused with the name of the field, and the table is untouched', async (method, args, field) => {
    expect(await refusal(() => call[method](...args))).toMatchObject({ code: expect.stringMatching(/^ERR_(INVALID_ARG|OUT_OF_RANGE)/) as string, message: expect.stringContaining(field) as string })
    expect(await everything()).toEqual(before)
  })

  test('the error of a getter is thrown as it is', async () => {
    const boom = new Error('boom')
    const service = Object.defineProperty({ ...other }, 'port', { get: () => { throw boom }, enumerable: true })
    expect(await refusal(() => call.addService(service))).toBe(boom)
  })

  test('bad input does not keep the good input of the same turn from being carried out', async () => {
    const bad = refusal(() => call.removeDestination(web, { ...near, port: -1 }))
    const good = call.addService(other)
    expect(await bad).toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
    await good
    expect(await ipvs.getService({ protocol: 'tcp', address: '10.10.10.100', port: 81 })).toBeDefined()
    await call.removeService(other)
  })
})
