import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Ipvs, type Desired, type DesiredService, type Operation, type Plan } from 'ipvs'
import { run } from '../../scripts/setup/run.js'
import { Scene } from '../support/scene.js'
import { destinationId, serviceId } from '../../lib/model/keys.js'
import { TestTable } from '../unit/state/support/test-table.js'
import { table } from '../unit/state/support/tables.js'
import { addon } from '../../lib/wire/load.js'
import { records } from '../../lib/wire/layout.js'
import { changes } from '../../lib/client/operations.js'
import { Requests } from '../../lib/wire/pack/requests.js'
import { FORWARDING_METHODS } from '../../lib/model/vocabulary.js'
import { fileURLToPath } from 'node:url'

const web = { protocol: 'tcp', address: '10.0.0.1', port: 80 } as const
const [a, b, c] = ['10.0.0.101', '10.0.0.102', '10.0.0.103'].map((address) => ({ address, port: 80, forward: 'nat' as const }))

let scene: Scene
let ipvs: Ipvs
beforeAll(async () => {
  scene = await Scene.create(Ipvs, 'state')
  ipvs = scene.ipvs
})
beforeEach(() => ipvs.flush())
afterAll(() => scene[Symbol.asyncDispose]())

const typesOf = (operations: readonly Operation[]): string[] => operations.map(({ type }) => type)

/** What the kernel has, as sorted text without counters. */
async function contents(handle: Pick<Ipvs, 'snapshot'>): Promise<string[]> {
  const { services } = await handle.snapshot()
  return services
    .map(({ destinations, ...service }) =>
      JSON.stringify([
        serviceId(service),
        { ...service, stats: 0, rates: 0 },
        destinations
          .map(({ address, port, forward, weight, upperThreshold, lowerThreshold, tunnel }) => ({
            address,
            port,
            forward,
            weight,
            upperThreshold,
            lowerThreshold,
            tunnel,
          }))
          .sort((x, y) => (destinationId(x) < destinationId(y) ? -1 : 1)),
      ]),
    )
    .sort()
}

async function predicted(desired: Desired): Promise<string[]> {
  return contents((await TestTable.of(desired)).ipvs)
}

/** The random tables are the same each time. */
const runs = { seed: 5, numRuns: 40, endOnFailure: true }

