import { constants } from 'node:os'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import {
  formatPlan, type ApplyOptions, type DaemonInput, type Desired, type DesiredService, type DesiredTable, type Operation, type PlanOptions,
} from 'ipvs'
import { destinationId, serviceId } from '../../../lib/model/keys.js'
import { refusal } from '../../support/errors.js'
import { table } from './support/tables.js'
import { isChange, TestTable } from './support/test-table.js'

// Hundreds of random tables take their time on a machine that is busy.
vi.setConfig({ testTimeout: 60_000 })

const { EINVAL } = constants.errno

/** The same tables each time; another seed gives others. */
const runs = { seed: 20, numRuns: 150 }

const web = { protocol: 'tcp', address: '10.0.0.1', port: 80 } as const
const [a, b, c] = ['10.0.0.101', '10.0.0.102', '10.0.0.103'].map((address) => ({ address, port: 80, forward: 'nat' as const }))

const modelOf = (desired: Desired): Promise<TestTable> => TestTable.of(desired)

const typesOf = (operations: readonly Operation[]): string[] => operations.map(({ type }) => type)

describe('the order in which destinations were added', () => {
  /** A table whose destinations were added one after another. */
  async function addedInOrder(scheduler: string, ...destinations: (typeof a)[]): Promise<TestTable> {
    const model = await modelOf([{ ...web, scheduler }])
    for (const one of destinations) await model.ipvs.addDestination(web, one)
    return model
  }

  test.each([
    ['mh', [a, b, c], [a, b, c], false], ['mh', [a, c, b], [a, b, c], true], ['sh', [b, a], [a, b], true], ['dh', [b, a], [a, b], true],
    ['rr', [b, a], [a, b], false],
    // What is added comes last, wherever it stands in the list.
    ['mh', [a, c], [a, b, c], true], ['mh', [a, b], [a, b, c], false],
    // What leaves does not count.
    ['mh', [c, a, b], [a, b], false],
    // A list that is in no order of addresses is the same wherever it is applied; a snapshot lists what was added last first.
    ['mh', [b, a], [b, a], false], ['mh', [a, b, c], [c, b, a], false],
  ] as const)('%s: added as %j, desired as %j: warns is %s', async (scheduler, before, desired, warns) => {
    const model = await addedInOrder(scheduler, ...before)
    const { warnings } = await model.ipvs.plan([{ ...web, scheduler, destinations: [...desired] }], { prune: 'all' })
    expect(warnings).toEqual(warns ? [expect.objectContaining({ code: 'order', service: web }) as object] : [])
  })
})

describe('for random tables', () => {
  test('the plan leads from any table to any desired one, and then there is nothing to do', async () => {
    await fc.assert(fc.asyncProperty(table, table, async (before, after) => {
      const model = await modelOf(before)
      const result = await model.ipvs.apply({ services: after }, { prune: 'all' })
      expect(result.refused).toEqual([])
      expect(model.contents()).toEqual((await modelOf(after)).contents())
      expect((await model.ipvs.plan(after, { prune: 'all' })).operations).toEqual([])
    }), runs)
  })

  test('no service that has destinations before and after loses all of its capacity in between', async () => {
    let seen = 0
    await fc.assert(fc.asyncProperty(table, table, async (before, after) => {
      const model = await modelOf(before)
      const start = model.capacity()
      const end = (await modelOf(after)).capacity()
      const without: string[] = []
      model.kernel.after = (asked) => {
        if (isChange(asked)) for (const [id, count] of model.capacity()) {
          if ((start.get(id) ?? 0) === 0 || (end.get(id) ?? 0) === 0) continue
          seen++
          if (count === 0) without.push(id)
        }
      }
      await model.ipvs.apply(after, { prune: 'all' })
      expect(without).toEqual([])
    }), runs)
    expect(seen).toBeGreaterThan(0)
  })

  test('no list is shorter: each operation is about an entry of its own, and changes it', async () => {
    let removals = 0
    await fc.assert(fc.asyncProperty(table, table, async (before, after) => {
      const model = await modelOf(before)
      const { operations } = await model.ipvs.plan(after, { prune: 'all' })
      const entries = operations.map((operation) => {
        if (!('service' in operation) || operation.service === undefined) throw new Error(operation.type)
        return serviceId(operation.service) + ('destination' in operation ? ` ${destinationId(operation.destination)}` : '')
      })
      expect(new Set(entries).size).toBe(entries.length)
      const removed = operations
        .filter(({ type }) => type === 'removeService')
        .map((operation) => serviceId((operation as { service: typeof web }).service))
      let contents = model.contents()
      for (const operation of operations) {
        if (operation.type === 'removeDestination') {
          removals++
          expect(removed).not.toContain(serviceId(operation.service))
        }
        model.other.run(operation)
        const changed = model.contents()
        expect(changed).not.toEqual(contents)
        contents = changed
      }
    }), runs)
    expect(removals).toBeGreaterThan(0)
  })

  test('without prune nothing is removed; with an owner nothing of others is touched', async () => {
    let [ours, kept] = [0, 0]
    await fc.assert(fc.asyncProperty(table, table, async (before, after) => {
      const model = await modelOf(before)
      const removals = async (options?: PlanOptions): Promise<string[]> =>
        typesOf((await model.ipvs.plan(after, options)).operations).filter((type) => type.startsWith('remove'))
      expect(await removals()).toEqual([])
      kept += (await removals({ prune: 'all' })).length
      const mine = after.filter((service) => 'port' in service && service.port === 443)
      const owned = await model.ipvs.plan(mine, { prune: 'owned', owns: { port: 443 } })
      for (const operation of owned.operations) expect(operation).toMatchObject({ service: { port: 443 } })
      ours += owned.operations.length
    }), runs)
    expect([ours, kept].map((count) => count > 0)).toEqual([true, true])
  })

  test('a snapshot is a desired state that is reached', async () => {
    await fc.assert(fc.asyncProperty(table, async (services) => {
      const model = await modelOf(services)
      const snapshot = model.kernel.table()
      expect((await model.ipvs.plan(snapshot, { prune: 'all' })).operations).toEqual([])
      const empty = new TestTable()
      await empty.ipvs.apply(snapshot)
      expect(empty.contents()).toEqual(model.contents())
    }), runs)
  })
})

