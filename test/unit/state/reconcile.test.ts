import { once } from 'node:events'
import { constants } from 'node:os'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Desired } from 'ipvs'
import { TestTable } from './support/test-table.js'

const { EPERM } = constants.errno
const web = { protocol: 'tcp', address: '10.0.0.1', port: 80 } as const
const [a, b, c] = ['10.0.0.101', '10.0.0.102', '10.0.0.103'].map((address) => ({ address, port: 80, forward: 'nat' as const }))
const steady = { jitter: 0, prune: 'all' } as const

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/**
 * Lets time pass, and what is due in it happen: in steps, because a look at the table takes turns of the event loop and says only then when
 * the next one is due.
 */
async function pass(seconds: number): Promise<void> {
  for (let step = 0; step < 10; step++) {
    await vi.advanceTimersByTimeAsync(seconds * 100)
    for (let i = 0; i < 20; i++) await turn()
  }
}

test('a burst of states is one look at the table, with the last of them', async () => {
  const table = new TestTable()
  const reconciler = table.ipvs.reconcile(undefined, steady)
  for (let port = 1; port <= 100; port++) void reconciler.set([{ ...web, port }])
  await pass(0.06)
  expect(table.reads()).toBe(1)
  expect(table.kernel.table().services).toMatchObject([{ port: 100 }])
  await reconciler.close()
})

test('what others change is repaired after an interval', async () => {
  const table = new TestTable()
  const reconciler = table.ipvs.reconcile([{ ...web, destinations: [a] }], { ...steady, interval: 10 })
  await pass(0.2)
  table.other.removeDestination(web, a)
  table.other.addService({ ...web, port: 81 })
  await pass(5)
  expect(table.kernel.table().services).toHaveLength(2)
  await pass(6)
  expect(table.kernel.table().services).toMatchObject([{ port: 80, destinations: [{ address: a.address }] }])
  await reconciler.close()
})

test('a timer that fires a moment early is not the last one', async () => {
  const exact = globalThis.setTimeout
  const early = vi.spyOn(globalThis, 'setTimeout').mockImplementation(
    ((act: () => void, delay: number) => exact(act, delay - 0.5)) as typeof setTimeout,
  )
  const table = new TestTable()
  const reconciler = table.ipvs.reconcile([{ ...web, destinations: [a] }], { ...steady, interval: 10 })
  await pass(0.2)
  table.other.removeDestination(web, a)
  await pass(11)
  expect(table.kernel.table().services).toMatchObject([{ destinations: [{ address: a.address }] }])
  await reconciler.close()
  early.mockRestore()
})

test('what becomes of the list that was given is nothing until it is given again', async () => {
  const table = new TestTable()
  const desired = [{ ...web, destinations: [a, b] }]
  const reconciler = table.ipvs.reconcile(desired, { ...steady, interval: 10 })
  await pass(0.2)
  desired[0].destinations.length = 1
  desired.push({ ...web, port: 81, destinations: [] } as never)
  await pass(11)
  expect(table.capacity()).toEqual(new Map([['tcp 10.0.0.1 80', 2]]))
  void reconciler.set(desired)
  await pass(0.2)
  expect(table.capacity()).toEqual(new Map([['tcp 10.0.0.1 80', 1], ['tcp 10.0.0.1 81', 0]]))
  await reconciler.close()
})

test('errors are told, and tried again after longer and longer waits', async () => {
  const table = new TestTable()
  let broken = true
  table.kernel.refuse = () => broken ? -EPERM : undefined
  const waits: number[] = []
  const reconciler = table.ipvs.reconcile([web], { ...steady, backOff: { min: 1, max: 3 } })
  reconciler.on('failed', ({ retryIn }) => waits.push(retryIn))
  await pass(0.1)
  for (const seconds of [1, 2, 3]) await pass(seconds)
  expect(waits).toEqual([1, 2, 3, 3])
  broken = false
  await pass(3)
  expect(table.kernel.table().services).toHaveLength(1)
  await reconciler.close()
})