describe('apply on a real kernel', () => {
  test('brings random tables to random desired states, as the test kernel predicts', async () => {
    await fc.assert(fc.asyncProperty(table, table, async (before, after) => {
      await ipvs.flush()
      expect((await ipvs.apply(before)).refused).toEqual([])
      expect(await contents(ipvs)).toEqual(await predicted(before))
      expect((await ipvs.apply(after, { prune: 'all' })).refused).toEqual([])
      expect(await contents(ipvs)).toEqual(await predicted(after))
      expect((await ipvs.plan(after, { prune: 'all' })).operations).toEqual([])
    }), runs)
  })

  test('a table that is as desired in another spelling needs no operations', async () => {
    await scene.ipvsadm.run(
      '-A -t 10.0.0.1:80 -s wlc -p 360',
      '-a -t 10.0.0.1:80 -r 10.0.0.101:80 -g',
      '-A -f 5 -6 -s rr -p 50 -M 64',
      '-a -f 5 -6 -r [fd00::9]:0 -i',
    )
    const desired: Desired = {
      services: [
        { ...web, persistence: { netmask: '255.255.255.255' }, destinations: [{ address: '10.0.0.101', port: 80 }] },
        {
          fwmark: 5,
          family: 6,
          scheduler: 'rr',
          persistence: { timeout: 50, prefixLength: 64 },
          destinations: [{ address: 'FD00:0::09', port: 0, forward: 'tun' }],
        },
      ],
    }
    expect(await ipvs.plan(desired, { prune: 'all' })).toEqual({ operations: [], warnings: [] })
  })

  test('a state that was applied, and a snapshot, need no operations with any prune and drain', async () => {
    await fc.assert(fc.asyncProperty(table, fc.constantFrom('none', 'all'), fc.boolean(), async (before, prune, drain) => {
      await ipvs.apply(before, { prune: 'all' })
      for (const desired of [before, [...before].reverse(), await ipvs.snapshot()])
        expect((await ipvs.plan(desired, { prune, drain })).operations).toEqual([])
    }), { seed: 7, numRuns: 20 })
  })

  test('a plan keeps its place among the operations of its handle, and is finished before the handle closes', async () => {
    const handle = await Ipvs.open({ netns: scene.namespace.name })
    const [{ operations }] = await Promise.all([handle.plan([web]), handle.addService(web)])
    expect(typesOf(operations)).toEqual(['addService'])
    const [later] = await Promise.all([handle.plan([web]), handle.close()])
    expect(later.operations).toEqual([])
  })

  test.each([
    ['the one the kernel lists first', ['fd00::1', 'FD00:0::1']],
    ['the other one first', ['FD00:0::1', 'fd00::1']],
    ['both alike', ['fd00::1', 'fd00::1']],
    ['neither as listed', ['FD00::1', 'FD00:0::1']],
  ])('a service that is desired twice is refused: %s', async (_, addresses) => {
    const destination = { address: 'fd00::9', port: 80, forward: 'nat' } as const
    const desired = addresses.map((address) => ({ protocol: 'tcp' as const, address, port: 80, destinations: [destination] }))
    for (const table of [[desired[0]], []]) {
      await ipvs.apply(table, { prune: 'all' })
      for (const states of [desired, [{ ...web, destinations: [a] }, ...desired]]) {
        await expect(ipvs.plan(states)).rejects.toMatchObject({
          field: `desired.services[${states.length - 1}]`,
          message: expect.stringContaining('a second time') as unknown,
        })
      }
    }
  })

  test('a snapshot brings a table back', async () => {
    await ipvs.apply([{ ...web, destinations: [a, b] }, { fwmark: 7, family: 4, destinations: [c] }])
    const saved = await ipvs.snapshot()
    const text = await scene.ipvsadm.save()
    await ipvs.flush()
    await ipvs.apply(saved)
    expect((await scene.ipvsadm.save()).sort()).toEqual(text.sort())
  })

  test('timeouts and daemons are left alone unless they are named', async () => {
    await ipvs.setTimeouts({ tcp: 1000, tcpFin: 100, udp: 200 })
    expect((await ipvs.plan([], { prune: 'all' })).operations).toEqual([])
    const named = {
      services: [],
      timeouts: { tcp: 1000, udp: 250 },
      daemons: [{ role: 'backup' as const, interface: 'lo', syncId: 3, maxLength: 500 }],
    }
    const { plan, done } = await ipvs.apply(named)
    expect(typesOf(plan.operations)).toEqual(['setTimeouts', 'startDaemon'])
    expect(done).toBe(2)
    expect(await ipvs.timeouts()).toEqual({ tcp: 1000, tcpFin: 100, udp: 250 })
    expect((await ipvs.plan(named, { prune: 'all' })).operations).toEqual([])
    expect(typesOf((await ipvs.apply({ services: [], daemons: [] }, { prune: 'all' })).plan.operations)).toEqual(['stopDaemon'])
    expect(await ipvs.daemons()).toEqual([])
  })

  test('a refusal is reported with the kernel\'s error, what it was to replace stays, and the next apply completes it', async () => {
    await ipvs.apply([{ ...web, destinations: [a] }])
    const result = await ipvs.apply(
      [
        {
          ...web,
          scheduler: 'rr',
          destinations: [
            { ...b, address: '127.0.0.1' },
            { ...c, address: '224.0.0.1' },
          ],
        },
      ],
      { prune: 'all' },
    )
    expect(result.refused.map(({ operation, error }) => [operation.type, error?.code])).toContainEqual(['addDestination', 'EINVAL'])
    expect(typesOf(result.withheld)).toEqual(['removeDestination'])
    expect((await ipvs.destinations(web)).map(({ address }) => address)).toContain(a.address)
    await ipvs.apply([{ ...web, scheduler: 'rr', destinations: [b] }], { prune: 'all' })
    expect(await scene.ipvsadm.save()).toEqual(['-A -t 10.0.0.1:80 -s rr', '-a -t 10.0.0.1:80 -r 10.0.0.102:80 -m -w 1'])
  })

  test('rollback brings back the table as it was', async () => {
    await ipvs.apply([{ ...web, destinations: [{ ...a, weight: 7 }, b] }, { ...web, port: 81, destinations: [c] }])
    const before = await contents(ipvs)
    const result = await ipvs.apply(
      [
        { ...web, scheduler: 'sh', destinations: [{ ...a, weight: 9 }] },
        { ...web, port: 82, destinations: [a, { ...c, address: '224.0.0.1' }] },
      ],
      { prune: 'all', rollback: true },
    )
    expect(result.refused).toMatchObject([
      { operation: { type: 'addDestination', destination: { address: '224.0.0.1' } }, error: { code: 'EINVAL' } },
    ])
    expect(result.rollback).toMatchObject({ notUndone: [] })
    expect(await contents(ipvs)).toEqual(before)
  })

  test('a handle that is closed in the middle leaves the report of what is in force', async () => {
    const own = await Ipvs.open({ netns: scene.namespace.name })
    let closing: Promise<void> | undefined
    const onProgress = (): void => {
      closing ??= own.close()
    }
    await expect(own.apply([{ ...web, destinations: [a, b, c] }], { batchSize: 2, onProgress })).rejects.toMatchObject({
      code: 'ERR_IPVS_CLOSED', result: { done: 2, refused: [], unknown: [], notSent: 2 },
    })
    await closing
    expect(await scene.ipvsadm.save()).toEqual(['-A -t 10.0.0.1:80 -s wlc', '-a -t 10.0.0.1:80 -r 10.0.0.101:80 -m -w 1'])
  })

  test('with only, just the named services become as desired, and those of them that are not desired are removed', async () => {
    const marked = { fwmark: 9, family: 4 } as const
    await ipvs.apply([
      { ...web, destinations: [a] },
      { ...web, port: 81, destinations: [b] },
      { ...marked, destinations: [c] },
      { fwmark: 9, family: 6 },
    ])
    const desired = [
      { ...web, scheduler: 'rr', destinations: [b] },
      { ...web, protocol: 'udp' as const, destinations: [c] },
      { ...web, port: 81, scheduler: 'sh' },
    ]
    const result = await ipvs.apply(desired, { only: [web, { ...web, protocol: 'udp' }, marked], prune: 'all' })
    expect(result).toMatchObject({ done: 6, refused: [], withheld: [], notSent: 0 })
    expect((await scene.ipvsadm.save()).sort()).toEqual([
      '-A -f 9 -6 -s wlc',
      '-A -t 10.0.0.1:80 -s rr',
      '-A -t 10.0.0.1:81 -s wlc',
      '-A -u 10.0.0.1:80 -s wlc',
      '-a -t 10.0.0.1:80 -r 10.0.0.102:80 -m -w 1',
      '-a -t 10.0.0.1:81 -r 10.0.0.102:80 -m -w 1',
      '-a -u 10.0.0.1:80 -r 10.0.0.103:80 -m -w 1',
    ])
    expect((await ipvs.plan(desired, { only: [web, { ...web, protocol: 'udp' }, marked], prune: 'all' })).operations).toEqual([])
  })

  test('a plan that was written to a file is carried out as it was reviewed, or refused where ipvsadm came in between', async () => {
    await ipvs.apply([{ ...web, destinations: [a, { ...b, weight: 5 }] }, { ...web, port: 81, destinations: [c] }])
    const desired = [{ ...web, scheduler: 'rr', destinations: [{ ...b, weight: 2 }, c] }]
    const review = async (): Promise<Plan> => JSON.parse(JSON.stringify(await ipvs.plan(desired, { prune: 'all' }))) as Plan
    const first = await review()
    await scene.ipvsadm.run('-e -t 10.0.0.1:80 -r 10.0.0.101:80 -m -w 9')
    const saved = await scene.ipvsadm.save()
    await expect(ipvs.apply(first)).rejects.toMatchObject({ code: 'ERR_IPVS_TABLE_CHANGED', changed: ['tcp 10.0.0.1:80'] })
    expect(await scene.ipvsadm.save()).toEqual(saved)
    const second = await review()
    await scene.ipvsadm.run('-A -u 10.0.0.1:53')
    expect(await ipvs.apply(second)).toMatchObject({ done: second.operations.length, refused: [], withheld: [] })
    expect((await scene.ipvsadm.save()).sort()).toEqual([
      '-A -t 10.0.0.1:80 -s rr',
      '-A -u 10.0.0.1:53 -s wlc',
      '-a -t 10.0.0.1:80 -r 10.0.0.102:80 -m -w 2',
      '-a -t 10.0.0.1:80 -r 10.0.0.103:80 -m -w 1',
    ])
    await expect(ipvs.apply(second)).rejects.toMatchObject({ code: 'ERR_IPVS_TABLE_CHANGED' })
  })

  test('two programs share a table, each with what it owns', async () => {
    const blue = { prune: 'owned', owns: { port: [80, 89] } } as const
    const green = { prune: 'owned', owns: { port: [90, 99] } } as const
    const other = await Ipvs.open({ netns: scene.namespace.name })
    try {
      await Promise.all([ipvs.apply([{ ...web, destinations: [a] }], blue), other.apply([{ ...web, port: 90, destinations: [b] }], green)])
      await Promise.all([
        ipvs.apply([{ ...web, port: 81, destinations: [a] }], blue),
        other.apply([{ ...web, port: 91, destinations: [b] }], green),
      ])
      expect((await scene.ipvsadm.save()).filter((line) => line.startsWith('-A')).sort()).toEqual([
        '-A -t 10.0.0.1:81 -s wlc',
        '-A -t 10.0.0.1:91 -s wlc',
      ])
      await expect(ipvs.apply([{ ...web, port: 95 }], blue)).rejects.toMatchObject({ field: 'desired.services[0]' })
    } finally {
      await other.close()
    }
  })

  test('reaches the desired state although ipvsadm edits meanwhile', async () => {
    const desired: DesiredService[] = Array.from({ length: 20 }, (_, i) => ({ ...web, port: 1000 + i, destinations: [a, b] }))
    const edits = (async () => {
      for (let i = 0; i < 20; i++) {
        await scene.ipvsadm.try(`-D -t 10.0.0.1:${1000 + i}`)
        await scene.ipvsadm.try(`-A -t 10.0.0.1:${2000 + i} -s rr`)
      }
    })()
    for (let i = 0; i < 10; i++)
      await ipvs
        .apply(desired, { prune: 'all', batchSize: 7, concurrencyCheck: i % 2 === 0 })
        .catch((error: unknown) => expect(error).toMatchObject({ code: 'ERR_IPVS_TABLE_CHANGING' }))
    await edits
    await ipvs.apply(desired, { prune: 'all' })
    expect(await contents(ipvs)).toEqual(await predicted(desired))
  })
})

