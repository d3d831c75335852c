import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import type { DaemonInput, Destination, Operation } from 'ipvs'
import { apply, plan } from '../../../lib/state/apply.js'
import { formatPlan } from '../../../lib/state/format.js'
import type { ApplyOptions, Desired, DesiredService, DesiredTable, PlanOptions } from '../../../lib/state/types.js'
import { refusal } from '../../support/errors.js'
import { destinationId, Model, serviceId } from './support/model.js'
import { table } from './support/tables.js'

// Hundreds of random tables take their time on a machine that is busy.
vi.setConfig({ testTimeout: 60_000 })

/** The same tables each time; another seed gives others. */
const runs = { seed: 20, numRuns: 150 }

const web = { protocol: 'tcp', address: '10.0.0.1', port: 80 } as const
const [a, b, c] = ['10.0.0.101', '10.0.0.102', '10.0.0.103'].map((address) => ({ address, port: 80, forward: 'nat' as const }))

async function modelOf(desired: Desired): Promise<Model> {
  const model = new Model()
  await apply(model, desired)
  return model
}

/** A handle on a model that refuses operations of this type. */
const refusing = (model: Model, type: Operation['type']): Model => {
  model.refuses = (operation) => operation.type === type
  return model
}

const typesOf = (operations: readonly Operation[]): string[] => operations.map(({ type }) => type)

/** What is in a model, whatever the order. */
async function contents(model: Model): Promise<string[]> {
  const { services } = await model.snapshot()
  return services.map(({ destinations, ...service }) => JSON.stringify({ ...service, stats: 0, destinations: destinations.map((entry) => ({ ...entry, stats: 0 })).sort((x, y) => destinationId(x) < destinationId(y) ? -1 : 1) })).sort()
}

describe('for random tables', () => {
  test('the plan leads from any table to any desired one, and then there is nothing to do', async () => {
    await fc.assert(fc.asyncProperty(table, table, async (before, after) => {
      const model = await modelOf(before)
      const result = await apply(model, { services: after }, { prune: 'all' })
      expect(result.refused).toEqual([])
      expect(await contents(model)).toEqual(await contents(await modelOf(after)))
      expect((await plan(model, after, { prune: 'all' })).operations).toEqual([])
    }), runs)
  })

  test('no service that has destinations before and after loses all of its capacity in between', async () => {
    await fc.assert(fc.asyncProperty(table, table, async (before, after) => {
      const model = await modelOf(before)
      const start = model.capacity()
      const end = (await modelOf(after)).capacity()
      model.onStep = (between) => {
        for (const [id, count] of between.capacity()) {
          if ((start.get(id) ?? 0) > 0 && (end.get(id) ?? 0) > 0) expect(count).toBeGreaterThan(0)
        }
      }
      await apply(model, after, { prune: 'all' })
    }), runs)
  })

  test('no list is shorter: each operation is about an entry of its own, and changes it', async () => {
    await fc.assert(fc.asyncProperty(table, table, async (before, after) => {
      const model = await modelOf(before)
      const { operations } = await plan(model, after, { prune: 'all' })
      const entries = operations.map((operation) => {
        if (!('service' in operation) || operation.service === undefined) throw new Error(operation.type)
        return serviceId(operation.service) + ('destination' in operation ? ` ${destinationId(operation.destination)}` : '')
      })
      expect(new Set(entries).size).toBe(entries.length)
      const removed = operations.filter(({ type }) => type === 'removeService').map((operation) => serviceId((operation as { service: typeof web }).service))
      for (const operation of operations) if (operation.type === 'removeDestination') expect(removed).not.toContain(serviceId(operation.service))
    }), runs)
  })

  test('without prune nothing is removed; with an owner nothing of others is touched', async () => {
    await fc.assert(fc.asyncProperty(table, table, async (before, after) => {
      const model = await modelOf(before)
      const kept = await plan(model, after)
      expect(typesOf(kept.operations).filter((type) => type.startsWith('remove'))).toEqual([])
      const mine = after.filter((service) => 'port' in service && service.port === 443)
      const owned = await plan(model, mine, { prune: 'owned', owns: { port: 443 } })
      for (const operation of owned.operations) expect(operation).toMatchObject({ service: { port: 443 } })
    }), runs)
  })

  test('a snapshot is a desired state that is reached', async () => {
    await fc.assert(fc.asyncProperty(table, async (services) => {
      const model = await modelOf(services)
      const snapshot = await model.snapshot()
      expect((await plan(model, snapshot, { prune: 'all' })).operations).toEqual([])
      expect(JSON.parse(JSON.stringify(await plan(new Model(), services)))).toMatchObject({ operations: expect.any(Array) as unknown })
    }), runs)
  })
})