test('a destination that is not desired any more drains until its connections are gone, or its time has passed', async () => {
  const table = new TestTable()
  const reconciler = table.ipvs.reconcile([{ ...web, destinations: [a, b, c] }], { ...steady, drain: { timeout: 60, interval: 1 } })
  await pass(0.2)
  table.connect(web, a, { active: 2 })
  table.connect(web, c, { active: 1 })
  void reconciler.set([{ ...web, destinations: [b] }])
  await pass(0.2)
  expect(table.kernel.table().services[0].destinations).toMatchObject([
    { weight: 0, activeConnections: 1 }, { weight: 1 }, { weight: 0, activeConnections: 2 },
  ])
  await pass(10)
  expect(table.kernel.table().services[0].destinations).toHaveLength(3)
  table.connect(web, c, {})
  await pass(2)
  expect(table.kernel.table().services[0].destinations).toMatchObject([{ address: b.address }, { address: a.address }])
  for (let second = 0; second < 50; second++) await pass(1)
  expect(table.kernel.table().services[0].destinations).toMatchObject([{ address: b.address }])
  await reconciler.close()
})

test('a destination that is desired again while it drains takes connections again', async () => {
  const table = new TestTable()
  const reconciler = table.ipvs.reconcile([{ ...web, destinations: [a, b] }], { ...steady, drain: true })
  await pass(0.2)
  table.connect(web, a, { active: 2 })
  void reconciler.set([{ ...web, destinations: [b] }])
  await pass(0.2)
  void reconciler.set([{ ...web, destinations: [a, b] }])
  await pass(0.2)
  expect(table.kernel.table().services[0].destinations).toMatchObject([{ weight: 1 }, { weight: 1, activeConnections: 2 }])
  await reconciler.close()
})

test('the states of an async iterable are followed; the last one stays', async () => {
  const table = new TestTable()
  let say!: (state: Desired) => void
  let said = new Promise<Desired>((resolve) => {
    say = resolve
  })
  async function* states(): AsyncGenerator<Desired> {
    yield [web]
    yield await said
  }
  const reconciler = table.ipvs.reconcile(states(), steady)
  await pass(0.2)
  expect(table.kernel.table().services).toHaveLength(1)
  say([web, { ...web, port: 81 }])
  said = Promise.resolve([])
  await pass(0.2)
  await pass(20)
  expect(table.kernel.table().services).toHaveLength(2)
  await reconciler.close()
})

test.each([['a number', 5], ['a table whose services are none', { services: 7 }], ['a bad port', [{ ...web, port: -1 }]]])('an async iterable is followed on after it has yielded %s', async (_, bad) => {
  const table = new TestTable()
  const said: ((state: unknown) => void)[] = []
  const ended = vi.fn()
  const states = {
    [Symbol.asyncIterator]: () => ({
      next: () =>
        new Promise<IteratorResult<Desired>>((resolve) => said.push((value) => resolve({ done: false, value: value as Desired }))),
      return: () => Promise.resolve({ done: true as const, value: ended() as undefined }),
    }),
  }
  const reconciler = table.ipvs.reconcile(states, { ...steady, interval: 10, backOff: { min: 1 } })
  const failures: unknown[] = []
  reconciler.on('failed', ({ error }) => failures.push(error))
  for (const [i, state] of [[web], bad, [web, { ...web, port: 81 }]].entries()) {
    said[i](state)
    await pass(0.1)
  }
  expect(failures).toEqual([expect.objectContaining({ field: expect.stringContaining('desired') as unknown })])
  expect(table.kernel.table().services).toHaveLength(2)
  await reconciler.close()
  expect(ended).toHaveBeenCalledTimes(1)
})