describe('the order', () => {
  test('successors come before those they replace are removed', async () => {
    const model = await modelOf([{ ...web, destinations: [a] }])
    const { operations } = await model.ipvs.plan([{ ...web, destinations: [b] }], { prune: 'all' })
    expect(typesOf(operations)).toEqual(['addDestination', 'removeDestination'])
  })

  test('another forwarding method is a change in place', async () => {
    const model = await modelOf([{ ...web, destinations: [a] }])
    const { operations } = await model.ipvs.plan([{ ...web, destinations: [{ ...a, forward: 'dr' }] }], { prune: 'all' })
    expect(operations).toMatchObject([{ type: 'updateDestination', destination: { forward: 'dr', weight: 1 }, reason: 'forward nat → dr' }])
  })

  test('weights grow before others shrink', async () => {
    const model = await modelOf([{ ...web, destinations: [{ ...a, weight: 1 }, { ...b, weight: 0 }] }])
    const { operations } = await model.ipvs.plan([{ ...web, destinations: [{ ...a, weight: 0 }, { ...b, weight: 1 }] }])
    expect(operations).toMatchObject([
      { destination: { address: b.address, weight: 1 } },
      { destination: { address: a.address, weight: 0 } },
    ])
  })

  test('a daemon that differs is stopped and started anew', async () => {
    const model = await modelOf({ services: [], daemons: [{ role: 'master', interface: 'lo' }] })
    expect((await model.ipvs.plan({ services: [], daemons: [{ role: 'master', interface: 'lo', ttl: 1 }] })).operations).toEqual([])
    expect((await model.ipvs.plan({ services: [] }, { prune: 'all' })).operations).toEqual([])
    const { operations } = await model.ipvs.plan({ services: [], daemons: [{ role: 'master', interface: 'lo', ttl: 3 }] })
    expect(typesOf(operations)).toEqual(['stopDaemon', 'startDaemon'])
    expect(typesOf((await model.ipvs.plan({ services: [], daemons: [] }, { prune: 'all' })).operations)).toEqual(['stopDaemon'])
  })

  test('a daemon that is not named is stopped where everything is this program\'s, and left alone where it shares the table', async () => {
    const model = await modelOf({ services: [], daemons: [{ role: 'backup', interface: 'lo' }] })
    const master = { role: 'master' as const, interface: 'lo' }
    const typesWith = async (options: PlanOptions): Promise<string[]> =>
      typesOf((await model.ipvs.plan({ services: [], daemons: [master] }, options)).operations)
    expect(await typesWith({ prune: 'all' })).toEqual(['stopDaemon', 'startDaemon'])
    for (const prune of ['owned', 'all'] as const) expect(await typesWith({ prune, owns: { port: 80 } })).toEqual(['startDaemon'])
  })

  test('timeouts are compared where they are named, 0 for as it is', async () => {
    const model = new TestTable()
    const { operations } = await model.ipvs.plan({ services: [], timeouts: { tcp: 0, udp: 300, tcpFin: 60 } })
    expect(operations).toMatchObject([{ type: 'setTimeouts', timeouts: { tcpFin: 60 }, reason: 'tcpFin 120 → 60 seconds' }])
  })
})

describe('a large service', () => {
  const many = Array.from({ length: 40 }, (_, i) => ({ address: `10.1.0.${i + 1}`, port: 80, forward: 'nat' as const }))

  test('is compared whatever the order of its destinations', async () => {
    const model = await modelOf([{ ...web, destinations: many }])
    for (const destinations of [many, many.toReversed(), [...many.slice(7), ...many.slice(0, 7)]]) {
      expect((await model.ipvs.plan([{ ...web, destinations }], { prune: 'all' })).operations).toEqual([])
    }
  })
})

describe('a list that was edited while it was read', () => {
  test('has a destination twice, which is planned for once', async () => {
    // As many as never come in one datagram.
    const others = Array.from({ length: 7 }, (_, i) => ({ ...a, address: `10.1.0.${i + 1}` }))
    const model = await modelOf([{ ...web, destinations: [a, b, ...others] }])
    model.kernel.arrange = ({ command }, records) => command === 'getDest' ? [...records, records[0], records[1]] : records
    const operationsFor = async (desired: Desired): Promise<Operation[]> => (await model.ipvs.plan(desired, { prune: 'all' })).operations
    const orders = [[a, b, ...others], [a, b, ...others].reverse(), [b, ...others, a]]
    for (const destinations of orders) {
      expect(await operationsFor([{ ...web, destinations }])).toEqual([])
      for (const again of destinations) {
        await expect(operationsFor([{ ...web, destinations: [...destinations, again] }])).rejects.toThrow(`desired.services[0].destinations[9] names ${again.address}:80 a second time`)
      }
    }
    expect(await operationsFor([{ ...web, destinations: [{ ...a, weight: 2 }, ...others] }])).toMatchObject([
      { type: 'updateDestination', destination: { address: a.address, weight: 2 } },
      { type: 'removeDestination', destination: { address: b.address } },
    ])
  })
})

test('the event loop has its turns within a service, and a plan under way beside another is not disturbed', async () => {
  const many = Array.from({ length: 4000 }, (_, i) => ({ ...a, address: `10.2.${i >> 8}.${i & 255}` }))
  const model = await modelOf([{ ...web, destinations: many }, { ...web, port: 81, destinations: many }])
  let time = 0
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => time += 10)
  let turns = 0
  let planning = true
  const count = (): void => {
    turns++
    if (planning) setImmediate(count)
  }
  setImmediate(count)
  try {
    const raised = (port: number, weight: number): Promise<{ operations: Operation[] }> =>
      model.ipvs.plan([{ ...web, port, destinations: many.map((destination) => ({ ...destination, weight })) }])
    const plans = await Promise.all([raised(80, 2), raised(81, 3)])
    for (const [i, { operations }] of plans.entries()) {
      expect(operations).toHaveLength(many.length)
      for (const operation of operations)
        expect(operation).toMatchObject({ type: 'updateDestination', service: { port: 80 + i }, destination: { weight: 2 + i } })
    }
    expect(turns).toBeGreaterThan(20)
  } finally {
    planning = false
    clock.mockRestore()
  }
})