describe('an entry of another program that this library would refuse to write', () => {
  /** Adds direct routing to another port than the service's, which the kernel accepts. It is packed as NAT, and changed on the way. */
  function addForeign(): void {
    const requests = new Requests(1024)
    changes.addDestination.pack(requests, web, { address: '10.0.0.109', port: 81, forward: 'nat' })
    requests.u32[(requests.recordsOf(0) + records.service.keySize + records.destination.fields.forward.offset) >> 2] =
      FORWARDING_METHODS.number.get('dr')!
    const handle = addon.openSync({ netnsPath: scene.namespace.path })
    try {
      expect(handle.executeSync(requests.u8, requests.length, requests.count, 0)).toBeNull()
    } finally {
      handle.close()
    }
  }

  beforeEach(async () => {
    await ipvs.apply([{ ...web, destinations: [a] }])
    addForeign()
    expect(await ipvs.destinations(web)).toContainEqual(expect.objectContaining({ port: 81, forward: 'dr' }))
  })

  test('is removed if it cannot be drained', async () => {
    const result = await ipvs.apply([{ ...web, scheduler: 'rr', destinations: [b] }], { prune: 'all', drain: { interval: 0.001 } })
    expect(result).toMatchObject({ refused: [], withheld: [], notSent: 0, draining: [] })
    expect(await scene.ipvsadm.save()).toEqual(['-A -t 10.0.0.1:80 -s rr', '-a -t 10.0.0.1:80 -r 10.0.0.102:80 -m -w 1'])
  })

  test('is listed if a rollback cannot bring it back, and the rest comes back', async () => {
    const desired: Desired = {
      services: [{ ...web, scheduler: 'rr', destinations: [b] }],
      daemons: [{ role: 'master', interface: 'missing0' }],
    }
    const { refused, rollback } = await ipvs.apply(desired, { prune: 'all', rollback: true })
    expect(refused).toMatchObject([{ operation: { type: 'startDaemon' }, error: { code: 'ENODEV' } }])
    expect(rollback!.notUndone).toMatchObject([
      { operation: { type: 'addDestination', destination: { port: 81 } }, error: { outcome: 'not-sent' } },
    ])
    expect(await scene.ipvsadm.save()).toEqual(['-A -t 10.0.0.1:80 -s wlc', '-a -t 10.0.0.1:80 -r 10.0.0.101:80 -m -w 1'])
  })
})