test('an iterator that cannot be ended does not keep it from closing', async () => {
  const states = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise<IteratorResult<Desired>>(() => {}),
      return: () => {
        throw new Error('not mine')
      },
    }),
  }
  const reconciler = new TestTable().ipvs.reconcile(states, steady)
  const closed = once(reconciler, 'closed')
  await reconciler.close()
  await closed
})

test.each([
  ['a bad port', [{ ...web, port: -1 }]],
  ['a service twice', [web, web]],
  ['a bad destination', [{ ...web, destinations: [{ ...a, weight: 1.5 }] }]],
  ['services that are none', { services: 7 }],
])('a state with %s is refused whole; the last good one stays in force', async (_, bad) => {
  const table = new TestTable()
  const reconciler = table.ipvs.reconcile([{ ...web, destinations: [a] }], { ...steady, interval: 10 })
  await pass(0.2)
  const failures: unknown[] = []
  reconciler.on('failed', (failure) => failures.push(failure))
  const refused = reconciler.set(bad as Desired)
  await pass(0.2)
  await expect(refused).rejects.toMatchObject({ field: expect.stringContaining('desired') as unknown })
  expect(failures).toEqual([
    {
      error: expect.objectContaining({ field: expect.stringContaining('desired') as unknown }) as unknown,
      generation: 2,
      retryIn: Infinity,
    },
  ])
  table.other.removeService(web)
  await pass(11)
  expect(table.capacity()).toEqual(new Map([['tcp 10.0.0.1 80', 1]]))
  expect(failures).toHaveLength(1)
  await reconciler.close()
})

test('a good state comes into force though one with a mistake is set in the same breath', async () => {
  const table = new TestTable()
  const reconciler = table.ipvs.reconcile([web], steady)
  await pass(0.2)
  const good = reconciler.set([{ ...web, destinations: [a] }])
  void reconciler.set([{ ...web, port: -1 }])
  await pass(0.2)
  expect(await good).toEqual({ generation: 2, refused: [] })
  expect(table.capacity()).toEqual(new Map([['tcp 10.0.0.1 80', 1]]))
  await reconciler.close()
})

test('without a good state before it, one with a mistake leaves the table alone, and the next good one is taken', async () => {
  const table = new TestTable()
  table.other.addService({ ...web, port: 81 })
  const reconciler = table.ipvs.reconcile([{ ...web, port: -1 }], { ...steady, interval: 10 })
  await pass(100)
  expect(table.reads()).toBe(1)
  expect(table.capacity()).toEqual(new Map([['tcp 10.0.0.1 81', 0]]))
  void reconciler.set([web])
  await pass(0.2)
  expect(table.capacity()).toEqual(new Map([['tcp 10.0.0.1 80', 0]]))
  await reconciler.close()
})

test('a state that was good and got a mistake afterwards is tried again, for want of another', async () => {
  const table = new TestTable()
  const service = { ...web, scheduler: 'rr' }
  const reconciler = table.ipvs.reconcile([service], { ...steady, interval: 10, backOff: { min: 1, max: 1 } })
  await pass(0.2)
  const waits: number[] = []
  reconciler.on('failed', ({ retryIn }) => waits.push(retryIn))
  service.scheduler = 7 as never
  await pass(10)
  expect(waits).toEqual([1])
  service.scheduler = 'wrr'
  await pass(1)
  expect(table.kernel.table().services).toMatchObject([{ scheduler: 'wrr' }])
  await reconciler.close()
})

test('set answers when its state is in force, with what the kernel refused of it; a superseded one with the number of the later one', async () => {
  const table = new TestTable()
  const reconciler = table.ipvs.reconcile(undefined, steady)
  const events: unknown[] = []
  reconciler
    .on('applied', ({ generation, done }) => events.push(['applied', generation, done]))
    .on('converged', ({ generation }) => events.push(['converged', generation]))
  const [first, second] = [reconciler.set([web]), reconciler.set([{ ...web, destinations: [a] }])]
  await pass(0.2)
  expect(await Promise.all([first, second])).toEqual([{ generation: 2, refused: [] }, { generation: 2, refused: [] }])
  table.refuse('addDestination')
  const third = reconciler.set([{ ...web, destinations: [a, b] }])
  await pass(0.06)
  expect(await third).toMatchObject({ generation: 3, refused: [{ operation: { type: 'addDestination' } }] })
  expect(events.map((event) => (event as unknown[]).slice(0, 2))).toEqual([['applied', 2], ['converged', 2], ['applied', 3]])
  await reconciler.close()
})