describe('draining', () => {
  const options = { prune: 'all', drain: true } as const

  test('brings a destination to weight 0, keeping its other settings, and removes it when its connections are gone', async () => {
    const model = await modelOf([{ ...web, destinations: [{ ...a, upperThreshold: 50 }, b] }])
    model.connect(web, a, { active: 3 })
    const first = await model.ipvs.plan([{ ...web, destinations: [b] }], options)
    expect(first.operations).toMatchObject([
      { type: 'updateDestination', destination: { address: a.address, weight: 0, upperThreshold: 50 } },
    ])
    expect(first.draining).toMatchObject([{ service: web, destination: { address: a.address, port: 80 }, activeConnections: 3 }])
    await model.ipvs.batch(first.operations)
    expect((await model.ipvs.plan([{ ...web, destinations: [b] }], options)).operations).toEqual([])
    model.connect(web, a, { inactive: 2 })
    expect((await model.ipvs.plan([{ ...web, destinations: [b] }], options)).operations).toEqual([])
    expect(
      typesOf((await model.ipvs.plan([{ ...web, destinations: [b] }], { ...options, drain: { until: 'established' } })).operations),
    ).toEqual(['removeDestination'])
    model.connect(web, a, {})
    expect(typesOf((await model.ipvs.plan([{ ...web, destinations: [b] }], options)).operations)).toEqual(['removeDestination'])
  })

  test('of a service drains its destinations, then removes it', async () => {
    const model = await modelOf([{ ...web, destinations: [a, b] }])
    const result = await model.ipvs.apply([], { prune: 'all', drain: { interval: 0.001 } })
    expect(model.changes()).toEqual(['updateDestination', 'updateDestination', 'removeService'])
    expect(result).toMatchObject({ done: 3, notSent: 0, draining: [] })
  })

  test('ends at the time limit', async () => {
    const model = await modelOf([{ ...web, destinations: [a, b] }])
    model.connect(web, a, { active: 1 })
    expect(
      await model.ipvs.apply([{ ...web, destinations: [b] }], { prune: 'all', drain: { timeout: 0.02, interval: 0.005 } }),
    ).toMatchObject({ done: 2, draining: [] })
    expect(model.changes()).toEqual(['updateDestination', 'removeDestination'])
  })

  test('that is aborted leaves the destination draining, and the next apply goes on', async () => {
    const model = await modelOf([{ ...web, destinations: [a, b] }])
    model.connect(web, a, { active: 1 })
    const desired = [{ ...web, destinations: [b] }]
    const abort = new AbortController()
    const onProgress = ({ phase }: { phase: string }): void => {
      if (phase === 'draining') abort.abort()
    }
    await expect(model.ipvs.apply(desired, { ...options, signal: abort.signal, onProgress })).rejects.toMatchObject({
      name: 'AbortError',
      result: { done: 1 },
    })
    model.connect(web, a, {})
    await model.ipvs.apply(desired, options)
    expect(model.changes()).toEqual(['updateDestination', 'removeDestination'])
  })

  test('has what was done in its error, whatever was thrown, and prints none of it', async () => {
    const desired = [{ ...web, destinations: [b] }]
    const frozen = Object.freeze(new Error('mine'))
    for (const [thrown, expected] of [
      [new Error('mine'), { message: 'mine' }],
      [frozen, { message: 'The work ended early, with operations in force: mine', cause: frozen }],
      ['text', { cause: 'text' }],
    ] as const) {
      const onProgress = (): void => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error -- whatever a caller's function throws
        throw thrown
      }
      const error = await refusal(async () =>
        (await modelOf([{ ...web, destinations: [a, b] }])).ipvs.apply(desired, { ...options, onProgress }),
      )
      expect(error).toMatchObject({ ...expected, result: { done: 1 } })
      expect(inspect(error, { depth: Infinity })).not.toContain('updateDestination')
    }
    const abort = new AbortController()
    const aborted = await refusal(async () =>
      (await modelOf([{ ...web, destinations: [a, b] }])).ipvs.apply(desired, {
        ...options,
        signal: abort.signal,
        onProgress: () => abort.abort(),
      }),
    )
    expect(aborted).toMatchObject({ name: 'AbortError', result: { done: 1 } })
    expect(inspect(aborted, { depth: Infinity })).not.toContain('updateDestination')
  })

  test('brings down again what another program revives meanwhile', async () => {
    const model = await modelOf([{ ...web, destinations: [a, b, c] }])
    model.connect(web, a, { active: 1 })
    model.connect(web, c, { active: 1 })
    let looks = 0
    const onProgress = ({ phase }: { phase: string }): void => {
      if (phase !== 'draining') return
      looks++
      if (looks === 1) model.kernel.configure(web, c, { weight: 9 })
      if (looks === 2) model.connect(web, a, {})
      if (looks === 3) model.connect(web, c, {})
    }
    const changed: string[] = []
    model.kernel.before = (asked) => {
      if (isChange(asked)) changed.push(`${asked.command} ${Buffer.from(asked.body).includes(Buffer.from([10, 0, 0, 101])) ? 'a' : 'c'}`)
    }
    const result = await model.ipvs.apply([{ ...web, destinations: [b] }], { prune: 'all', drain: { interval: 0.001 }, onProgress })
    expect(changed).toEqual(['setDest c', 'setDest a', 'setDest c', 'delDest a', 'delDest c'])
    expect(result).toMatchObject({ done: 5, draining: [] })
    expect(model.capacity()).toEqual(new Map([[serviceId(web), 1]]))
  })

  test('of destinations of the other address family comes before the start of a sync daemon, which the kernel refuses beside them', async () => {
    const model = await modelOf([{ ...web, destinations: [{ address: 'fd00::1', port: 80, forward: 'tun' }, b] }])
    const desired: DesiredTable = { services: [{ ...web, destinations: [b] }], daemons: [{ role: 'master', interface: 'lo' }] }
    const result = await model.ipvs.apply(desired, { prune: 'all', drain: { interval: 0.001 } })
    expect(model.changes()).toEqual(['updateDestination', 'removeDestination', 'startDaemon'])
    expect(model.kernel.table().daemons).toMatchObject([{ role: 'master' }])
    expect(result.plan.operations.map(({ type }) => type)).toEqual(['updateDestination', 'startDaemon'])
  })

  test.each([['sh', [], true], ['sh', ['sh-fallback'], false], ['mh', [], true], ['dh', [], true], ['rr', [], false]])('with %s %j warns of refused clients: %s', async (scheduler, schedulerFlags, warns) => {
    const model = await modelOf([{ ...web, scheduler, schedulerFlags, destinations: [a, b] }])
    const { warnings } = await model.ipvs.plan([{ ...web, scheduler, schedulerFlags, destinations: [b] }], options)
    expect(warnings.map(({ code }) => code)).toEqual(warns ? ['refuses-clients'] : [])
  })

  test('sends what brings it about before the settings are read that a warning is about', async () => {
    const model = await modelOf([{ ...web, destinations: [a, b] }])
    let lowered!: () => void
    const gate = new Promise<void>((resolve) => {
      lowered = resolve
    })
    model.kernel.after = ({ command }) => {
      if (command === 'setDest') lowered()
    }
    Object.assign(model.ipvs.sysctl, { get: () => gate.then(() => 0) })
    const { plan } = await model.ipvs.apply([{ ...web, destinations: [b] }], { prune: 'all', drain: { interval: 0.001 } })
    expect(plan.warnings.map(({ code }) => code)).toContain('sysctl')
  })

  test('names the settings of the kernel that matter', async () => {
    const model = await modelOf([{ ...web, persistence: {}, destinations: [a, b] }])
    Object.assign(model.kernel.sysctls, { expire_quiescent_template: 0, expire_nodest_conn: 0, conn_reuse_mode: 1 })
    const { warnings } = await model.ipvs.plan([{ ...web, persistence: {}, destinations: [b] }], options)
    expect(warnings).toMatchObject([
      { code: 'sysctl', message: expect.stringContaining('expire_quiescent_template') as unknown },
      { code: 'sysctl', message: expect.stringContaining('expire_nodest_conn') as unknown },
    ])
  })
})

