import { setImmediate as turn } from 'node:timers/promises'
import { inspect } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { AbortError, BatchError, Ipvs, IpvsError, IpvsSync, type BatchBuilder, type BatchResult, type Operation } from 'ipvs'
import { refusal } from '../support/errors.js'
import { apis, Scene } from '../support/scene.js'
import { watchBatches } from '../support/transactions.js'

const service = (n: number) => ({ protocol: 'tcp', address: `10.20.${n >> 8}.${n & 255}`, port: 80 } as const)
const destination = (n: number) => ({ address: `10.30.${n >> 8}.${n & 255}`, port: 80, forward: 'nat' } as const)

/** Services of some destinations each, as operations and as the lines that ipvsadm prints. */
function* rules(services: number, destinations: number): Generator<Operation> {
  for (let s = 0; s < services; ++s) {
    yield { type: 'addService', service: { ...service(s), scheduler: 'rr' } }
    for (let d = 0; d < destinations; ++d) yield { type: 'addDestination', service: service(s), destination: destination(d) }
  }
}
const lines = (services: number, destinations: number): string[] => Array.from({ length: services }, (_, s) => [
  `-A -t ${service(s).address}:80 -s rr`,
  ...Array.from({ length: destinations }, (_, d) => `-a -t ${service(s).address}:80 -r ${destination(d).address}:80 -m -w 1`),
]).flat().sort()

const allDone = (total: number): BatchResult => ({ total, done: total, refused: [], unknown: [], notSent: 0 })

/** Calls a builder's method for an operation. */
const call = (b: BatchBuilder, { type, ...rest }: Operation): void => {
  (b[type] as (...args: unknown[]) => void)(...Object.values(rest) as unknown[])
}

let scene: Scene
beforeAll(async () => {
  scene = await Scene.create(Ipvs, 'batch')
})
beforeEach(() => scene.ipvs.flush())
afterAll(() => scene[Symbol.asyncDispose]())

const saved = async (): Promise<string[]> => (await scene.ipvsadm.save()).sort()