test('a state that close comes before is not answered as in force, and nobody has to listen', async () => {
  const table = new TestTable()
  const rejected = vi.fn()
  process.on('unhandledRejection', rejected)
  try {
    const reconciler = table.ipvs.reconcile(undefined, steady)
    void reconciler.set([web])
    const state = reconciler.set([web])
    await reconciler.close()
    await expect(state).rejects.toMatchObject({ code: 'ERR_IPVS_CLOSED' })
    await pass(1)
    expect(rejected).not.toHaveBeenCalled()
  } finally {
    process.off('unhandledRejection', rejected)
  }
})

test('a look that waited for another begins none after close', async () => {
  const table = new TestTable()
  const working = table.ipvs.batch.bind(table.ipvs)
  let go!: () => void
  const gate = new Promise<void>((resolve) => {
    go = resolve
  })
  table.ipvs.batch = async (operations, options) => {
    await gate
    return working(operations, options)
  }
  const reconciler = table.ipvs.reconcile([web], steady)
  await pass(0.06)
  const waiting = reconciler.look()
  const closing = reconciler.close()
  go()
  await Promise.all([waiting, closing])
  expect(table.reads()).toBe(1)
})

test('the next state of an async iterable is taken when the one before has been looked at', async () => {
  const table = new TestTable()
  let taken = 0
  const states = {
    [Symbol.asyncIterator]: () => ({
      next: () =>
        Promise.resolve<IteratorResult<Desired>>(
          ++taken > 1000
            ? { done: true, value: undefined }
            : { done: false, value: taken % 2 === 1 ? [{ ...web, port: taken }] : (5 as never) },
        ),
    }),
  }
  const reconciler = table.ipvs.reconcile(states, steady)
  for (let i = 0; i < 100; i++) await Promise.resolve()
  expect(taken).toBe(1)
  await pass(0.06)
  expect(table.reads()).toBe(1)
  expect(taken).toBeLessThan(10)
  expect(table.kernel.table().services).toMatchObject([{ port: 1 }])
  await reconciler.close()
})

test('what was done before close came is told', async () => {
  const table = new TestTable()
  let closing: Promise<void> | undefined
  const reconciler = table.ipvs.reconcile([{ ...web, destinations: [a, b] }], { ...steady, batchSize: 2, onProgress: () => {
    closing ??= reconciler.close()
  } })
  const events: unknown[] = []
  reconciler
    .on('applied', ({ done, notSent }) => events.push([done, notSent]))
    .on('failed', () => events.push('failed'))
    .on('closed', () => events.push('closed'))
  await pass(0.1)
  await closing
  expect(events).toEqual([[2, 1], 'closed'])
  expect(table.capacity()).toEqual(new Map([['tcp 10.0.0.1 80', 1]]))
})

test('what was done before an error came is told, and then the error', async () => {
  const table = new TestTable()
  const error = new Error('the handle broke')
  let batches = 0
  const working = table.ipvs.batch.bind(table.ipvs)
  table.ipvs.batch = (operations, options) => batches++ === 1 ? Promise.reject(error) : working(operations, options)
  const reconciler = table.ipvs.reconcile([{ ...web, destinations: [a, b] }], { ...steady, batchSize: 1 })
  const events: unknown[] = []
  reconciler
    .on('applied', ({ done, unknown, notSent }) => events.push([done, unknown.length, notSent]))
    .on('failed', (failure) => events.push(failure.error))
  await pass(0.1)
  expect(events).toEqual([[1, 0, 2], error])
  await reconciler.close()
})