describe('the order', () => {
  test('successors come before those they replace are removed', async () => {
    const model = await modelOf([{ ...web, destinations: [a] }])
    const { operations } = await plan(model, [{ ...web, destinations: [b] }], { prune: 'all' })
    expect(typesOf(operations)).toEqual(['addDestination', 'removeDestination'])
  })

  test('another forwarding method is a change in place', async () => {
    const model = await modelOf([{ ...web, destinations: [a] }])
    const { operations } = await plan(model, [{ ...web, destinations: [{ ...a, forward: 'dr' }] }], { prune: 'all' })
    expect(operations).toMatchObject([{ type: 'updateDestination', destination: { forward: 'dr', weight: 1 }, reason: 'forward nat → dr' }])
  })

  test('weights grow before others shrink', async () => {
    const model = await modelOf([{ ...web, destinations: [{ ...a, weight: 1 }, { ...b, weight: 0 }] }])
    const { operations } = await plan(model, [{ ...web, destinations: [{ ...a, weight: 0 }, { ...b, weight: 1 }] }])
    expect(operations).toMatchObject([{ destination: { address: b.address, weight: 1 } }, { destination: { address: a.address, weight: 0 } }])
  })

  test('a daemon that differs is stopped and started anew', async () => {
    const model = await modelOf({ services: [], daemons: [{ role: 'master', interface: 'eth0' }] })
    expect((await plan(model, { services: [], daemons: [{ role: 'master', interface: 'eth0', ttl: 1 }] })).operations).toEqual([])
    expect((await plan(model, { services: [] }, { prune: 'all' })).operations).toEqual([])
    const { operations } = await plan(model, { services: [], daemons: [{ role: 'master', interface: 'eth0', ttl: 3 }] })
    expect(typesOf(operations)).toEqual(['stopDaemon', 'startDaemon'])
    expect(typesOf((await plan(model, { services: [], daemons: [] }, { prune: 'all' })).operations)).toEqual(['stopDaemon'])
  })

  test('a daemon that is not named is stopped where everything is this program\'s, and left alone where it shares the table', async () => {
    const model = await modelOf({ services: [], daemons: [{ role: 'backup', interface: 'eth0' }] })
    const master = { role: 'master' as const, interface: 'eth0' }
    const typesWith = async (options: PlanOptions): Promise<string[]> => typesOf((await plan(model, { services: [], daemons: [master] }, options)).operations)
    expect(await typesWith({ prune: 'all' })).toEqual(['stopDaemon', 'startDaemon'])
    for (const prune of ['owned', 'all'] as const) expect(await typesWith({ prune, owns: { port: 80 } })).toEqual(['startDaemon'])
  })

  test('timeouts are compared where they are named, 0 for as it is', async () => {
    const model = new Model()
    const { operations } = await plan(model, { services: [], timeouts: { tcp: 0, udp: 300, tcpFin: 60 } })
    expect(operations).toMatchObject([{ type: 'setTimeouts', timeouts: { tcpFin: 60 }, reason: 'tcpFin 120 → 60 seconds' }])
  })
})

describe('a large service', () => {
  const many = Array.from({ length: 40 }, (_, i) => ({ address: `10.1.0.${i + 1}`, port: 80, forward: 'nat' as const }))

  test('is compared whatever the order of its destinations', async () => {
    const model = await modelOf([{ ...web, destinations: many }])
    for (const destinations of [many, many.toReversed(), [...many.slice(7), ...many.slice(0, 7)]]) {
      expect((await plan(model, [{ ...web, destinations }], { prune: 'all' })).operations).toEqual([])
    }
  })
})

