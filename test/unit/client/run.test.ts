import { describe, expect, test } from 'vitest'
import type { Operation } from 'ipvs'
import { changes } from '../../../lib/client/operations.js'
import { TestKernel } from '../../support/test-kernel.js'

const web = { protocol: 'tcp', address: '192.0.2.1', port: 80 } as const
const mark = { fwmark: 7, family: 6 } as const
const complete = { scheduler: 'wrr', schedulerFlags: [], onePacket: false, persistence: null, persistenceEngine: null }
const near = { address: '192.0.2.2', port: 80 } as const
const configured = { forward: 'nat', weight: 5, upperThreshold: 0, lowerThreshold: 0, tunnel: null } as const

/** Every type of operation, each with something that it changes. */
const story: Operation[] = [
  { type: 'addService', service: mark },
  { type: 'flush' },
  { type: 'addService', service: web },
  { type: 'addService', service: mark },
  { type: 'updateService', service: { ...web, ...complete } },
  { type: 'removeService', service: mark },
  { type: 'addDestination', service: web, destination: near },
  { type: 'addDestination', service: web, destination: { address: '192.0.2.3', port: 80 } },
  { type: 'updateDestination', service: web, destination: { ...near, ...configured } },
  { type: 'removeDestination', service: web, destination: { address: '192.0.2.3', port: 80 } },
  { type: 'zero', service: web },
  { type: 'zero' },
  { type: 'setTimeouts', timeouts: { udp: 60 } },
  { type: 'startDaemon', daemon: { role: 'master', interface: 'lo' } },
  { type: 'startDaemon', daemon: { role: 'backup', interface: 'lo' } },
  { type: 'stopDaemon', daemon: { role: 'backup' } },
]

test('the story has every type of operation', () => {
  expect(new Set(story.map(({ type }) => type))).toEqual(new Set(Object.keys(changes)))
})

test('run() sends the same requests as a batch', async () => {
  const batched = new TestKernel()
  batched.openSync().batch(story)
  const [promised, synchronous] = [new TestKernel(), new TestKernel()]
  const [ipvs, ipvsSync] = [promised.open(), synchronous.openSync()]
  for (const operation of story) {
    await ipvs.run(operation)
    ipvsSync.run(operation)
  }
  for (const kernel of [promised, synchronous]) {
    expect(kernel.asked).toEqual(batched.asked)
    expect(kernel.table()).toEqual(batched.table())
  }
  expect(batched.table()).toMatchObject({
    services: [{ ...web, ...complete, destinations: [{ ...near, ...configured }] }],
    timeouts: { udp: 60 },
    daemons: [{ role: 'master' }],
  })
})

test('operations of run() and other methods keep the order of the calls, and travel together', async () => {
  const kernel = new TestKernel()
  const ipvs = kernel.open()
  await Promise.all([
    ipvs.run({ type: 'addService', service: web }),
    ipvs.addDestination(web, near),
    ipvs.run({ type: 'removeService', service: web }),
  ])
  expect(kernel.asked).toEqual(['newService', 'newDest', 'delService'])
})

describe('what cannot be carried out', () => {
  const bad: [what: string, operation: unknown, error: object][] = [
    ['no operation', undefined, { code: 'ERR_INVALID_ARG_TYPE', field: 'operation' }],
    ['a type that does not exist', { type: 'constructor' }, { code: 'ERR_INVALID_ARG_TYPE', field: 'operation.type' }],
    [
      'a bad value',
      { type: 'addDestination', service: web, destination: { ...near, weight: -1 } },
      { code: 'ERR_OUT_OF_RANGE', field: 'destination.weight' },
    ],
    ['a missing argument', { type: 'removeService' }, { code: 'ERR_INVALID_ARG_TYPE', field: 'service' }],
    ['a refusal', { type: 'removeService', service: web }, { code: 'ESRCH', operation: { type: 'removeService', service: web } }],
  ]
  test.each(bad)('%s rejects, and throws in IpvsSync', async (_, operation, error) => {
    const kernel = new TestKernel()
    await expect(kernel.open().run(operation as Operation)).rejects.toMatchObject(error)
    const ipvs = kernel.openSync()
    expect(() => { ipvs.run(operation as Operation) }).toThrow(expect.objectContaining(error) as Error)
  })

  test('everything, on a closed handle', async () => {
    const ipvs = new TestKernel().open()
    await ipvs.close()
    await expect(ipvs.run({ type: 'flush' })).rejects.toMatchObject({ code: 'ERR_IPVS_CLOSED' })
    const ipvsSync = new TestKernel().openSync()
    ipvsSync.close()
    expect(() => { ipvsSync.run({ type: 'flush' }) }).toThrow(expect.objectContaining({ code: 'ERR_IPVS_CLOSED' }) as Error)
  })
})