test('a listener that throws hears of each failure once, and the loop goes on', async () => {
  const table = new TestTable()
  let broken = true
  table.kernel.refuse = () => broken ? -EPERM : undefined
  const rejected = vi.fn()
  process.on('unhandledRejection', rejected)
  const reconciler = table.ipvs.reconcile([web], { ...steady, backOff: { min: 1, max: 1 } })
  const listener = vi.fn(() => {
    throw new Error('a listener\'s own')
  })
  reconciler.on('failed', listener).on('applied', listener)
  try {
    await pass(0.1)
    expect(listener).toHaveBeenCalledTimes(1)
    broken = false
    await pass(1)
    expect(listener).toHaveBeenCalledTimes(2)
    expect(table.kernel.table().services).toHaveLength(1)
    expect(rejected.mock.calls).toEqual(Array(2).fill([expect.objectContaining({ message: 'a listener\'s own' }), expect.any(Promise)]))
  } finally {
    process.off('unhandledRejection', rejected)
  }
  await reconciler.close()
})

test('the longest interval is waited out, jitter included', async () => {
  const random = vi.spyOn(Math, 'random').mockReturnValue(0.999)
  const table = new TestTable()
  const reconciler = table.ipvs.reconcile([web], { prune: 'all', interval: 2_147_483 })
  await pass(1)
  const before = table.reads()
  await pass(2_147_000)
  expect(table.reads()).toBe(before)
  await pass(600)
  expect(table.reads()).toBeGreaterThan(before)
  await reconciler.close()
  random.mockRestore()
})

test('it keeps the process alive until it is closed, without a state too', async () => {
  const alive = (): number => process.getActiveResourcesInfo().filter((what) => what === 'Timeout').length
  const before = alive()
  const reconciler = new TestTable().ipvs.reconcile(undefined, steady)
  expect(alive()).toBe(before + 1)
  await reconciler.close()
  expect(alive()).toBe(before)
})

test('close ends it cleanly: nothing is begun after it, and set is refused', async () => {
  const table = new TestTable()
  const reconciler = table.ipvs.reconcile([web], steady)
  await pass(0.1)
  const closed = once(reconciler, 'closed')
  await reconciler.close()
  await closed
  const before = table.reads()
  await pass(100)
  expect(table.reads()).toBe(before)
  await expect(reconciler.set([])).rejects.toMatchObject({ code: 'ERR_IPVS_CLOSED' })
  expect(vi.getTimerCount()).toBe(0)
})

test('a signal ends it too', async () => {
  const abort = new AbortController()
  const reconciler = new TestTable().ipvs.reconcile([web], { ...steady, signal: abort.signal })
  const closed = once(reconciler, 'closed')
  abort.abort()
  await closed
  expect(vi.getTimerCount()).toBe(0)
})

test.each([
  [{ interval: 0 }, 'options.interval'],
  [{ jitter: 2 }, 'options.jitter'],
  [{ coalesce: -1 }, 'options.coalesce'],
  [{ backOff: { min: 5, max: 1 } }, 'options.backOff.max'],
  [{ dryRun: true }, 'options.dryRun'],
  [{ pace: 1 }, 'options.pace'],
  [{ backOff: { mni: 1 } }, 'options.backOff.mni'],
  [{ backOff: [] }, 'options.backOff'],
  [{ backOff: null }, 'options.backOff'],
  [{ jitter: '1' }, 'options.jitter'],
  [{ jitter: NaN }, 'options.jitter'],
])('%j is refused', (options, field) => {
  expect(() => new TestTable().ipvs.reconcile([], options as never)).toThrow(field)
})

test('what is said of an unknown option does not offer a dry run, which a loop has none of', () => {
  expect(() => new TestTable().ipvs.reconcile([], { dryRun: true } as never)).toThrow(/^options\.dryRun (?!.*dryRun)/)
})