describe('draining', () => {
  const options = { prune: 'all', drain: true } as const

  test('brings a destination to weight 0, keeping its other settings, and removes it when its connections are gone', async () => {
    const model = await modelOf([{ ...web, destinations: [{ ...a, upperThreshold: 50 }, b] }])
    model.connect(web, a, { active: 3 })
    const first = await plan(model, [{ ...web, destinations: [b] }], options)
    expect(first.operations).toMatchObject([{ type: 'updateDestination', destination: { address: a.address, weight: 0, upperThreshold: 50 } }])
    expect(first.draining).toMatchObject([{ service: web, destination: { address: a.address, port: 80 }, activeConnections: 3 }])
    await model.batch(first.operations)
    expect((await plan(model, [{ ...web, destinations: [b] }], options)).operations).toEqual([])
    model.connect(web, a, { inactive: 2 })
    expect((await plan(model, [{ ...web, destinations: [b] }], options)).operations).toEqual([])
    expect(typesOf((await plan(model, [{ ...web, destinations: [b] }], { ...options, drain: { until: 'established' } })).operations)).toEqual(['removeDestination'])
    model.connect(web, a, {})
    expect(typesOf((await plan(model, [{ ...web, destinations: [b] }], options)).operations)).toEqual(['removeDestination'])
  })

  test('of a service drains its destinations, then removes it', async () => {
    const model = await modelOf([{ ...web, destinations: [a, b] }])
    const result = await apply(model, [], { prune: 'all', drain: { interval: 0.001 } })
    expect(typesOf(result.done.map(({ operation }) => operation))).toEqual(['updateDestination', 'updateDestination', 'removeService'])
    expect(result.draining).toEqual([])
  })

  test('ends at the time limit', async () => {
    const model = await modelOf([{ ...web, destinations: [a, b] }])
    model.connect(web, a, { active: 1 })
    const result = await apply(model, [{ ...web, destinations: [b] }], { prune: 'all', drain: { timeout: 0.02, interval: 0.005 } })
    expect(typesOf(result.done.map(({ operation }) => operation))).toEqual(['updateDestination', 'removeDestination'])
    expect(result.done[1].operation).toMatchObject({ reason: expect.stringContaining('time to drain has passed') as unknown })
  })

  test('that is aborted leaves the destination draining, and the next apply goes on', async () => {
    const model = await modelOf([{ ...web, destinations: [a, b] }])
    model.connect(web, a, { active: 1 })
    const desired = [{ ...web, destinations: [b] }]
    const abort = new AbortController()
    const onProgress = ({ phase }: { phase: string }): void => {
      if (phase === 'draining') abort.abort()
    }
    await expect(apply(model, desired, { ...options, signal: abort.signal, onProgress })).rejects.toMatchObject({ name: 'AbortError', result: { done: [{ operation: { type: 'updateDestination' } }] } })
    model.connect(web, a, {})
    expect(typesOf((await apply(model, desired, options)).done.map(({ operation }) => operation))).toEqual(['removeDestination'])
  })

  test('has what was done in its error, whatever was thrown, and prints none of it', async () => {
    const desired = [{ ...web, destinations: [b] }]
    const frozen = Object.freeze(new Error('mine'))
    for (const [thrown, expected] of [[new Error('mine'), { message: 'mine' }], [frozen, { message: 'The work ended early, with operations in force: mine', cause: frozen }], ['text', { cause: 'text' }]] as const) {
      const onProgress = (): void => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error -- whatever a caller's function throws
        throw thrown
      }
      const error = await refusal(async () => apply(await modelOf([{ ...web, destinations: [a, b] }]), desired, { ...options, onProgress }))
      expect(error).toMatchObject({ ...expected, result: { done: [{ operation: { type: 'updateDestination' } }] } })
      expect(inspect(error)).not.toContain('updateDestination')
    }
    const abort = new AbortController()
    const aborted = await refusal(async () => apply(await modelOf([{ ...web, destinations: [a, b] }]), desired, { ...options, signal: abort.signal, onProgress: () => abort.abort() }))
    expect(inspect(aborted)).not.toContain('updateDestination')
  })

  test('brings down again what another program revives meanwhile', async () => {
    const model = await modelOf([{ ...web, destinations: [a, b, c] }])
    model.connect(web, a, { active: 1 })
    model.connect(web, c, { active: 1 })
    let looks = 0
    const onProgress = ({ phase }: { phase: string }): void => {
      if (phase !== 'draining') return
      looks++
      if (looks === 1) model.carryOut({ type: 'updateDestination', service: web, destination: { ...c, weight: 9 } as Destination })
      if (looks === 2) model.connect(web, a, {})
      if (looks === 3) model.connect(web, c, {})
    }
    const result = await apply(model, [{ ...web, destinations: [b] }], { prune: 'all', drain: { interval: 0.001 }, onProgress })
    expect(result.done.map(({ operation }) => [operation.type, (operation as { destination: { address: string } }).destination.address])).toEqual([
      ['updateDestination', c.address], ['updateDestination', a.address], ['updateDestination', c.address], ['removeDestination', a.address], ['removeDestination', c.address],
    ])
    expect(result.draining).toEqual([])
    expect(model.capacity()).toEqual(new Map([[serviceId(web), 1]]))
  })

  test('of destinations of the other address family comes before the start of a sync daemon, which the kernel refuses beside them', async () => {
    const model = await modelOf([{ ...web, destinations: [{ address: 'fd00::1', port: 80, forward: 'tun' }, b] }])
    const desired: DesiredTable = { services: [{ ...web, destinations: [b] }], daemons: [{ role: 'master', interface: 'eth0' }] }
    const result = await apply(model, desired, { prune: 'all', drain: { interval: 0.001 } })
    expect(typesOf(result.done.map(({ operation }) => operation))).toEqual(['updateDestination', 'removeDestination', 'startDaemon'])
    expect(model.daemons).toMatchObject([{ role: 'master' }])
    expect(result.plan.operations.map(({ type }) => type)).toEqual(['updateDestination', 'startDaemon'])
  })

  test.each([['sh', [], true], ['sh', ['sh-fallback'], false], ['mh', [], true], ['dh', [], true], ['rr', [], false]])('with %s %j warns of refused clients: %s', async (scheduler, schedulerFlags, warns) => {
    const model = await modelOf([{ ...web, scheduler, schedulerFlags, destinations: [a, b] }])
    const { warnings } = await plan(model, [{ ...web, scheduler, schedulerFlags, destinations: [b] }], options)
    expect(warnings.map(({ code }) => code)).toEqual(warns ? ['refuses-clients'] : [])
  })

  test('names the settings of the kernel that matter', async () => {
    const model = await modelOf([{ ...web, persistence: {}, destinations: [a, b] }])
    const settings: Record<string, number> = { expire_quiescent_template: 0, expire_nodest_conn: 0, conn_reuse_mode: 1 }
    const handle = Object.assign(model, { sysctl: { get: (name: string) => Promise.resolve(settings[name] as never) } })
    const { warnings } = await plan(handle, [{ ...web, persistence: {}, destinations: [b] }], options)
    expect(warnings).toMatchObject([{ code: 'sysctl', message: expect.stringContaining('expire_quiescent_template') as unknown }, { code: 'sysctl', message: expect.stringContaining('expire_nodest_conn') as unknown }])
  })
})