describe('what draining waits for and warns of', () => {
  const options = { prune: 'all', drain: true } as const
  const established = { prune: 'all', drain: { until: 'established' } } as const
  const gone = [{ ...web, destinations: [b] }]

  test('templates of a service whose persistence was switched off are no connections any more: nobody uses them', async () => {
    const model = await modelOf([{ ...web, persistence: {}, destinations: [{ ...a, weight: 0 }, b] }])
    model.connect(web, a, { persistent: 2 })
    expect((await model.ipvs.plan([{ ...web, persistence: {}, destinations: [b] }], options)).operations).toEqual([])
    expect(typesOf((await model.ipvs.plan(gone, options)).operations)).toEqual(['updateService', 'removeDestination'])
    model.other.updateService({
      ...web,
      scheduler: 'wlc',
      schedulerFlags: [],
      onePacket: false,
      persistence: null,
      persistenceEngine: null,
    })
    expect(typesOf((await model.ipvs.plan([], options)).operations)).toEqual(['updateDestination', 'removeDestination'])
  })

  const warningsOf = async (
    model: TestTable,
    settings: Record<string, number>,
    desired: Desired,
    planOptions: PlanOptions,
  ): Promise<string[]> => {
    Object.assign(model.kernel.sysctls, settings)
    return (await model.ipvs.plan(desired, planOptions)).warnings.map(({ message }) => message)
  }

  test.each([
    ['dr', 'established', 0, 1, true],
    ['tun', 'established', 0, 0, true],
    ['dr', 'established', 1, 1, false],
    ['dr', 'established', 0, 2, false],
    ['dr', 'established', 0, 3, false],
    ['nat', 'established', 0, 1, false],
    ['local', 'established', 0, 1, false],
    ['dr', 'all', 0, 1, false],
  ] as const)(
    'with %s until %j, expire_nodest_conn %d and conn_reuse_mode %d, a warning of clients that come again from the same port: %s',
    async (forward, until, nodest, reuse, warns) => {
      const model = await modelOf([{ ...web, destinations: [{ ...a, forward }, b] }])
      const warnings = await warningsOf(model, { expire_nodest_conn: nodest, conn_reuse_mode: reuse }, gone, {
        prune: 'all',
        drain: { until },
      })
      expect(warnings.some((message) => message.includes('same source port'))).toBe(warns)
    },
  )

  test('no warning of it with UDP, whose connections do not end', async () => {
    const dns = { ...web, protocol: 'udp' } as const
    const model = await modelOf([{ ...dns, destinations: [{ ...a, forward: 'dr' }, b] }])
    const warnings = await warningsOf(model, { expire_nodest_conn: 0, conn_reuse_mode: 1 }, [{ ...dns, destinations: [b] }], established)
    expect(warnings.some((message) => message.includes('same source port'))).toBe(false)
  })

  test.each([[established, {}, true], [established, null, false], [options, {}, false]])('with %j and persistence %j, a warning that closed connections count all the same: %s', async (planOptions, persistence, warns) => {
    const model = await modelOf([{ ...web, persistence, destinations: [a, b] }])
    const { warnings } = await model.ipvs.plan([{ ...web, persistence, destinations: [b] }], planOptions)
    expect(warnings.map(({ code, service }) => [code, service])).toEqual(warns ? [['inactive-connections', web]] : [])
  })

  test.each([
    ['nat', 'tcp', 30, options, true],
    ['nat', 'tcp', 120, options, false],
    ['nat', 'tcp', 30, established, false],
    ['dr', 'tcp', 30, options, false],
    ['nat', 'udp', 30, options, false],
  ] as const)(
    'of %s over %s with tcpFin %d and %j, a warning that the kernel remembers closed connections for 120 s: %s',
    async (forward, protocol, tcpFin, planOptions, warns) => {
      const model = await modelOf([{ ...web, protocol, destinations: [{ ...a, forward }, b] }])
      model.other.setTimeouts({ tcpFin })
      const { warnings } = await model.ipvs.plan([{ ...web, protocol, destinations: [b] }], planOptions)
      expect(warnings.map(({ code, message }) => [code, message.includes('120 seconds')])).toEqual(
        warns ? [['inactive-connections', true]] : [],
      )
    },
  )
})