describe('a process that is killed while it applies', () => {
  const before: DesiredService[] = [{ ...web, destinations: [a, b] }, { ...web, port: 81, destinations: [c] }]
  const after: DesiredService[] = [
    { ...web, scheduler: 'rr', destinations: [{ ...b, weight: 3 }, c] },
    { ...web, port: 82, destinations: [a, b] },
  ]
  const killer = fileURLToPath(new URL('programs/apply-and-die.mjs', import.meta.url))

  test.each([1, 2, 7])('after any send of %i operations leaves a table that the next apply brings to the desired state', async (batchSize) => {
    const operations = 8
    for (let sends = 1; sends <= Math.ceil(operations / batchSize); sends++) {
      await ipvs.flush()
      await ipvs.apply(before)
      expect((await ipvs.plan(after, { prune: 'all' })).operations).toHaveLength(operations)
      const { stderr } = await run(process.execPath, [killer, scene.namespace.name, String(batchSize), String(sends)], {
        input: JSON.stringify(after),
      })
      expect(stderr).toBe('ended by SIGKILL\n')
      const left = await ipvs.destinations(web)
      expect(left.filter(({ weight }) => weight > 0).length).toBeGreaterThan(0)
      await ipvs.apply(after, { prune: 'all' })
      expect(await contents(ipvs)).toEqual(await predicted(after))
    }
  })
})