describe('what draining waits for and warns of', () => {
  const options = { prune: 'all', drain: true } as const
  const established = { prune: 'all', drain: { until: 'established' } } as const
  const gone = [{ ...web, destinations: [b] }]

  test('templates of a service whose persistence was switched off are no connections any more: nobody uses them', async () => {
    const model = await modelOf([{ ...web, persistence: {}, destinations: [{ ...a, weight: 0 }, b] }])
    model.connect(web, a, { persistent: 2 })
    expect((await plan(model, [{ ...web, persistence: {}, destinations: [b] }], options)).operations).toEqual([])
    expect(typesOf((await plan(model, gone, options)).operations)).toEqual(['updateService', 'removeDestination'])
    model.carryOut({ type: 'updateService', service: { ...web, scheduler: 'wlc', schedulerFlags: [], onePacket: false, persistence: null, persistenceEngine: null } })
    expect(typesOf((await plan(model, [], options)).operations)).toEqual(['updateDestination', 'removeDestination'])
  })

  const warningsOf = async (model: Model, settings: Record<string, number>, desired: Desired, planOptions: PlanOptions): Promise<string[]> => {
    const handle = Object.assign(model, { sysctl: { get: (name: string) => Promise.resolve(settings[name] as never) } })
    return (await plan(handle, desired, planOptions)).warnings.map(({ message }) => message)
  }

  test.each([
    ['dr', 'established', 0, 1, true], ['tun', 'established', 0, 0, true], ['dr', 'established', 1, 1, false], ['dr', 'established', 0, 2, false], ['dr', 'established', 0, 3, false],
    ['nat', 'established', 0, 1, false], ['local', 'established', 0, 1, false], ['dr', 'all', 0, 1, false],
  ] as const)('with %s until %j, expire_nodest_conn %d and conn_reuse_mode %d, a warning of clients that come again from the same port: %s', async (forward, until, nodest, reuse, warns) => {
    const model = await modelOf([{ ...web, destinations: [{ ...a, forward }, b] }])
    const warnings = await warningsOf(model, { expire_nodest_conn: nodest, conn_reuse_mode: reuse }, gone, { prune: 'all', drain: { until } })
    expect(warnings.some((message) => message.includes('same source port'))).toBe(warns)
  })

  test('no warning of it with UDP, whose connections do not end', async () => {
    const dns = { ...web, protocol: 'udp' } as const
    const model = await modelOf([{ ...dns, destinations: [{ ...a, forward: 'dr' }, b] }])
    const warnings = await warningsOf(model, { expire_nodest_conn: 0, conn_reuse_mode: 1 }, [{ ...dns, destinations: [b] }], established)
    expect(warnings.some((message) => message.includes('same source port'))).toBe(false)
  })

  test.each([[established, {}, true], [established, null, false], [options, {}, false]])('with %j and persistence %j, a warning that closed connections count all the same: %s', async (planOptions, persistence, warns) => {
    const model = await modelOf([{ ...web, persistence, destinations: [a, b] }])
    const { warnings } = await plan(model, [{ ...web, persistence, destinations: [b] }], planOptions)
    expect(warnings.map(({ code, service }) => [code, service])).toEqual(warns ? [['inactive-connections', web]] : [])
  })

  test.each([
    ['nat', 'tcp', 30, options, true], ['nat', 'tcp', 120, options, false], ['nat', 'tcp', 30, established, false], ['dr', 'tcp', 30, options, false], ['nat', 'udp', 30, options, false],
  ] as const)('of %s over %s with tcpFin %d and %j, a warning that the kernel remembers closed connections for 120 s: %s', async (forward, protocol, tcpFin, planOptions, warns) => {
    const model = await modelOf([{ ...web, protocol, destinations: [{ ...a, forward }, b] }])
    model.timeouts.tcpFin = tcpFin
    const { warnings } = await plan(model, [{ ...web, protocol, destinations: [b] }], planOptions)
    expect(warnings.map(({ code, message }) => [code, message.includes('120 seconds')])).toEqual(warns ? [['inactive-connections', true]] : [])
  })
})

