import { constants } from 'node:os'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { DesiredService, DesiredUpdate, InForce, ReconcileOptions, Reconciler, ServiceKey } from 'ipvs'
import { canonicalKey } from '../../../lib/client/draft.js'
import { serviceId } from '../../../lib/model/keys.js'
import { table } from './support/tables.js'
import { isChange, TestTable } from './support/test-table.js'

const { EINVAL, EPERM } = constants.errno
const web = { protocol: 'tcp', address: '10.0.0.1', port: 80 } as const
const [a, b, c] = ['10.0.0.101', '10.0.0.102', '10.0.0.103'].map((address) => ({ address, port: 80, forward: 'nat' as const }))
const at = (port: number, ...destinations: (typeof a)[]): DesiredService => ({ ...web, port, destinations })

const idOf = (service: unknown): string => serviceId(canonicalKey(service))

describe('for random tables', () => {
  /** What happens to a loop, one after the other. */
  const step = fc.oneof(
    { weight: 1, arbitrary: fc.record({ what: fc.constant('set' as const), table }) },
    { weight: 6, arbitrary: fc.record({ what: fc.constant('update' as const), table, removed: fc.nat(63) }) },
    { weight: 2, arbitrary: fc.record({ what: fc.constant('mistake' as const), table, isUpdate: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ what: fc.constant('others' as const), table }) },
    { weight: 2, arbitrary: fc.constant({ what: 'wait' as const }) },
    { weight: 1, arbitrary: fc.constant({ what: 'look' as const }) },
    { weight: 2, arbitrary: fc.constant({ what: 'begin a look' as const }) },
    { weight: 2, arbitrary: fc.constant({ what: 'turn' as const }) },
  )

  test.each([['nothing is refused', false], ['the kernel refuses now and then', true]])('any mix of states, updates, looks and edits by others ends as desired, where %s', async (_, refuses) => {
    let [refusals, mistaken] = [0, 0]
    await fc.assert(fc.asyncProperty(table, fc.array(step, { maxLength: 12 }), fc.nat(5), async (first, steps, nth) => {
      const model = new TestTable()
      let [changes, areOurs] = [0, true]
      if (refuses) model.kernel.refuse = (asked) => {
        if (!areOurs || !isChange(asked) || changes++ % 7 !== nth) return undefined
        refusals++
        return -EINVAL
      }
      const reconciler = model.ipvs.reconcile(first, {
        prune: 'all',
        interval: 1000,
        coalesce: 0,
        jitter: 0,
        backOff: { min: 1000, max: 1000 },
      })
      let wanted = new Map(first.map((service) => [idOf(service), service]))
      const answers: Promise<InForce>[] = []
      const mistakes: Promise<unknown>[] = []
      let [generation, isClean] = [1, true]
      const asDesired = async (): Promise<void> => expect(model.contents()).toEqual((await TestTable.of([...wanted.values()])).contents())
      for (const one of steps) {
        switch (one.what) {
          case 'set':
            wanted = new Map(one.table.map((service) => [idOf(service), service]))
            answers.push(reconciler.set(one.table))
            generation++
            isClean = true
            break
          case 'update': {
            const removed = [...wanted.values()].filter(
              (service, i) => ((one.removed >> i) & 1) === 1 && !one.table.some((other) => idOf(other) === idOf(service)),
            )
            for (const service of removed) wanted.delete(idOf(service))
            for (const service of one.table) wanted.set(idOf(service), service)
            answers.push(reconciler.update({ services: one.table, removed: removed }))
            generation++
            break
          }
          case 'mistake': {
            const services = [...one.table, { ...web, port: 9, destinations: [{ ...a, weight: -1 }] }]
            const answer = one.isUpdate ? reconciler.update({ services }) : reconciler.set(services)
            generation++
            // A state that another takes the place of is not looked at.
            mistakes.push(answer.catch((error: unknown) => {
              mistaken++
              expect(error).toMatchObject({
                field: expect.stringMatching(/^(desired|update)\.services\[\d\]\.destinations\[0\]\.weight$/) as unknown,
              })
            }))
            break
          }
          case 'others':
            areOurs = false
            model.other.flush()
            for (const { destinations, ...service } of one.table) {
              model.other.addService(service)
              for (const destination of destinations) model.other.addDestination(service, destination)
            }
            areOurs = true
            isClean = false
            break
          case 'wait': {
            const { generation: inForce, refused } = await answers.at(-1) ?? { generation: 1, refused: [] }
            expect(inForce).toBeLessThanOrEqual(generation)
            if (!refuses) {
              expect(refused).toEqual([])
              if (isClean && answers.length > 0) await asDesired()
            }
            break
          }
          case 'look':
            await reconciler.look()
            isClean = true
            break
          case 'begin a look':
            void reconciler.look()
            break
          default: await turn()
        }
      }
      model.kernel.refuse = undefined
      await Promise.all([...answers, ...mistakes])
      // What others did while a state was compared, or what was refused, is for the next look.
      await reconciler.look()
      await asDesired()
      await reconciler.close()
    }), { seed: 22, numRuns: 150 })
    expect([refusals > 0, mistaken > 0]).toEqual([refuses, true])
  }, 120_000)
})