describe.each(apis)('a batch with %s', (_, Api) => {
  let ipvs: Ipvs | IpvsSync
  beforeAll(async () => {
    ipvs = await Api.open({ netns: scene.namespace.name })
  })
  afterAll(() => ipvs.close())

  test('of a callback is carried out in order', async () => {
    const result = await ipvs.batch(b => {
      b.addService({ ...service(1), scheduler: 'wrr' })
      b.addDestination(service(1), destination(1))
      b.addDestination(service(1), { ...destination(2), weight: 7 })
      b.updateDestination(service(1), { ...destination(1), weight: 5, upperThreshold: 9, lowerThreshold: 3, tunnel: null })
      b.removeDestination(service(1), destination(2))
      b.addService({ fwmark: 7, family: 6 })
      b.updateService({ ...service(1), scheduler: 'rr', schedulerFlags: [], onePacket: false, persistence: null, persistenceEngine: null })
      b.removeService({ fwmark: 7, family: 6 })
      b.setTimeouts({ udp: 42 })
      b.startDaemon({ role: 'backup', interface: 'lo', syncId: 9 })
      b.zero(service(1))
      b.zero()
      b.stopDaemon({ role: 'backup', syncId: 9 })
    })
    expect(result).toEqual(allDone(13))
    expect(await saved()).toEqual(['-A -t 10.20.0.1:80 -s rr', '-a -t 10.20.0.1:80 -r 10.30.0.1:80 -m -w 5'])
    expect(await scene.ipvsadm.thresholds()).toEqual({ '10.30.0.1:80': [9, 3] })
    expect(await scene.ipvsadm.timeouts()).toEqual([900, 120, 42])
    expect(await scene.ipvsadm.daemons()).toEqual([])
    await ipvs.batch([{ type: 'flush' }, { type: 'setTimeouts', timeouts: { udp: 300 } }])
    expect(await saved()).toEqual([])
  })

  test.each<[string, () => Iterable<Operation>]>([
    ['an array', () => [...rules(300, 10)]],
    ['an iterable', () => rules(300, 10)],
    ['a set', () => new Set(rules(300, 10))],
  ])('of %s with thousands of rules', async (_, input) => {
    expect(await ipvs.batch(input())).toEqual(allDone(3300))
    expect(await saved()).toEqual(lines(300, 10))
  })

  test('of a callback that catches an operation\'s error has the other operations', async () => {
    const spoiled = (operations: number) => (b: BatchBuilder): void => {
      for (let n = 0; n < operations; n++) b.addService(service(n))
      expect(() => b.addService({ ...service(9999), port: -1 })).toThrow('service.port')
    }
    expect(await ipvs.batch(spoiled(0))).toEqual(allDone(0))
    expect(await ipvs.batch(spoiled(4096))).toEqual(allDone(4096))
    expect(await saved()).toHaveLength(4096)
  })

  test('of a callback takes operations as objects, and refuses those with a mistake where they are given', async () => {
    expect(await ipvs.batch(b => {
      for (const operation of rules(3, 2)) b.run(operation)
      expect(() => b.run({ type: 'addDestination', service: service(1), destination: { ...destination(9), weight: -1 } }))
        .toThrow('operation 9 of the batch: destination.weight')
      b.removeService(service(2))
      expect(() => b.run({ type: 'nonsuch' } as never)).toThrow('operation.type')
    })).toEqual(allDone(10))
    expect(await saved()).toEqual(lines(2, 2))
  })

  test('of nothing does nothing', async () => {
    expect(await ipvs.batch([])).toEqual(allDone(0))
    expect(await ipvs.batch(() => undefined)).toEqual(allDone(0))
  })

  test('with refusals sprinkled in names each refused operation, and carries out the rest', async () => {
    const operations: Operation[] = []
    const expected: string[] = []
    for (const operation of rules(200, 10)) {
      operations.push(operation)
      expected.push('done')
      // After every seventh operation comes one that the kernel refuses, for one of four reasons.
      if (operations.length % 7 > 0) continue
      const n = operations.length
      operations.push([
        operation,
        { type: 'removeService', service: service(9000 + n) },
        { type: 'removeDestination', service: service(0), destination: { address: destination(9000 + n).address, port: 80 } },
        { type: 'addDestination', service: service(9000 + n), destination: destination(1) },
      ][n % 4] as Operation)
      expected.push(['EEXIST', 'ESRCH', 'ENOENT', 'ESRCH'][n % 4])
    }
    // There is only one of these, because the kernel runs modprobe for it, which is slow.
    operations.push({ type: 'addService', service: { ...service(9000), scheduler: 'nonsuch' } })
    expected.push('ENOENT')
    const failing = expected.flatMap((code, index) => code === 'done' ? [] : [{ index, code, operation: operations[index] }])
    for (const input of [
      operations,
      operations.values(),
      (b: BatchBuilder) => {
        for (const operation of operations) call(b, operation)
      },
    ]) {
      await ipvs.flush()
      const { refused, ...numbers } = await ipvs.batch(input, { refusals: 'return' })
      expect(numbers).toEqual({ total: operations.length, done: operations.length - failing.length, unknown: [], notSent: 0 })
      expect(refused.every(({ operation, error }) => error instanceof IpvsError && error.operation === operation)).toBe(true)
      expect(refused.map(({ index, error: { code } }) => [index, code])).toEqual(failing.map(({ index, code }) => [index, code]))
      // For an array, these are the same objects. Otherwise they are what was sent, with defaults filled in.
      if (input === operations) expect(refused.every(({ index, operation }) => operation === operations[index])).toBe(true)
      else expect(refused.map(({ operation }) => operation)).toMatchObject(failing.map(({ operation }) => operation))
    }
    expect(await saved()).toEqual(lines(200, 10))
  })

  test('throws a BatchError that prints as one line and a stack, however many refusals it has', async () => {
    const error = await refusal(() => ipvs.batch([...rules(1, 500), ...rules(1, 500)]))
    expect(inspect(error).split('\n').length).toBeLessThan(20)
  })

  test('throws a BatchError that lists every refusal, unless told otherwise', async () => {
    const operations = [...rules(2, 1), ...rules(2, 1), ...rules(3, 1)]
    const error = await refusal(() => ipvs.batch(operations)) as BatchError
    expect(error).toBeInstanceOf(BatchError)
    expect(error.result.refused.map(({ index, error: { code } }) => [index, code])).toEqual(
      [4, 5, 6, 7, 8, 9, 10, 11].map(index => [index, 'EEXIST']),
    )
    expect(error.result.refused[0].operation).toBe(operations[4])
    expect(error.message).toContain('service tcp 10.20.0.0:80 already exists')
    expect(await saved()).toEqual(lines(3, 1))
  })

  const bad = { ...service(1), port: -1 }
  test.each<[string, () => unknown]>([
    ['an array', () => ipvs.batch([...rules(300, 10), { type: 'removeService', service: bad }, ...rules(1, 1)])],
    ['a callback', () => ipvs.batch(b => {
      for (let n = 0; n < 3000; ++n) b.addService(service(n))
      b.removeService(bad)
    })],
  ])('of %s with bad input at the end sends nothing', async (_, act) => {
    const error = await refusal(act)
    expect(error).toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
    expect(error.message).toContain('service.port')
    expect(await saved()).toEqual([])
  })

  test('of an iterable with bad input says how much was sent, and the table has exactly that', async () => {
    function* stream(): Generator<Operation> {
      yield* rules(1000, 10)
      yield { type: 'removeService', service: bad }
    }
    const error = await refusal(() => ipvs.batch(stream()))
    expect(error).toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
    expect(error.message).toContain('service.port')
    const sent = Number(/first (\d+) operations had been sent/.exec(error.message)?.[1] ?? 0)
    expect(await scene.ipvsadm.save()).toHaveLength(sent)
    expect(sent).toBeLessThanOrEqual(11_000)
  })

  test('of an iterable that fails says what was sent, and the table has exactly that', async () => {
    function* stream(): Generator<Operation> {
      yield* rules(1000, 10)
      throw new Error('the source failed')
    }
    const error = await refusal(() => ipvs.batch(stream())) as Error & { result: BatchResult }
    expect(error.message).toBe('the source failed')
    const { total, done, notSent } = error.result
    expect(done).toBeGreaterThan(0)
    expect([total, done + notSent]).toEqual([11_000, 11_000])
    expect(await scene.ipvsadm.save()).toHaveLength(done)
  })

  test.each<[string, unknown[], string]>([
    ['no batch', [], 'ERR_INVALID_ARG_TYPE'],
    ['null', [null], 'ERR_INVALID_ARG_TYPE'],
    ['a number', [1], 'ERR_INVALID_ARG_TYPE'],
    ['an object', [{}], 'ERR_INVALID_ARG_TYPE'],
    ['an array of nothing', [[undefined]], 'ERR_INVALID_ARG_TYPE'],
    ['an operation without a type', [[{}]], 'ERR_INVALID_ARG_TYPE'],
    ['an unknown type', [[{ type: 'addservice', service: service(1) }]], 'ERR_INVALID_ARG_'],
    ['a type of prototypes', [[{ type: 'constructor' }]], 'ERR_INVALID_ARG_'],
    ['bad options', [[], 'return'], 'ERR_INVALID_ARG_TYPE'],
    ['an unknown option', [[], { refusal: 'return' }], 'ERR_INVALID_ARG_VALUE'],
    ['an unknown choice', [[], { refusals: 'ignore' }], 'ERR_INVALID_ARG_VALUE'],
    ['a signal that is none', [[], { refusals: 'return', signal: {} }], 'ERR_INVALID_ARG_TYPE'],
  ])('given %s is refused', async (_, args, code) => {
    const error = await refusal(() => (ipvs.batch as (...args: unknown[]) => unknown).apply(ipvs, args))
    expect(error.code).toContain(code)
    expect(await saved()).toEqual([])
  })

  test('loses no answer with the smallest receive buffer, even if everything is refused', async () => {
    const small = await Api.open({ netns: scene.namespace.name, receiveBuffer: 1, sendBuffer: 1 })
    const first = await small.batch(rules(50, 10), { refusals: 'return' })
    expect(first).toEqual(allDone(550))
    const second = await small.batch(rules(50, 10), { refusals: 'return' })
    expect(second.refused.map(({ error: { code } }) => code)).toEqual(Array.from({ length: 550 }, () => 'EEXIST'))
    expect(await saved()).toEqual(lines(50, 10))
    await small.close()
  })

  test('sends nothing if its signal is already aborted', async () => {
    const error = await refusal(() => ipvs.batch(rules(3, 3), { signal: AbortSignal.abort(new Error('enough')) })) as AbortError
    expect(error).toBeInstanceOf(AbortError)
    expect(error).toMatchObject({ name: 'AbortError', cause: { message: 'enough' } })
    expect(await saved()).toEqual([])
  })

  test('whose signal is aborted midway says what was sent, and the table has exactly that', async () => {
    const controller = new AbortController()
    function* stream(): Generator<Operation> {
      let n = 0
      for (const operation of rules(2000, 10)) {
        if (++n === 9000) controller.abort()
        yield operation
      }
    }
    const error = await refusal(() => ipvs.batch(stream(), { signal: controller.signal })) as AbortError
    expect(error).toBeInstanceOf(AbortError)
    const { total, done, notSent } = error.result
    expect(done + notSent).toBe(total)
    expect(await scene.ipvsadm.save()).toHaveLength(done)
    expect(total).toBeLessThan(22_000)
    // The handle still works.
    await ipvs.flush()
    expect(await ipvs.services()).toEqual([])
  })
})