test('plan takes the options that apply takes, and finds the mistakes in them', async () => {
  const model = await modelOf([{ ...web, destinations: [a] }])
  const options: ApplyOptions = { prune: 'all', batchSize: 5, rollback: true, concurrencyCheck: true, dryRun: false, onProgress() {} }
  expect(typesOf((await plan(model, [web], options)).operations)).toEqual(['removeDestination'])
  await expect(plan(model, [web], { batchSize: 0 } as PlanOptions)).rejects.toThrow('options.batchSize')
  await expect(plan(model, [web], { size: 1 } as PlanOptions)).rejects.toThrow('options.size')
})

describe('a port and a checksum on another program\'s ipip tunnel, which the kernel ignores', () => {
  const tunnel = { address: a.address, port: 80, forward: 'tun' } as const
  const foreign: Destination = { ...tunnel, weight: 1, upperThreshold: 0, lowerThreshold: 0, tunnel: { type: 'ipip', port: 7777, checksum: 'csum' } }

  async function modelWithForeign(): Promise<Model> {
    const model = await modelOf([{ ...web, destinations: [b] }])
    model.carryOut({ type: 'addDestination', service: web, destination: foreign })
    return model
  }

  test('are no difference', async () => {
    expect((await plan(await modelWithForeign(), [{ ...web, destinations: [tunnel, b] }], { prune: 'all' })).operations).toEqual([])
  })

  test('are no obstacle to draining', async () => {
    const model = await modelWithForeign()
    model.connect(web, a, { active: 1 })
    const { operations } = await plan(model, [{ ...web, destinations: [b] }], { prune: 'all', drain: true })
    expect(operations).toMatchObject([{ type: 'updateDestination', destination: { weight: 0, tunnel: { type: 'ipip', checksum: 'none' } } }])
    await model.batch(operations)
  })
})