describe('update', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  })
  afterEach(async () => {
    await reconciler.close()
    vi.useRealTimers()
  })

  let model: TestTable
  let reconciler: Reconciler
  let events: [name: string, generation: number, ...rest: unknown[]][]

  /** Lets time pass, and what is due in it happen. */
  async function pass(seconds: number): Promise<void> {
    for (let part = 0; part < 10; part++) {
      await vi.advanceTimersByTimeAsync(seconds * 100)
      for (let i = 0; i < 20; i++) await turn()
    }
  }

  /** A loop whose first state is in force. */
  async function keep(desired: DesiredService[] | undefined, options: ReconcileOptions = {}): Promise<void> {
    model = new TestTable()
    reconciler = model.ipvs.reconcile(desired, { jitter: 0, prune: 'all', ...options })
    await pass(0.3)
    model.changes()
    model.kernel.asked.length = 0
    model.changes()
    events = []
    reconciler.on('applied', ({ generation, plan }) => events.push(['applied', generation, plan.operations.length]))
    reconciler.on('converged', ({ generation }) => events.push(['converged', generation]))
    reconciler.on('failed', ({ generation, error, retryIn }) =>
      events.push(['failed', generation, (error as { field?: string } | undefined)?.field, retryIn]),
    )
  }

  const capacity = (): Record<string, number> =>
    Object.fromEntries([...model.capacity()].map(([id, count]) => [id.replace('tcp 10.0.0.1 ', ''), count]))

  test('reads and changes what it names, and nothing else, at once', async () => {
    await keep(Array.from({ length: 200 }, (_, i) => at(i + 1, a)))
    const dumps: boolean[] = []
    model.kernel.before = ({ command, dump }) => {
      if (command === 'getService') dumps.push(dump)
    }
    expect(await reconciler.update({ services: [at(7, a, b)], removed: [at(8) as ServiceKey] })).toEqual({ generation: 2, refused: [] })
    expect(model.kernel.asked).toEqual(['getService', 'getService', 'getDest', 'getDest', 'newDest', 'delService'])
    await pass(0.2)
    expect(dumps).toEqual([false, false, false, false])
    expect(events).toEqual([['applied', 2, 2], ['converged', 2]])
    model.kernel.before = undefined
    expect(model.capacity().size).toBe(199)
  })

  test('reads the timeouts only where destinations drain, which may say how long that takes', async () => {
    await keep([at(80, a, b)], { drain: { until: 'established', timeout: 10, interval: 1 } })
    await reconciler.update({ services: [at(80, a)] })
    expect(model.kernel.asked).toEqual(['getService', 'getDest', 'getConfig', 'setDest'])
  })

  test('what it has named stays as it says, and is repaired', async () => {
    await keep([at(80, a), at(81, a)])
    await reconciler.update({ services: [at(81, b), at(82, c)], removed: [web] })
    model.other.flush()
    await pass(11)
    expect(capacity()).toEqual({ 81: 1, 82: 1 })
    expect(
      model.kernel
        .table()
        .services.flatMap(({ destinations }) => destinations.map(({ address }) => address))
        .sort(),
    ).toEqual([b.address, c.address])
  })

  test('updates of a turn travel together; of a service that several name, the last counts', async () => {
    await keep([at(80, a)])
    const answers = [
      reconciler.update({ services: [at(80, b)] }),
      reconciler.update({ services: [at(81, a)] }),
      reconciler.update({ services: [at(80, c)], removed: [at(81)] }),
    ]
    expect(await Promise.all(answers)).toEqual(Array(3).fill({ generation: 4, refused: [] }))
    expect(model.kernel.asked.filter((command) => command === 'getService')).toHaveLength(2)
    expect(model.changes()).toEqual(['addDestination', 'removeDestination'])
  })

  /** A thousand services that are in force, of which another program removes one. */
  async function keepMany(options: ReconcileOptions = {}): Promise<void> {
    await keep(Array.from({ length: 1000 }, (_, i) => at(i + 1, a)), { interval: 1000, ...options })
    model.other.removeService(at(900))
    model.kernel.asked.length = 0
  }

  /** Updates two services when the kernel has been asked for the destinations of so many of those that it lists. */
  function updateAmid(requests: number): Promise<InForce>[] {
    const answers: Promise<InForce>[] = []
    model.kernel.before = ({ command }) => {
      if (command !== 'getDest' || model.kernel.asked.length !== requests) return
      answers.push(reconciler.update({ services: [at(7, b)], removed: [at(8)] }), reconciler.update({ services: [at(990, c)] }))
    }
    return answers
  }

  test('goes before a look that reads the table, which then begins anew and repairs the rest', async () => {
    await keepMany()
    const answers = updateAmid(300)
    await reconciler.look()
    expect(await Promise.all(answers)).toEqual(Array(2).fill({ generation: 3, refused: [] }))
    const { asked } = model.kernel
    const [updated, repaired] = [asked.indexOf('newDest'), asked.indexOf('newService')]
    expect(asked.slice(0, repaired).filter((command) => !command.startsWith('get'))).toEqual(['newDest', 'newDest', 'delDest', 'delDest', 'delService'])
    expect(asked.slice(0, updated).filter((command) => command === 'getDest').length).toBeLessThan(700)
    expect(asked.slice(updated, repaired).filter((command) => command === 'getDest').length).toBeGreaterThanOrEqual(998)
    expect(asked.slice(repaired)).toEqual(['newService', 'newDest'])
    expect(events.map(([name, generation, count]) => [name, generation, count])).toEqual([['applied', 3, 5], ['applied', 3, 2]])
    await pass(0.2)
    expect(events.at(-1)).toEqual(['converged', 3])
    expect(model.capacity().size).toBe(999)
  })

  test('goes before a look that plans, which then begins anew', async () => {
    let [asked, answer] = [0, undefined as Promise<InForce> | undefined]
    // A look asks whose each service is while it plans, and makes room for others once it has taken long.
    const owns = (): boolean => {
      if (model.kernel.refuse === undefined || asked++ !== 500) return true
      answer = reconciler.update({ services: [at(7, b)] })
      vi.advanceTimersByTime(10)
      return true
    }
    await keepMany({ owns })
    model.kernel.refuse = () => undefined
    await reconciler.look()
    expect(await answer).toEqual({ generation: 2, refused: [] })
    expect(asked).toBeGreaterThan(1499)
    expect(model.kernel.asked.filter((command) => !command.startsWith('get'))).toEqual(['newDest', 'delDest', 'newService', 'newDest'])
  })

  test('waits for a look at the whole table that is late by an interval already', async () => {
    await keepMany({ interval: 1 })
    let updates = 0
    model.kernel.before = ({ command }) => {
      if (command === 'getDest' && model.kernel.asked.length % 500 === 300) void reconciler.update({ services: [at(7, updates++ % 2 === 0 ? b : a)] })
    }
    for (let second = 0; second < 60 && !model.kernel.asked.includes('newService'); second++) await pass(1)
    model.kernel.before = undefined
    expect(model.kernel.asked).toContain('newService')
    expect(updates).toBeGreaterThan(1)
  })

  test('a steady stream of updates does not keep the whole table from being looked at', async () => {
    await keep([at(80, a)], { interval: 1 })
    model.other.addService({ ...web, port: 99 })
    for (let i = 0; i < 12; i++) {
      await reconciler.update({ services: [at(80, i % 2 === 0 ? b : a)] })
      await pass(0.1)
    }
    expect(capacity()).toEqual({ 80: 1 })
  })

  test('nor its own services from being looked at again, a few at a time', async () => {
    await keep([at(80, a)], { interval: 1000 })
    const looks: number[] = []
    model.kernel.before = ({ command }) => {
      if (command === 'getService') looks.push(model.kernel.asked.filter((asked) => asked === 'getService').length)
    }
    for (let i = 0; i < 40; i++) {
      await reconciler.update({ services: [at(100 + i, a)] })
      model.other.removeService(at(100 + i))
      await pass(0.02)
    }
    await pass(0.1)
    expect(model.capacity().size).toBe(41)
    // Each service once before it is added, and a few times until it is as desired.
    expect(looks.length).toBeLessThan(40 * 6)
  })

  test('there is nothing to update before a state was set, nor where the only one has a mistake', async () => {
    await keep(undefined)
    await expect(reconciler.update({ services: [at(80, a)] })).rejects.toMatchObject({ code: 'ERR_IPVS_NO_STATE' })
    const [bad, update] = [reconciler.set([at(-1)]), reconciler.update({ services: [at(80, a)] })]
    await pass(0.1)
    await expect(bad).rejects.toMatchObject({ field: 'desired.services[0].port' })
    await expect(update).rejects.toMatchObject({ code: 'ERR_IPVS_NO_STATE' })
    expect(events.map(([name, generation]) => [name, generation])).toEqual([['failed', 1], ['failed', 2], ['failed', 3]])
    expect(model.changes()).toEqual([])
  })

  test('one that follows a state waits for that, and one before it is superseded', async () => {
    await keep([at(80, a)])
    const answers = [
      reconciler.update({ services: [at(81, a)] }),
      reconciler.set([at(82, a)]),
      reconciler.update({ services: [at(83, a)] }),
    ]
    await pass(0.2)
    expect((await Promise.all(answers)).map(({ generation }) => generation)).toEqual([3, 3, 4])
    expect(capacity()).toEqual({ 82: 1, 83: 1 })
  })

  test('a state with a mistake is as if it had never been: updates before and after it change the one before', async () => {
    await keep([at(80, a)])
    const answers = [reconciler.update({ services: [at(81, a)] }), reconciler.set([at(-1)]), reconciler.update({ services: [at(83, a)] })]
    await pass(0.2)
    expect((await Promise.allSettled(answers)).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(capacity()).toEqual({ 80: 1, 81: 1, 83: 1 })
  })

  const mistakes: [string, unknown, string][] = [
    ['nothing', undefined, 'update'],
    ['a table', { services: [], timeouts: {} }, 'update.timeouts'],
    ['services that are none', { services: 5 }, 'update.services'],
    ['a bad key', { services: [at(70000)] }, 'update.services[0].port'],
    ['a bad key to remove', { removed: [at(-1)] }, 'update.removed[0].port'],
    ['a service twice', { services: [at(81), at(81)] }, 'update.services[1]'],
    ['a service that goes and comes', { services: [at(81)], removed: [at(81)] }, 'update.services[0]'],
    [
      'a bad weight',
      { services: [at(81), { ...web, port: 82, destinations: [{ ...a, weight: -1 }] }] },
      'update.services[1].destinations[0].weight',
    ],
    ['a bad scheduler', { services: [{ ...at(81, a), scheduler: 7 }] }, 'update.services[0].scheduler'],
    ['a destination twice', { services: [at(81, a, a)] }, 'update.services[0].destinations[1]'],
    ['a service of others', { services: [at(81, a), at(443, a)] }, 'update.services[1]'],
  ]
  test.each(mistakes)('with %s is refused whole, and those beside it come into force', async (_, bad, field) => {
    await keep([at(80, a)], { owns: { port: [80, 99] } })
    const [before, mistaken, after] = [
      reconciler.update({ services: [at(83, a)] }),
      reconciler.update(bad as DesiredUpdate),
      reconciler.update({ services: [at(84, a)] }),
    ]
    await pass(0.2)
    await expect(mistaken).rejects.toMatchObject({ field })
    expect([(await before).refused, (await after).refused]).toEqual([[], []])
    expect(events.filter(([name]) => name === 'failed')).toEqual([['failed', 3, field, Infinity]])
    expect(capacity()).toEqual({ 80: 1, 83: 1, 84: 1 })
    await pass(11)
    expect(capacity()).toEqual({ 80: 1, 83: 1, 84: 1 })
  })

  test('a look that is asked for sees the whole table, however many updates with mistakes come before it', async () => {
    await keep([at(80, a)])
    const mistakes = [81, 82, 83].map((port) => reconciler.update({ services: [{ ...web, port, destinations: [{ ...a, weight: -1 }] }] }))
    model.other.flush()
    await reconciler.look()
    expect(capacity()).toEqual({ 80: 1 })
    expect((await Promise.allSettled(mistakes)).map(({ status }) => status)).toEqual(Array(3).fill('rejected'))
  })

  test('what the kernel refuses is told to those who asked for it, and tried again', async () => {
    await keep([at(80, a)], { backOff: { min: 1, max: 1 } })
    model.kernel.refuse = ({ command, body }) =>
      command === 'newDest' && Buffer.from(body).includes(Buffer.from([10, 0, 0, 102])) ? -EINVAL : undefined
    const [refused, done] = await Promise.all([reconciler.update({ services: [at(80, b)] }), reconciler.update({ services: [at(81, c)] })])
    expect(refused).toMatchObject({
      generation: 3,
      refused: [{ operation: { type: 'addDestination', destination: { address: b.address } }, error: { code: 'EINVAL' } }],
    })
    expect(done).toEqual({ generation: 3, refused: [] })
    expect(capacity()).toEqual({ 80: 1, 81: 1 })
    expect(model.kernel.table().services[0].destinations[0].address).toBe(a.address)
    model.kernel.refuse = undefined
    await pass(1.2)
    expect(model.kernel.table().services[0].destinations[0].address).toBe(b.address)
    expect(events.at(-1)).toEqual(['converged', 3])
  })

  test('is undone where rollback says so, and tried again', async () => {
    await keep([at(80, a)], { rollback: true, backOff: { min: 1, max: 1 } })
    model.refuse('addDestination')
    const { refused } = await reconciler.update({ services: [{ ...at(80, b), scheduler: 'rr' }] })
    expect(refused).toHaveLength(1)
    expect(model.kernel.table().services).toMatchObject([{ scheduler: 'wlc', destinations: [{ address: a.address }] }])
    model.kernel.refuse = undefined
    await pass(1.2)
    expect(model.kernel.table().services).toMatchObject([{ scheduler: 'rr', destinations: [{ address: b.address }] }])
  })

  test('waits for the way to the kernel, and then comes into force', async () => {
    await keep([at(80, a)], { backOff: { min: 1, max: 4 } })
    let broken = true
    model.kernel.refuse = () => broken ? -EPERM : undefined
    const answer = reconciler.update({ services: [at(80, b)] })
    await pass(0.5)
    expect(events).toEqual([['failed', 2, undefined, 1]])
    broken = false
    await pass(1)
    expect(await answer).toEqual({ generation: 2, refused: [] })
    await pass(1)
    expect(events.at(-1)).toEqual(['converged', 2])
    expect(model.kernel.table().services[0].destinations[0].address).toBe(b.address)
  })

  test('a destination that it takes away drains, looked at alone, until its connections are gone or its time has passed', async () => {
    await keep([at(80, a, b), at(81, a, b)], { interval: 1000, drain: { timeout: 60, interval: 1 } })
    model.connect(web, a, { active: 2 })
    model.connect(at(81), a, { active: 1 })
    const wholes: number[] = []
    model.kernel.before = ({ command, dump }) => {
      if (command === 'getService' && dump) wholes.push(1)
    }
    await reconciler.update({ services: [at(80, b)] })
    await reconciler.update({ services: [at(81, b)] })
    expect(capacity()).toEqual({ 80: 1, 81: 1 })
    await pass(3)
    expect(events.some(([name]) => name === 'converged')).toBe(false)
    model.connect(at(81), a, {})
    await pass(2)
    expect(model.kernel.table().services.map(({ destinations }) => destinations.length)).toEqual([2, 1])
    for (let second = 0; second < 60; second++) await pass(1)
    expect(model.kernel.table().services.map(({ destinations }) => destinations.length)).toEqual([1, 1])
    expect(wholes).toEqual([])
    expect(events.at(-1)).toEqual(['converged', 3])
  })

  test('keeps what is not replaced: a service that moves to another key stays until the new one is in force, with withhold: \'all\'', async () => {
    await keep([at(80, a)], { withhold: 'all', backOff: { min: 1, max: 1 } })
    model.refuse('addService')
    const { refused } = await reconciler.update({ services: [at(0, a)], removed: [web] })
    expect(refused.map(({ operation }) => operation.type)).toEqual(['addService', 'addDestination'])
    expect(capacity()).toEqual({ 80: 1 })
    model.kernel.refuse = undefined
    await pass(1.2)
    expect(capacity()).toEqual({ 0: 1 })
  })

  test('without prune, what it removes is not desired any more and stays', async () => {
    await keep([at(80, a), at(81, a)], { prune: 'none' })
    await reconciler.update({ services: [at(80, b)], removed: [at(81)] })
    expect(capacity()).toEqual({ 80: 2, 81: 1 })
    model.other.flush()
    await pass(11)
    expect(capacity()).toEqual({ 80: 1 })
  })

  test('is refused when the loop is closed, and not answered as in force where that comes first', async () => {
    await keep([at(80, a)])
    const under = reconciler.update({ services: [at(81, a)] })
    await reconciler.close()
    await expect(under).rejects.toMatchObject({ code: 'ERR_IPVS_CLOSED' })
    await expect(reconciler.update({})).rejects.toMatchObject({ code: 'ERR_IPVS_CLOSED' })
  })

  test('the list that was given can be changed afterwards', async () => {
    await keep([at(80, a)])
    const services = [at(81, a)]
    const answer = reconciler.update({ services })
    services[0].destinations = []
    services.push(at(82, a))
    await answer
    expect(capacity()).toEqual({ 80: 1, 81: 1 })
  })
})