describe('a batch of the promise API', () => {
  test('takes an async iterable, whose source may use the same handle', async () => {
    async function* source(): AsyncGenerator<Operation> {
      for (let n = 0; n < 100; ++n) {
        yield { type: 'addService', service: service(n) }
        if (n % 10 === 9) await scene.ipvs.timeouts()
      }
    }
    expect(await scene.ipvs.batch(source())).toEqual(allDone(100))
    expect(await saved()).toHaveLength(100)
  })

  test('whose async iterable fails leaves what was sent in force, and rejects with that failure', async () => {
    async function* source(): AsyncGenerator<Operation> {
      yield { type: 'addService', service: service(1) }
      // Yielded operations are sent within a turn of the event loop, so an operation that is called later comes after them.
      await turn()
      await turn()
      await scene.ipvs.timeouts()
      yield { type: 'addService', service: service(2) }
      throw new Error('the source failed')
    }
    expect(await refusal(() => scene.ipvs.batch(source()))).toMatchObject({
      message: 'the source failed',
      result: { total: 2, done: 1, refused: [], unknown: [], notSent: 1 },
    })
    expect(await saved()).toHaveLength(1)
    expect(await scene.ipvs.services()).toMatchObject([service(1)])
  })

  test('of an array sends what the array held at the call', async () => {
    const operations = [...rules(500, 10)]
    const [cleared, replaced] = [operations.slice(), operations.slice()]
    const result = scene.ipvs.batch(cleared)
    cleared.length = 0
    expect(await result).toEqual(allDone(operations.length))
    const again = operations.slice()
    const refused = scene.ipvs.batch(again, { refusals: 'return' })
    again.length = 0
    expect((await refused).refused.map(({ operation }) => operation)).toEqual(operations)
    await scene.ipvs.flush()
    const done = scene.ipvs.batch(replaced)
    replaced.fill({ type: 'flush' })
    await done
    expect(await saved()).toEqual(lines(500, 10))
  })

  test.each<[string, () => Iterable<Operation> | AsyncIterable<Operation>]>([
    ['an array', () => [...rules(3, 3)]], ['an iterable', () => rules(3, 3)],
    ['an async iterable', async function* () { yield* await Promise.resolve(rules(3, 3)) }],
  ])('of %s whose signal comes while others are sent before it is not sent', async (_, operations) => {
    const controller = new AbortController()
    const handle = await Ipvs.open({ netns: scene.namespace.name })
    const others = handle.batch(rules(3000, 10))
    const aborted = refusal(() => handle.batch(operations(), { signal: controller.signal })) as Promise<AbortError>
    await new Promise(setImmediate)
    await new Promise(setImmediate)
    controller.abort()
    const error = await aborted
    expect(error).toBeInstanceOf(AbortError)
    expect(error.result).toMatchObject({ done: 0, refused: [], unknown: [] })
    expect(error.result.notSent).toBe(error.result.total)
    expect(await others).toEqual(allDone(33_000))
    await handle.close()
  })

  test('ends with its signal even if its callback or async iterable waits forever', async () => {
    const controllers = [new AbortController(), new AbortController()]
    const never = new Promise<never>(() => {})
    const callback = refusal(() => scene.ipvs.batch(async b => {
      b.addService(service(1))
      await never
    }, { signal: controllers[0].signal })) as Promise<AbortError>
    async function* source(): AsyncGenerator<Operation> {
      yield { type: 'addService', service: service(2) }
      await never
    }
    const iterable = refusal(() => scene.ipvs.batch(source(), { signal: controllers[1].signal })) as Promise<AbortError>
    while ((await scene.ipvs.services()).length === 0);
    for (const controller of controllers) controller.abort()
    expect((await callback).result).toMatchObject({ total: 1, notSent: 1 })
    expect((await iterable).result).toMatchObject({ total: 1, done: 1 })
    expect(await saved()).toEqual([`-A -t ${service(2).address}:80 -s wlc`])
  })

  test.each([
    ['throws', () => { throw new Error('no return') }], ['rejects', () => Promise.reject(new Error('no return'))],
  ])('of bad input from an async iterable whose return() %s says what was bad', async (_, leave) => {
    const source = {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.resolve({ done: false as const, value: { type: 'bad' } as never }),
        return: leave as never,
      }),
    }
    expect(await refusal(() => scene.ipvs.batch(source))).toMatchObject({ field: 'operation.type', index: 0 })
  })

  test('does not call return() of an async iterable that has failed', async () => {
    let returned = 0
    const source = {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.reject(new Error('the source failed')),
        return: () => {
          returned++
          return Promise.resolve({ done: true as const, value: undefined })
        },
      }),
    }
    expect((await refusal(() => scene.ipvs.batch(source))).message).toBe('the source failed')
    expect(returned).toBe(0)
  })

  test('beside edits by ipvsadm has the kernel\'s answers as its result', async () => {
    const other = (n: number): string => `-A -t 10.40.${n >> 8}.${n & 255}:80 -s rr`
    const theirs = Array.from({ length: 500 }, (_, n) => other(n))
    const [result] = await Promise.all([
      scene.ipvs.batch(rules(1000, 10)),
      scene.ipvsadm.restore(theirs),
    ])
    expect(result).toEqual(allDone(11_000))
    expect(await saved()).toEqual([...lines(1000, 10), ...theirs].sort())
  })

  test('takes as many transactions as the socket\'s limits require, and no more', async () => {
    const seen = await watchBatches(() => scene.ipvs.batch(rules(1000, 10)))
    expect(seen.reduce((sum, { requests }) => sum + requests, 0)).toBe(11_000)
    expect(seen.length).toBeLessThanOrEqual(12)
  })

  test('runs beside operations and listings of other handles', async () => {
    const handles = await Promise.all(Array.from({ length: 4 }, () => Ipvs.open({ netns: scene.namespace.name })))
    const results = await Promise.all(
      handles.map((handle, h) =>
        handle.batch(Array.from({ length: 1000 }, (_, n): Operation => ({ type: 'addService', service: service(h * 1000 + n) }))),
      ),
    )
    expect(results).toEqual(Array.from({ length: 4 }, () => allDone(1000)))
    expect(await handles[0].services()).toHaveLength(4000)
    await Promise.all(handles.map(handle => handle.close()))
  })
})