test('plan takes the options that apply takes, and finds the mistakes in them', async () => {
  const model = await modelOf([{ ...web, destinations: [a] }])
  const options: ApplyOptions = { prune: 'all', batchSize: 5, rollback: true, concurrencyCheck: true, dryRun: false, onProgress() {} }
  expect(typesOf((await model.ipvs.plan([web], options)).operations)).toEqual(['removeDestination'])
  await expect(model.ipvs.plan([web], { batchSize: 0 } as PlanOptions)).rejects.toThrow('options.batchSize')
  await expect(model.ipvs.plan([web], { size: 1 } as PlanOptions)).rejects.toThrow('options.size')
})

describe('a port and a checksum on another program\'s ipip tunnel, which the kernel ignores', () => {
  const tunnel = { address: a.address, port: 80, forward: 'tun' } as const

  async function modelWithForeign(): Promise<TestTable> {
    const model = await modelOf([{ ...web, destinations: [b] }])
    model.other.addDestination(web, tunnel)
    model.kernel.configure(web, tunnel, { tunnelPort: 7777, tunnelFlags: 1 })
    expect(model.kernel.table().services[0].destinations).toContainEqual(
      expect.objectContaining({ tunnel: { type: 'ipip', port: 7777, checksum: 'csum' } }),
    )
    return model
  }

  test('are no difference', async () => {
    expect((await (await modelWithForeign()).ipvs.plan([{ ...web, destinations: [tunnel, b] }], { prune: 'all' })).operations).toEqual([])
  })

  test('are no obstacle to draining', async () => {
    const model = await modelWithForeign()
    model.connect(web, a, { active: 1 })
    const { operations } = await model.ipvs.plan([{ ...web, destinations: [b] }], { prune: 'all', drain: true })
    expect(operations).toMatchObject([
      { type: 'updateDestination', destination: { weight: 0, tunnel: { type: 'ipip', checksum: 'none' } } },
    ])
    await model.ipvs.batch(operations)
  })
})

describe('entries of other programs that this library refuses to write', () => {
  /** Direct routing to another port than the service's. */
  const foreign = { address: '10.0.0.109', port: 81, forward: 'dr', weight: 1, upperThreshold: 0, lowerThreshold: 0, tunnel: null } as const

  async function modelWithForeign(): Promise<TestTable> {
    const model = await modelOf([{ ...web, destinations: [a] }])
    model.other.addDestination(web, { ...foreign, forward: 'nat' })
    model.kernel.configure(web, foreign, { forward: 3 })
    return model
  }

  test('are removed where they cannot be drained', async () => {
    const model = await modelWithForeign()
    const result = await model.ipvs.apply([{ ...web, scheduler: 'rr', destinations: [b] }], { prune: 'all', drain: { interval: 0.001 } })
    expect(result.plan.operations).toContainEqual({
      type: 'removeDestination',
      service: web,
      destination: { address: foreign.address, port: 81 },
      reason: expect.stringContaining(
        "cannot be brought to weight 0 to drain it: destination.port must be the service's port 80",
      ) as unknown,
    })
    expect(result.refused).toEqual([])
    expect(model.contents()).toEqual((await modelOf([{ ...web, scheduler: 'rr', destinations: [b] }])).contents())
  })

  test('are as desired in a snapshot, and refused where anything else is desired of them', async () => {
    const model = await modelWithForeign()
    model.other.addService({ ...web, port: 81, persistence: {} })
    model.kernel.configure({ ...web, port: 81 }, undefined, { timeout: 5_000_000 })
    const snapshot = model.kernel.table()
    expect(await model.ipvs.plan(snapshot, { prune: 'all' })).toEqual({ operations: [], warnings: [] })
    const [{ destinations }] = snapshot.services
    const index = destinations.findIndex(({ forward }) => forward === 'dr')
    destinations[index] = { ...destinations[index], weight: 2 }
    await expect(model.ipvs.plan(snapshot)).rejects.toMatchObject({ field: `desired.services[0].destinations[${index}].port` })
    destinations[index] = { ...destinations[index], weight: 1, wieght: 2 } as never
    await expect(model.ipvs.plan(snapshot)).rejects.toMatchObject({ field: `desired.services[0].destinations[${index}].wieght` })
  })

  test('over a protocol that IPVS does not balance are as desired in a snapshot too, and stay otherwise', async () => {
    const model = await modelOf([{ ...web, destinations: [a] }])
    model.kernel.configure(web, undefined, { protocol: 47 })
    expect(await model.ipvs.plan(model.kernel.table(), { prune: 'all' })).toEqual({ operations: [], warnings: [] })
    expect(await model.ipvs.plan([], { prune: 'all' })).toMatchObject({
      operations: [],
      warnings: [{ code: 'cannot-remove', service: { protocol: 47 } }],
    })
  })

  test('are listed as not undone where a rollback would have to bring them back; all else is undone', async () => {
    const model = await modelWithForeign()
    const desired: Desired = {
      services: [{ ...web, scheduler: 'sh', destinations: [b] }],
      daemons: [{ role: 'master', interface: 'none' }],
    }
    const { done, plan, rollback } = await model.refuse('startDaemon').ipvs.apply(desired, { prune: 'all', rollback: true })
    expect(typesOf(plan.operations)).toEqual(['addDestination', 'updateService', 'removeDestination', 'removeDestination', 'startDaemon'])
    expect(done).toBe(4)
    const operation = { type: 'addDestination', service: web, destination: foreign }
    const index = plan.operations.findIndex((planned) => planned.type === 'removeDestination' && planned.destination.port === 81)
    expect(rollback).toEqual({
      undone: 3,
      notUndone: [{ index, operation, error: expect.objectContaining({ outcome: 'not-sent', code: 'EINVAL', operation }) as unknown }],
    })
    expect(rollback!.notUndone[0].error.message).toContain('destination.port must be the service\'s port 80')
    expect(model.contents()).toEqual((await modelOf([{ ...web, destinations: [a] }])).contents())
  })

  test('bring no rollback to a halt', async () => {
    const model = await modelOf([{ ...web, persistence: {}, destinations: [a] }])
    model.kernel.configure(web, undefined, { timeout: 5_000_000 })
    const { rollback } = await model.refuse('addService').ipvs.apply(
      [
        { ...web, scheduler: 'sh', destinations: [a, b] },
        { ...web, port: 81 },
      ],
      { rollback: true, batchSize: 1 },
    )
    expect(rollback!.undone).toBe(1)
    expect(model.changes().at(-1)).toBe('removeDestination')
    expect(typesOf(rollback!.notUndone.map(({ operation }) => operation))).toEqual(['updateService'])
  })
})