describe('entries of other programs that this library refuses to write', () => {
  /** Direct routing to another port than the service's. */
  const foreign: Destination = { address: '10.0.0.109', port: 81, forward: 'dr', weight: 1, upperThreshold: 0, lowerThreshold: 0, tunnel: null }

  async function modelWithForeign(): Promise<Model> {
    const model = await modelOf([{ ...web, destinations: [a] }])
    model.carryOut({ type: 'addDestination', service: web, destination: foreign })
    return model
  }

  test('are removed where they cannot be drained', async () => {
    const model = await modelWithForeign()
    const result = await apply(model, [{ ...web, scheduler: 'rr', destinations: [b] }], { prune: 'all', drain: { interval: 0.001 } })
    expect(result.done).toContainEqual(expect.objectContaining({
      operation: {
        type: 'removeDestination', service: web, destination: { address: foreign.address, port: 81 },
        reason: expect.stringContaining('cannot be brought to weight 0 to drain it: destination.port must be the service\'s port 80') as unknown,
      },
    }))
    expect(await contents(model)).toEqual(await contents(await modelOf([{ ...web, scheduler: 'rr', destinations: [b] }])))
  })

  test('are listed as not undone where a rollback would have to bring them back; all else is undone', async () => {
    const model = await modelWithForeign()
    const desired: Desired = { services: [{ ...web, scheduler: 'sh', destinations: [b] }], daemons: [{ role: 'master', interface: 'none' }] }
    const { done, rollback } = await apply(refusing(model, 'startDaemon'), desired, { prune: 'all', rollback: true })
    expect(typesOf(done.map(({ operation }) => operation))).toEqual(['addDestination', 'updateService', 'removeDestination', 'removeDestination'])
    expect(rollback!.notUndone).toEqual([{ index: 3, operation: { type: 'addDestination', service: web, destination: foreign }, outcome: 'not-sent' }])
    expect(await contents(model)).toEqual(await contents(await modelOf([{ ...web, destinations: [a] }])))
  })

  test('bring no rollback to a halt', async () => {
    const model = await modelOf([{ ...web, persistence: {}, destinations: [a] }])
    model.carryOut({ type: 'updateService', service: { ...web, scheduler: 'wlc', schedulerFlags: [], onePacket: false, persistence: { timeout: 5_000_000, prefixLength: 32 }, persistenceEngine: null } })
    const { rollback } = await apply(refusing(model, 'addService'), [{ ...web, scheduler: 'sh', destinations: [a, b] }, { ...web, port: 81 }], { rollback: true, batchSize: 1 })
    expect(typesOf(rollback!.undone.map(({ operation }) => operation))).toEqual(['removeDestination'])
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
    ['an address that is a symbol', [{ ...web, destinations: [{ ...b, address: Symbol('b') }] }], {}, 'desired.services[0].destinations[0].address'],
    ['a service at a symbol', [{ ...web, port: 81, address: Symbol('web') }], {}, 'desired.services[0].address'],
    ['a bad weight', [{ ...web, destinations: [a, { ...b, weight: -1 }] }], {}, 'desired.services[0].destinations[1].weight'],
    ['an unknown property', [{ ...web, destinations: [{ ...a, wieght: 1 }] }], {}, 'desired.services[0].destinations[0].wieght'],
    ['a service twice', [web, { ...web }], {}, 'desired.services[1]'],
    ['a destination twice', [{ ...web, destinations: [a, b, { ...a }] }], {}, 'desired.services[0].destinations[2]'],
    ['a bad timeout', { services: [], timeouts: { tcp: -1 } }, {}, 'desired.timeouts.tcp'],
    ['a bad daemon', { services: [], daemons: [{ role: 'boss', interface: 'eth0' }] }, {}, 'desired.daemons[0].role'],
    ['a daemon twice', { services: [], daemons: [{ role: 'master', interface: 'a' }, { role: 'master', interface: 'b' }] }, {}, 'desired.daemons[1].role'],
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
    await expect(plan(model, desired as Desired, options as never)).rejects.toMatchObject({ field })
    const before = await contents(model)
    await expect(apply(model, desired as Desired, options as never)).rejects.toThrow(field)
    expect(await contents(model)).toEqual(before)
  })
})

test('a port that is text is refused in a long list of destinations too, where all else is as it was', async () => {
  const many = Array.from({ length: 20 }, (_, i) => ({ ...a, address: `10.0.1.${i}` }))
  const model = await modelOf([{ ...web, destinations: many }])
  const reordered = [...many.slice(1), { ...many[0], port: '80' }] as never
  await expect(plan(model, [{ ...web, destinations: reordered }])).rejects.toMatchObject({ field: 'desired.services[0].destinations[19].port' })
})