describe('a batch of IpvsSync', () => {
  let ipvs: IpvsSync
  beforeAll(() => {
    ipvs = IpvsSync.open({ netns: scene.namespace.path })
  })
  afterAll(() => ipvs.close())

  test('whose handle is closed midway says what was sent, and the table has exactly that', async () => {
    const other = IpvsSync.open({ netns: scene.namespace.path })
    function* stream(): Generator<Operation> {
      yield* rules(500, 10)
      other.close()
      yield* rules(500, 10)
    }
    const error = await refusal(() => other.batch(stream())) as Error & { code: string, result: BatchResult }
    expect(error.code).toBe('ERR_IPVS_CLOSED')
    const { total, done, notSent } = error.result
    expect(done + notSent).toBe(total)
    expect(await scene.ipvsadm.save()).toHaveLength(done)
  })

  test('refuses a callback that returns a promise, and ignores the promise\'s rejection', async () => {
    const rejected: unknown[] = []
    const listen = (reason: unknown): void => void rejected.push(reason)
    process.on('unhandledRejection', listen)
    const callback = (async (b: BatchBuilder) => {
      b.addService(service(1))
      await Promise.resolve()
      b.addService(service(2))
    }) as never
    expect(await refusal(() => ipvs.batch(callback))).toMatchObject({ field: 'operations' })
    expect(await refusal(() => ipvs.batch((() => ({ then() {} })) as never))).toMatchObject({ field: 'operations' })
    await new Promise(setImmediate)
    process.off('unhandledRejection', listen)
    expect(rejected).toEqual([])
    expect(await saved()).toEqual([])
  })
})