describe('what cannot be planned is said before anything is sent', () => {
  const bad: [string, unknown, unknown, string][] = [
    ['nothing', undefined, {}, 'desired'],
    ['a number', 5, {}, 'desired'],
    ['a table without services', {}, {}, 'desired.services'],
    ['a table with something else', { services: [], rules: [] }, {}, 'desired.rules'],
    ['a service that is null', [null], {}, 'desired.services[0]'],
    ['a bad port', [{ ...web, port: 70000 }], {}, 'desired.services[0].port'],
    ['a bad scheduler', [{ ...web }, { ...web, port: 81, scheduler: 5 }], {}, 'desired.services[1].scheduler'],
    ['destinations that are no array', [{ ...web, destinations: 5 }], {}, 'desired.services[0].destinations'],
    ['destinations that are null', [{ ...web, destinations: null }], {}, 'desired.services[0].destinations'],
    ['a destination that is null', [{ ...web, destinations: [null] }], {}, 'desired.services[0].destinations[0]'],
    ['a port that is text', [{ ...web, destinations: [a, { ...b, port: '80' }] }], {}, 'desired.services[0].destinations[1].port'],
    [
      'an address that is a symbol',
      [{ ...web, destinations: [{ ...b, address: Symbol('b') }] }],
      {},
      'desired.services[0].destinations[0].address',
    ],
    ['a service at a symbol', [{ ...web, port: 81, address: Symbol('web') }], {}, 'desired.services[0].address'],
    ['a bad weight', [{ ...web, destinations: [a, { ...b, weight: -1 }] }], {}, 'desired.services[0].destinations[1].weight'],
    ['an unknown property', [{ ...web, destinations: [{ ...a, wieght: 1 }] }], {}, 'desired.services[0].destinations[0].wieght'],
    ['a service twice', [web, { ...web }], {}, 'desired.services[1]'],
    ['a destination twice', [{ ...web, destinations: [a, b, { ...a }] }], {}, 'desired.services[0].destinations[2]'],
    ['a bad timeout', { services: [], timeouts: { tcp: -1 } }, {}, 'desired.timeouts.tcp'],
    ['a bad daemon', { services: [], daemons: [{ role: 'boss', interface: 'lo' }] }, {}, 'desired.daemons[0].role'],
    [
      'a daemon twice',
      {
        services: [],
        daemons: [
          { role: 'master', interface: 'a' },
          { role: 'master', interface: 'b' },
        ],
      },
      {},
      'desired.daemons[1].role',
    ],
    ['a service of others', [web], { owns: { port: 443 } }, 'desired.services[0]'],
    ['prune of an unknown kind', [], { prune: 'some' }, 'options.prune'],
    ['prune of what is owned without an owner', [], { prune: 'owned' }, 'options.owns'],
    ['a bad range', [], { owns: { address: '10.0.0.0/33' } }, 'options.owns.address'],
    ['a range the wrong way', [], { owns: [{ port: [9, 1] }] }, 'options.owns[0].port'],
    ['a bad way to drain', [], { drain: { until: 'soon' } }, 'options.drain.until'],
    ['a negative time', [], { drain: { timeout: -1 } }, 'options.drain.timeout'],
    ['an unknown option', [], { purge: true }, 'options.purge'],
  ]
  test.each(bad)('%s', async (_, desired, options, field) => {
    const model = await modelOf([{ ...web, destinations: [a] }])
    await expect(model.ipvs.plan(desired as Desired, options as never)).rejects.toMatchObject({ field })
    const before = model.contents()
    await expect(model.ipvs.apply(desired as Desired, options as never)).rejects.toThrow(field)
    expect(model.contents()).toEqual(before)
  })
})

test('a port that is text is refused in a long list of destinations too, where all else is as it was', async () => {
  const many = Array.from({ length: 20 }, (_, i) => ({ ...a, address: `10.0.1.${i}` }))
  const model = await modelOf([{ ...web, destinations: many }])
  const reordered = [...many.slice(1), { ...many[0], port: '80' }] as never
  await expect(model.ipvs.plan([{ ...web, destinations: reordered }])).rejects.toMatchObject({
    field: 'desired.services[0].destinations[19].port',
  })
})