describe('apply', () => {
  const desired: DesiredService[] = [{ ...web, scheduler: 'rr', destinations: [b, c] }, { fwmark: 5, family: 4, destinations: [a] }]

  test('applies what was desired when it was called', async () => {
    const model = new Model()
    const lists: DesiredTable & { services: DesiredService[], timeouts: { tcp: number }, daemons: DaemonInput[] } = { services: [{ ...web, destinations: [a, b] }], timeouts: { tcp: 1000 }, daemons: [{ role: 'master', interface: 'eth0' }] }
    const applying = apply(model, lists, { prune: 'all' })
    lists.services[0] = { ...web }
    lists.services.push({ ...web, port: 81, destinations: [] })
    lists.timeouts.tcp = 5
    lists.daemons.length = 0
    expect(typesOf((await applying).done.map(({ operation }) => operation))).toEqual(['addService', 'addDestination', 'addDestination', 'setTimeouts', 'startDaemon'])
    expect(model.timeouts.tcp).toBe(1000)
  })

  test('does nothing in a dry run', async () => {
    const model = new Model()
    const result = await apply(model, desired, { dryRun: true })
    expect(result.plan.operations).toHaveLength(5)
    expect(result.done).toEqual([])
    expect(await contents(model)).toEqual([])
  })

  test('reports what is in force, and keeps what is not replaced', async () => {
    const model = await modelOf([{ ...web, destinations: [a] }])
    const result = await apply(refusing(model, 'addDestination'), [{ ...web, scheduler: 'rr', destinations: [b, c] }], { prune: 'all' })
    expect(typesOf(result.done.map(({ operation }) => operation))).toEqual(['updateService'])
    expect(typesOf(result.refused.map(({ operation }) => operation))).toEqual(['addDestination', 'addDestination'])
    expect(typesOf(result.notSent.map(({ operation }) => operation))).toEqual(['removeDestination'])
    expect(model.capacity()).toEqual(new Map([[serviceId(web), 1]]))
  })

  test('keeps the weight of an old destination where the new one was refused', async () => {
    const model = await modelOf([{ ...web, destinations: [a] }])
    const result = await apply(refusing(model, 'addDestination'), [{ ...web, destinations: [b, { ...a, weight: 0 }] }])
    expect(typesOf(result.refused.map(({ operation }) => operation))).toEqual(['addDestination'])
    expect(typesOf(result.notSent.map(({ operation }) => operation))).toEqual(['updateDestination'])
    expect(model.capacity()).toEqual(new Map([[serviceId(web), 1]]))
  })

  test('rolls back everything if anything is refused', async () => {
    await fc.assert(fc.asyncProperty(table, table, fc.nat(20), async (before, after, refused) => {
      const model = await modelOf(before)
      const start = await contents(model)
      let sent = 0
      model.refuses = () => sent++ === refused
      const result = await apply(model, after, { prune: 'all', rollback: true, batchSize: 2 })
      if (result.rollback === undefined) expect(result.refused).toEqual([])
      else {
        expect(result.rollback.notUndone).toEqual([])
        expect(await contents(model)).toEqual(start)
      }
    }), runs)
  })

  test('ends between two batches when its signal comes, and says what was done', async () => {
    const model = new Model()
    const abort = new AbortController()
    const seen: number[] = []
    const onProgress = ({ completed, total }: { completed: number, total: number }): void => {
      seen.push(completed)
      expect(total).toBe(5)
      if (completed === 4) abort.abort(new Error('enough'))
    }
    await expect(apply(model, desired, { batchSize: 2, signal: abort.signal, onProgress })).rejects.toMatchObject({ name: 'AbortError', result: { done: { length: 4 }, notSent: { length: 1 } } })
    expect(seen).toEqual([2, 4])
    expect((await apply(model, desired)).done).toHaveLength(1)
  })

  test('has each operation of the plan in one of the four lists whenever it is aborted', async () => {
    const swap = [{ ...web, scheduler: 'rr', destinations: ['10.0.0.104', '10.0.0.105', '10.0.0.106'].map((address) => ({ ...a, address })) }]
    for (let sends = 1; sends <= 7; sends++) {
      const model = await modelOf([{ ...web, destinations: [a, b, c] }])
      const abort = new AbortController()
      const onProgress = ({ completed }: { completed: number }): void => {
        if (completed === sends) abort.abort()
      }
      const applying = apply(model, swap, { prune: 'all', batchSize: 1, signal: abort.signal, onProgress })
      if (sends === 7) expect((await applying).done).toHaveLength(7)
      else await expect(applying).rejects.toMatchObject({ name: 'AbortError', result: { plan: { operations: { length: 7 } }, done: { length: sends }, notSent: { length: 7 - sends } } })
    }
  })

  test('names what it withheld when it is aborted after a refusal', async () => {
    const model = await modelOf([{ ...web, destinations: [a] }, { ...web, port: 81, destinations: [a, b] }])
    const abort = new AbortController()
    model.refuses = (operation) => {
      if (operation.type === 'removeDestination') abort.abort()
      return operation.type === 'addDestination' && operation.destination.address === c.address
    }
    await expect(apply(model, [{ ...web, destinations: [c] }, { ...web, port: 81, scheduler: 'rr' }], { prune: 'all', batchSize: 1, signal: abort.signal })).rejects.toMatchObject({
      result: {
        done: [{ operation: { type: 'updateService' } }, { operation: { type: 'removeDestination', service: { port: 81 } } }],
        refused: [{ operation: { type: 'addDestination' } }],
        notSent: [{ operation: { type: 'removeDestination', service: { port: 80 } } }, { operation: { type: 'removeDestination', service: { port: 81 } } }],
      },
    })
  })

  test.each([['before the call', 0], ['while the table is read', 1]])('says that nothing was done when it is aborted %s', async (_, reads) => {
    const model = new Model()
    const abort = new AbortController()
    if (reads === 0) abort.abort('enough')
    const handle = {
      batch: model.batch.bind(model),
      snapshot: () => {
        abort.abort('enough')
        return model.snapshot()
      },
    }
    await expect(apply(handle, desired, { signal: abort.signal, concurrencyCheck: true })).rejects.toMatchObject({
      name: 'AbortError', cause: 'enough',
      result: { plan: { operations: [], warnings: [] }, done: [], refused: [], unknown: [], notSent: [] },
    })
    expect(await contents(model)).toEqual([])
  })

  test.each([
    ['a progress function that throws', new Error('mine'), { done: { length: 2 }, unknown: [], notSent: { length: 3 } }],
    ['a handle that is closed', Object.assign(new Error('closed'), { code: 'ERR_IPVS_CLOSED' }), { done: { length: 2 }, unknown: [], notSent: { length: 3 } }],
    ['a batch that breaks off', new Error('no more memory'), { done: { length: 2 }, unknown: { length: 2 }, notSent: { length: 1 } }],
  ])('ended by %s says what is in force', async (what, error, lists) => {
    const model = new Model()
    const handle = {
      snapshot: () => model.snapshot(),
      batch: (operations: Iterable<Operation>) => !what.includes('function') && model.capacity().size > 0 ? Promise.reject(error) : model.batch(operations),
    }
    const onProgress = (): void => {
      if (what.includes('function')) throw error
    }
    const ended = await apply(handle, desired, { batchSize: 2, onProgress }).catch((reason: unknown) => reason)
    expect(ended).toBe(error)
    expect(ended).toMatchObject({ result: { plan: { operations: { length: 5 } }, refused: [], ...lists } })
  })

  test('ended by something that is no error has it as the cause', async () => {
    // eslint-disable-next-line @typescript-eslint/only-throw-error -- programs do
    const onProgress = (): void => { throw 'enough' }
    await expect(apply(new Model(), desired, { onProgress })).rejects.toMatchObject({ cause: 'enough', result: { done: { length: 5 } } })
  })

  test('killed after any send leaves a table that the next apply brings to the desired state', async () => {
    await fc.assert(fc.asyncProperty(table, table, fc.constantFrom(1, 2, 7), fc.nat(30), async (before, after, batchSize, sends) => {
      const model = await modelOf(before)
      const abort = new AbortController()
      let sent = 0
      await apply(model, after, { prune: 'all', batchSize, signal: abort.signal, onProgress: () => {
        if (sent++ === sends) abort.abort()
      } }).catch(() => {})
      await apply(model, after, { prune: 'all' })
      expect(await contents(model)).toEqual(await contents(await modelOf(after)))
    }), runs)
  })

  test('plans anew while others change the table, and gives up when they do not stop', async () => {
    const model = new Model()
    let edits = 0
    const handle = {
      batch: model.batch.bind(model),
      snapshot: async () => {
        if (edits++ < 3) model.carryOut({ type: 'addDestination', service: web, destination: { address: `10.0.0.${edits}`, port: 80 } })
        return model.snapshot()
      },
    }
    await apply(model, [web])
    const result = await apply(handle, [{ ...web, destinations: [a] }], { prune: 'all', concurrencyCheck: true })
    expect(typesOf(result.done.map(({ operation }) => operation))).toEqual(['addDestination', 'removeDestination', 'removeDestination', 'removeDestination'])
    edits = -100
    await expect(apply(handle, [{ ...web, destinations: [b] }], { prune: 'all', concurrencyCheck: { attempts: 2 } })).rejects.toMatchObject({ code: 'ERR_IPVS_TABLE_CHANGING' })
  })
})