describe('apply', () => {
  const desired: DesiredService[] = [{ ...web, scheduler: 'rr', destinations: [b, c] }, { fwmark: 5, family: 4, destinations: [a] }]

  test('applies what was desired when it was called', async () => {
    const model = new TestTable()
    const lists: DesiredTable & { services: DesiredService[], timeouts: { tcp: number }, daemons: DaemonInput[] } = {
      services: [{ ...web, destinations: [a, b] }],
      timeouts: { tcp: 1000 },
      daemons: [{ role: 'master', interface: 'lo' }],
    }
    const applying = model.ipvs.apply(lists, { prune: 'all' })
    lists.services[0] = { ...web }
    lists.services.push({ ...web, port: 81, destinations: [] })
    lists.timeouts.tcp = 5
    lists.daemons.length = 0
    expect(await applying).toMatchObject({ done: 5 })
    expect(model.changes()).toEqual(['addService', 'addDestination', 'addDestination', 'setTimeouts', 'startDaemon'])
    expect(model.kernel.table().timeouts.tcp).toBe(1000)
  })

  test('does nothing in a dry run', async () => {
    const model = new TestTable()
    const result = await model.ipvs.apply(desired, { dryRun: true })
    expect(result.plan.operations).toHaveLength(5)
    expect(result).toMatchObject({ done: 0, refused: [], unknown: [], withheld: [], notSent: 0 })
    expect(model.contents()).toEqual([])
  })

  test('reports what is in force, and keeps what is not replaced', async () => {
    const model = await modelOf([{ ...web, destinations: [a] }])
    const result = await model.refuse('addDestination').ipvs.apply([{ ...web, scheduler: 'rr', destinations: [b, c] }], { prune: 'all' })
    expect(result).toMatchObject({ done: 1, notSent: 0 })
    expect(result.refused).toEqual(
      [0, 1].map((index) => ({
        index,
        operation: result.plan.operations[index],
        error: expect.objectContaining({ code: 'EINVAL' }) as unknown,
      })),
    )
    expect(typesOf(result.withheld)).toEqual(['removeDestination'])
    expect(model.capacity()).toEqual(new Map([[serviceId(web), 1]]))
  })

  describe('where an address moves to another key, and the kernel refuses the new service', () => {
    const moved = [{ ...web, port: 0, persistence: {}, destinations: [a] }, { ...web, port: 81, destinations: [b] }]
    const before = [{ ...web, destinations: [a] }, { ...web, port: 81, destinations: [b, c] }]

    test('the old one is removed all the same: nothing tells that they belong together', async () => {
      const model = await modelOf(before)
      expect(await model.refuse('addService').ipvs.apply(moved, { prune: 'all' })).toMatchObject({ done: 2, withheld: [] })
      expect(model.capacity()).toEqual(new Map([['tcp 10.0.0.1 81', 1]]))
    })

    test.each([[undefined], [{ interval: 0.001 }]])('nothing at all is removed with withhold: \'all\', drain: %j', async (drain) => {
      const model = await modelOf(before)
      const { plan, done, refused, withheld, notSent } = await model
        .refuse('addService')
        .ipvs.apply(moved, { prune: 'all', withhold: 'all', drain })
      expect(typesOf(refused.map(({ operation }) => operation))).toEqual(['addService', 'addDestination'])
      expect(withheld).toEqual(plan.operations.slice(2))
      expect([done, withheld.length, notSent]).toEqual([0, 2, 0])
      expect(model.capacity()).toEqual(new Map([['tcp 10.0.0.1 80', 1], ['tcp 10.0.0.1 81', 2]]))
      model.kernel.refuse = undefined
      await model.ipvs.apply(moved, { prune: 'all', withhold: 'all', drain })
      expect(model.contents()).toEqual((await modelOf(moved)).contents())
    })
  })

  test('keeps the weight of an old destination where the new one was refused', async () => {
    const model = await modelOf([{ ...web, destinations: [a] }])
    const result = await model.refuse('addDestination').ipvs.apply([{ ...web, destinations: [b, { ...a, weight: 0 }] }])
    expect(typesOf(result.refused.map(({ operation }) => operation))).toEqual(['addDestination'])
    expect(typesOf(result.withheld)).toEqual(['updateDestination'])
    expect(model.capacity()).toEqual(new Map([[serviceId(web), 1]]))
  })

  test('rolls back everything if anything is refused', async () => {
    let refusals = 0
    await fc.assert(fc.asyncProperty(table, table, fc.nat(20), async (before, after, refused) => {
      const model = await modelOf(before)
      const start = model.contents()
      let sent = 0
      model.kernel.refuse = (asked) => isChange(asked) && sent++ === refused ? -EINVAL : undefined
      const result = await model.ipvs.apply(after, { prune: 'all', rollback: true, batchSize: 2 })
      if (result.rollback === undefined) expect(result.refused).toEqual([])
      else {
        refusals++
        expect(result.rollback.notUndone).toEqual([])
        expect(model.contents()).toEqual(start)
      }
    }), runs)
    expect(refusals).toBeGreaterThan(0)
  })

  test('ends between two batches when its signal comes, and says what was done', async () => {
    const model = new TestTable()
    const abort = new AbortController()
    const seen: number[] = []
    const onProgress = ({ completed, total }: { completed: number, total: number }): void => {
      seen.push(completed)
      expect(total).toBe(5)
      if (completed === 4) abort.abort(new Error('enough'))
    }
    await expect(model.ipvs.apply(desired, { batchSize: 2, signal: abort.signal, onProgress })).rejects.toMatchObject({
      name: 'AbortError',
      result: { done: 4, notSent: 1 },
    })
    expect(seen).toEqual([2, 4])
    expect((await model.ipvs.apply(desired)).done).toBe(1)
  })

  test('counts each operation of the plan whenever it is aborted', async () => {
    const swap = [
      { ...web, scheduler: 'rr', destinations: ['10.0.0.104', '10.0.0.105', '10.0.0.106'].map((address) => ({ ...a, address })) },
    ]
    for (let sends = 1; sends <= 7; sends++) {
      const model = await modelOf([{ ...web, destinations: [a, b, c] }])
      const abort = new AbortController()
      const onProgress = ({ completed }: { completed: number }): void => {
        if (completed === sends) abort.abort()
      }
      const applying = model.ipvs.apply(swap, { prune: 'all', batchSize: 1, signal: abort.signal, onProgress })
      if (sends === 7) expect((await applying).done).toBe(7)
      else
        await expect(applying).rejects.toMatchObject({
          name: 'AbortError',
          result: { plan: { operations: { length: 7 } }, done: sends, notSent: 7 - sends },
        })
    }
  })

  test('names what it withheld when it is aborted after a refusal', async () => {
    const model = await modelOf([{ ...web, destinations: [a] }, { ...web, port: 81, destinations: [a, b] }])
    const abort = new AbortController()
    model.kernel.refuse = ({ command, body }) => {
      if (command === 'delDest') abort.abort()
      return command === 'newDest' && Buffer.from(body).includes(Buffer.from([10, 0, 0, 103])) ? -EINVAL : undefined
    }
    await expect(
      model.ipvs.apply(
        [
          { ...web, destinations: [c] },
          { ...web, port: 81, scheduler: 'rr' },
        ],
        { prune: 'all', batchSize: 1, signal: abort.signal },
      ),
    ).rejects.toMatchObject({
      result: {
        done: 2,
        refused: [{ index: 0, operation: { type: 'addDestination' } }],
        withheld: [{ type: 'removeDestination', service: { port: 80 } }],
        notSent: 1,
      },
    })
  })

  test.each([['before the call', 0], ['while the table is read', 1]])('says that nothing was done when it is aborted %s', async (_, reads) => {
    const model = new TestTable()
    const abort = new AbortController()
    if (reads === 0) abort.abort('enough')
    model.kernel.before = () => abort.abort('enough')
    await expect(model.ipvs.apply(desired, { signal: abort.signal, concurrencyCheck: true })).rejects.toMatchObject({
      name: 'AbortError', cause: 'enough',
      result: { plan: { operations: [], warnings: [] }, done: 0, refused: [], unknown: [], withheld: [], notSent: 0 },
    })
    expect(model.contents()).toEqual([])
  })

  test.each([
    ['a progress function that throws', new Error('mine')],
    ['a handle that is closed', Object.assign(new Error('closed'), { code: 'ERR_IPVS_CLOSED' })],
    ['a batch that breaks off', new Error('no more memory')],
  ])('ended by %s says what is in force', async (what, error) => {
    const model = new TestTable()
    const working = model.ipvs.batch.bind(model.ipvs)
    model.ipvs.batch = (operations) =>
      !what.includes('function') && model.capacity().size > 0 ? Promise.reject(error) : working(operations, { refusals: 'return' })
    const onProgress = (): void => {
      if (what.includes('function')) throw error
    }
    const ended = await model.ipvs.apply(desired, { batchSize: 2, onProgress }).catch((reason: unknown) => reason)
    expect(ended).toBe(error)
    expect(ended).toMatchObject({
      result: { plan: { operations: { length: 5 } }, done: 2, refused: [], unknown: [], withheld: [], notSent: 3 },
    })
  })

  test('ended by something that is no error has it as the cause', async () => {
    // eslint-disable-next-line @typescript-eslint/only-throw-error -- programs do
    const onProgress = (): void => { throw 'enough' }
    await expect(new TestTable().ipvs.apply(desired, { onProgress })).rejects.toMatchObject({ cause: 'enough', result: { done: 5 } })
  })

  test('killed after any send leaves a table that the next apply brings to the desired state', async () => {
    let killed = 0
    await fc.assert(fc.asyncProperty(table, table, fc.constantFrom(1, 2, 7), fc.nat(30), async (before, after, batchSize, sends) => {
      const model = await modelOf(before)
      const abort = new AbortController()
      let sent = 0
      await model.ipvs.apply(after, { prune: 'all', batchSize, signal: abort.signal, onProgress: () => {
        if (sent++ === sends) abort.abort()
      } }).catch((error: unknown) => {
        expect(error).toMatchObject({ name: 'AbortError' })
        killed++
      })
      await model.ipvs.apply(after, { prune: 'all' })
      expect(model.contents()).toEqual((await modelOf(after)).contents())
    }), runs)
    expect(killed).toBeGreaterThan(0)
  })

  test('plans anew while others change the table, and gives up when they do not stop', async () => {
    const model = new TestTable()
    await model.ipvs.apply([web])
    let edits = 0
    model.kernel.before = ({ command }) => {
      if (command === 'getService' && edits++ < 3) model.other.addDestination(web, { address: `10.0.0.${edits & 127}`, port: 80 })
    }
    const { plan, done } = await model.ipvs.apply([{ ...web, destinations: [a] }], { prune: 'all', concurrencyCheck: true })
    expect(typesOf(plan.operations)).toEqual(['addDestination', 'removeDestination', 'removeDestination', 'removeDestination'])
    expect(done).toBe(4)
    edits = -100
    await expect(
      model.ipvs.apply([{ ...web, destinations: [b] }], { prune: 'all', concurrencyCheck: { attempts: 2 } }),
    ).rejects.toMatchObject({ code: 'ERR_IPVS_TABLE_CHANGING' })
  })
})

test('a concurrency check is content with the same plan in another order: a kernel may reorder its table by itself', async () => {
  const services = [1, 2, 3].map((port) => ({ ...web, port, destinations: [a, b] }))
  const model = await modelOf(services)
  let looks = 0
  model.kernel.arrange = ({ command }, records) => command === 'getService' && looks++ % 2 === 1 ? records.reverse() : records
  const { plan } = await model.ipvs.apply([{ ...web, port: 2, destinations: [a] }], { prune: 'all', concurrencyCheck: { attempts: 1 } })
  expect(typesOf(plan.operations).sort()).toEqual(['removeDestination', 'removeService', 'removeService'])
})

test('a plan reads as text', async () => {
  const model = await modelOf([{ ...web, destinations: [a, b] }])
  expect(
    formatPlan(
      await model.ipvs.plan([{ ...web, scheduler: 'sh', destinations: [{ ...b, weight: 3 }] }], { prune: 'all', drain: true }),
    ).split('\n'),
  ).toEqual([
    'updateDestination 10.0.0.102:80 of tcp 10.0.0.1:80 (weight 1 → 3)',
    'updateService tcp 10.0.0.1:80 (scheduler wlc → sh)',
    'updateDestination 10.0.0.101:80 of tcp 10.0.0.1:80 (the destination is not desired: weight 1 → 0, to drain it)',
    'draining 10.0.0.101:80 of tcp 10.0.0.1:80 (0 active, 0 inactive, 0 persistent connections)',
    expect.stringContaining("warning: tcp 10.0.0.1:80: scheduler 'sh' refuses clients") as unknown,
  ])
})