test('a concurrency check is content with the same plan in another order: a kernel may reorder its table by itself', async () => {
  const services = [1, 2, 3].map((port) => ({ ...web, port, destinations: [a, b] }))
  const model = await modelOf(services)
  let looks = 0
  const handle = {
    batch: model.batch.bind(model),
    snapshot: async () => {
      const table = await model.snapshot()
      if (looks++ % 2 === 1) table.services.reverse()
      return table
    },
  }
  const { done } = await apply(handle, [{ ...web, port: 2, destinations: [a] }], { prune: 'all', concurrencyCheck: { attempts: 1 } })
  expect(typesOf(done.map(({ operation }) => operation)).sort()).toEqual(['removeDestination', 'removeService', 'removeService'])
})

test('a plan reads as text', async () => {
  const model = await modelOf([{ ...web, destinations: [a, b] }])
  expect(formatPlan(await plan(model, [{ ...web, scheduler: 'sh', destinations: [{ ...b, weight: 3 }] }], { prune: 'all', drain: true })).split('\n')).toEqual([
    'updateDestination 10.0.0.102:80 of tcp 10.0.0.1:80 (weight 1 → 3)',
    'updateService tcp 10.0.0.1:80 (scheduler wlc → sh)',
    'updateDestination 10.0.0.101:80 of tcp 10.0.0.1:80 (the destination is not desired: weight 1 → 0, to drain it)',
    'draining 10.0.0.101:80 of tcp 10.0.0.1:80 (0 active, 0 inactive, 0 persistent connections)',
    expect.stringContaining('warning: tcp 10.0.0.1:80: scheduler \'sh\' refuses clients') as unknown,
  ])
})
