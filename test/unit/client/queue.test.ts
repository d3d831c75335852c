import { getEventListeners } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { inspect } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it, test } from 'vitest'
import type { Ipvs } from 'ipvs'
import { batch, type AsyncBatchInput } from '../../../lib/client/batch.js'
import { FIRST_PIECE } from '../../../lib/client/batch-packer.js'
import { records as layouts } from '../../../lib/wire/layout.js'
import { changes, reads } from '../../../lib/client/operations.js'
import { PIECE_DUMPS, PIECE_REQUESTS, UNDER_WAY } from '../../../lib/client/piece.js'
import { Queue } from '../../../lib/client/queue.js'
import type { BatchBuilder } from '../../../lib/client/methods.js'
import { BatchError, type BatchOptions, type BatchResult } from '../../../lib/model/batch.js'
import type { ListedService, Operation } from '../../../lib/model/types.js'
import { IpvsError } from '../../../lib/model/errors.js'
import { batchChannel, type BatchTrace } from '../../../lib/client/tracing.js'
import { Requests } from '../../../lib/wire/pack/requests.js'
import { repeatedServices } from '../../../lib/wire/unpack/key-index.js'
import { Reply } from '../../../lib/wire/unpack/reply.js'
import { echo, FIRST, packReply, type Answer } from '../wire/support/replies.js'
import { TestKernel } from '../../support/test-kernel.js'
import { Recorder } from './support/recorder.js'

const key = (port: number) => ({ protocol: 'tcp', address: '10.0.0.1', port }) as const
const EEXIST = -17
const ESRCH = -3

function setUp() {
  const kernel = new Recorder()
  const queue = new Queue(kernel)
  return {
    kernel,
    queue,
    add: (port: number) => queue.change(changes.addService, key(port), undefined),
    get: (port: number) => queue.read(reads.getService, key(port)),
    list: () => queue.list(reads.services),
    batch: (input: AsyncBatchInput, options?: BatchOptions) => batch(queue, input, options),
    /** Answers until `work` has settled; without it, until nothing more comes. */
    answerAll: async (work?: Promise<unknown>): Promise<void> => {
      let settled = work === undefined
      work?.then(() => { settled = true }, () => { settled = true })
      for (let quiet = 0; quiet < 3 || !settled; quiet++) {
        await turn()
        while (kernel.unanswered > 0) {
          kernel.answer()
          quiet = 0
        }
      }
    },
  }
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const operations = (from: number, count: number): Operation[] =>
  Array.from({ length: count }, (_, i) => ({ type: 'addService', service: key(from + i) }))

test('a handle closes after a getter of an argument has called anything on it', async () => {
  for (const call of [
    (ipvs: Ipvs) => ipvs.snapshot(),
    (ipvs: Ipvs) => ipvs.services(),
    (ipvs: Ipvs) => ipvs.batch([]),
    (ipvs: Ipvs) => ipvs.plan([]),
  ]) {
    const ipvs = new TestKernel().open()
    const inner: Promise<unknown>[] = []
    await ipvs.addService({
      ...key(1),
      get scheduler() {
        inner.push(call(ipvs).catch((error: unknown) => error))
        return 'rr'
      },
    })
    expect(await Promise.all(inner)).not.toEqual([])
    await ipvs.close()
  }
})

describe('operations of one turn', () => {
  it('travel together, with those of its microtasks', async () => {
    const { kernel, add } = setUp()
    const first = add(1)
    const second = Promise.resolve().then(() => Promise.resolve()).then(() => add(2))
    void first.then(() => {})
    expect(kernel.transactions).toEqual([])
    await turn()
    expect(kernel.transactions).toEqual([{ commands: ['newService', 'newService'], ports: [1, 2] }])
    kernel.answer()
    await Promise.all([first, second])
  })

  it('settle each with its own answer', async () => {
    const { kernel, add, get } = setUp()
    const all = Promise.allSettled([add(1), add(2), get(3), add(4)])
    await turn()
    kernel.answer([{}, { outcome: EEXIST, text: 'taken' }, { outcome: ESRCH }, {}])
    const [one, two, three, four] = await all
    expect(one.status).toBe('fulfilled')
    expect(two).toMatchObject({
      reason: { code: 'EEXIST', errno: EEXIST, text: 'taken', outcome: 'refused', operation: { type: 'addService', service: key(2) } },
    })
    expect(two).toMatchObject({ reason: { message: 'service tcp 10.0.0.1:2 already exists (kernel: taken)' } })
    expect(three).toMatchObject({ status: 'fulfilled', value: undefined })
    expect(four.status).toBe('fulfilled')
  })

  it('are not disturbed by bad input among them, which rejects and is not thrown', async () => {
    const { kernel, add } = setUp()
    const all = Promise.allSettled([add(1), add(-1), add(2)])
    await turn()
    expect(kernel.transactions).toEqual([{ commands: ['newService', 'newService'], ports: [1, 2] }])
    kernel.answer()
    expect(await all).toMatchObject([
      { status: 'fulfilled' },
      { status: 'rejected', reason: { code: 'ERR_OUT_OF_RANGE', field: 'service.port' } },
      { status: 'fulfilled' },
    ])
  })

  it('are refused with the words of the request as it was sent, even if the object has changed', async () => {
    const { kernel, queue } = setUp()
    const service = { protocol: 'tcp', address: '10.0.0.1', port: 1 }
    const refused = queue.change(changes.addService, service, undefined).catch((error: unknown) => error)
    service.port = 2
    await turn()
    kernel.answer([{ outcome: EEXIST }])
    expect(await refused).toMatchObject({ message: 'service tcp 10.0.0.1:1 already exists' })
  })
})

describe('operations called while a transaction is under way', () => {
  it('travel together in the next one', async () => {
    const { kernel, add, answerAll } = setUp()
    const all = [add(1)]
    await turn()
    all.push(add(2))
    await turn()
    all.push(add(3))
    await turn()
    expect(kernel.transactions.map(({ ports }) => ports)).toEqual([[1]])
    kernel.answer()
    expect(kernel.transactions.map(({ ports }) => ports)).toEqual([[1], [2, 3]])
    await answerAll()
    await Promise.all(all)
  })

  it('travel in pieces if they are many, with the next one ready while one is sent', async () => {
    const { kernel, add, answerAll } = setUp()
    const all = Array.from({ length: PIECE_REQUESTS * (UNDER_WAY + 1) + 1 }, (_, i) => add(i))
    expect(kernel.transactions.length).toBe(UNDER_WAY)
    await answerAll()
    expect(kernel.transactions.map(({ ports }) => ports.length)).toEqual([...Array<number>(UNDER_WAY + 1).fill(PIECE_REQUESTS), 1])
    expect(kernel.transactions.flatMap(({ ports }) => ports)).toEqual(all.map((_, i) => i))
    await Promise.all(all)
  })
})

describe('a listing', () => {
  it('of services ends what travels together, and keeps its place between the writes', async () => {
    const { kernel, add, list, answerAll } = setUp()
    const all = [add(1), list(), add(2)]
    await answerAll()
    expect(kernel.transactions.map(({ commands }) => commands)).toEqual([['newService', 'getService'], ['newService']])
    await Promise.all(all)
  })

  it('of destinations, or of daemons, travels with what is called before and after it', async () => {
    const { kernel, add, get, queue, answerAll } = setUp()
    const all = [add(1), queue.list(reads.destinations, key(2)), add(3), queue.list(reads.daemons), get(4)]
    await answerAll()
    expect(kernel.transactions).toEqual([
      { commands: ['newService', 'getService', 'getDest', 'newService', 'getDaemon', 'getService'], ports: [1, 2, 2, 3, 4] },
    ])
    await Promise.all(all)
  })

  it('has its own answer, whatever it travels with', async () => {
    const { kernel, add, get, queue } = setUp()
    const requests = new Requests(1024)
    changes.addDestination.pack(requests, key(1), { address: '10.0.0.7', port: 1, forward: 'nat' })
    const destination = echo(requests, FIRST + layouts.service.keySize, 'destination')
    const all = Promise.allSettled([
      queue.list(reads.destinations, key(1)),
      add(2),
      queue.list(reads.destinations, key(3)),
      get(4),
      queue.list(reads.destinations, key(5)),
      queue.list(reads.daemons),
      add(6),
    ])
    await turn()
    kernel.answer([
      {},
      { records: [destination] },
      { outcome: EEXIST },
      { outcome: ESRCH },
      {},
      { outcome: ESRCH },
      {},
      { records: [destination, destination] },
      {},
      {},
    ])
    expect(await all).toMatchObject([
      { value: [{ address: '10.0.0.7' }] },
      { reason: { code: 'EEXIST', operation: { type: 'addService', service: key(2) } } },
      { reason: { code: 'ESRCH', operation: { type: 'destinations', service: key(3) } } },
      { status: 'fulfilled', value: undefined },
      { value: [{ address: '10.0.0.7' }, { address: '10.0.0.7' }] },
      { value: [] },
      { status: 'fulfilled', value: undefined },
    ])
  })

  it('shares a piece with a limited number of others, because their answers are in memory together', async () => {
    const { kernel, queue, answerAll } = setUp()
    const all = Promise.all(Array.from({ length: PIECE_DUMPS * 2 + 3 }, (_, port) => queue.list(reads.destinations, key(port))))
    await answerAll(all)
    expect(kernel.transactions.map(({ commands }) => commands.length)).toEqual([PIECE_DUMPS * 2, PIECE_DUMPS * 2, 6])
    expect(kernel.transactions.flatMap(({ ports }) => ports)).toEqual(
      Array.from({ length: PIECE_DUMPS * 2 + 3 }, (_, port) => [port, port]).flat(),
    )
  })

  it('of a missing service is refused, although the kernel answers its dump with an empty success', async () => {
    const { kernel, queue } = setUp()
    const listing = queue.list(reads.destinations, key(3)).catch((error: unknown) => error)
    await turn()
    kernel.answer([{ outcome: ESRCH }, {}])
    expect(await listing).toMatchObject({ code: 'ESRCH', operation: { type: 'destinations', service: key(3) } })
  })
})

describe('a list of services with repetitions', () => {
  const records = (...ports: number[]): Answer[] => [{
    records: ports.map((port) => {
      const requests = new Requests(1024)
      changes.addService.pack(requests, key(port), undefined)
      return echo(requests, FIRST, 'service')
    }),
  }]
  const portsOf = (services: ListedService[]) => services.map((service) => 'port' in service ? service.port : 0)

  it('is read again before anything that was called later', async () => {
    const { kernel, add, list } = setUp()
    const listed = list()
    const later = add(1)
    await turn()
    expect(kernel.unanswered).toBe(1)
    kernel.answer(records(7, 8, 7))
    expect(kernel.transactions.map(({ commands }) => commands)).toEqual([['getService'], ['getService']])
    kernel.answer(records(7, 8, 9))
    expect(portsOf(await listed)).toEqual([7, 8, 9])
    expect(kernel.transactions.length).toBe(3)
    kernel.answer()
    await later
  })

  it('is given without them if they stay', async () => {
    const { kernel, list } = setUp()
    const listed = list()
    await turn()
    for (let attempt = 0; attempt <= 5; attempt++) kernel.answer(records(7, 8, 7, 8, 9))
    expect(portsOf(await listed)).toEqual([7, 8, 9])
    expect(kernel.unanswered).toBe(0)
  })

  it('is told apart from a list of different services of any length', () => {
    const many = Array.from({ length: 3000 }, (_, port) => port)
    expect(repeatedServices(new Reply(packReply(records(...many))), 0)).toBeUndefined()
    expect(repeatedServices(new Reply(packReply(records(...many, 5, 2999))), 0)).toEqual(new Set([3000, 3001]))
    expect(repeatedServices(new Reply(packReply(records())), 0)).toBeUndefined()
  })

  it('is not read again if it is of destinations: only new ones can be missing', async () => {
    const { kernel, queue } = setUp()
    const destinations = queue.list(reads.destinations, key(80))
    await turn()
    const list = [12, 11, 10, 9, 8, 7, 6, 5, 4, 4, 3, 2, 1].map((port) => {
      const record = new Uint16Array(layouts.destination.size / 2)
      record[layouts.destination.fields.family.offset / 2] = 2
      record[layouts.destination.fields.port.offset / 2] = port
      return new Uint8Array(record.buffer)
    })
    kernel.answer([{}, { records: list }])
    expect((await destinations).map(({ port }) => port)).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1])
    expect(kernel.unanswered).toBe(0)
  })
})

describe('a batch', () => {
  it('keeps its place among single operations', async () => {
    const { kernel, add, batch, answerAll } = setUp()
    const all = [add(1), batch(operations(10, 2)), add(2)]
    await answerAll()
    expect(kernel.transactions.flatMap(({ ports }) => ports)).toEqual([1, 10, 11, 2])
    await Promise.all(all)
  })

  it('that is long keeps its place too, and what is called later waits', async () => {
    const { kernel, add, batch, answerAll } = setUp()
    const many = operations(0, PIECE_REQUESTS * 2 + 5)
    for (const input of [many, new Set(many)]) {
      const from = kernel.transactions.length
      const all = [batch(input), add(60000)]
      await answerAll(Promise.all(all))
      expect(kernel.transactions.slice(from).flatMap(({ ports }) => ports)).toEqual([...many.keys(), 60000])
      await Promise.all(all)
    }
  })

  it('sends nothing of an array or a function with bad input', async () => {
    const { kernel, batch, answerAll } = setUp()
    const ports = [...Array(PIECE_REQUESTS + 1).keys(), -1]
    const fromArray = batch(ports.map((port) => ({ type: 'addService', service: key(port) }))).catch((error: unknown) => error)
    const fromFunction = batch((b) => { for (const port of ports) b.addService(key(port)) }).catch((error: unknown) => error)
    await answerAll(Promise.all([fromArray, fromFunction]))
    expect(await fromArray).toMatchObject({ code: 'ERR_OUT_OF_RANGE', field: 'service.port', index: PIECE_REQUESTS + 1 })
    expect(await fromFunction).toMatchObject({ code: 'ERR_OUT_OF_RANGE', index: PIECE_REQUESTS + 1 })
    expect(kernel.transactions).toEqual([])
  })

  it('of an iterable says what had been sent before the bad input', async () => {
    const { kernel, batch, answerAll } = setUp()
    const error = batch(new Set<Operation>([...operations(0, FIRST_PIECE + 7), { type: 'addService', service: key(-1) }])).catch(
      (error: unknown) => error,
    )
    await answerAll(error)
    expect(await error).toMatchObject({ code: 'ERR_OUT_OF_RANGE', index: FIRST_PIECE + 7, message: expect.stringContaining(`The first ${FIRST_PIECE} operations had been sent`) as string })
    expect(((await error) as { result: BatchResult }).result).toEqual({
      total: FIRST_PIECE + 7,
      done: FIRST_PIECE,
      refused: [],
      unknown: [],
      notSent: 7,
    })
    expect(kernel.transactions.flatMap(({ ports }) => ports).length).toBe(FIRST_PIECE)
  })

  it('lists every refusal with its place, its operation and its error', async () => {
    const { kernel, batch } = setUp()
    const given = operations(1, 4)
    const failed = batch(given).catch((error: unknown) => error)
    await turn()
    kernel.answer([{}, { outcome: EEXIST }, {}, { outcome: EEXIST }])
    expect(await failed).toMatchObject({
      name: 'BatchError',
      code: 'ERR_IPVS_BATCH',
      message: '2 of 4 operations were not carried out; the first is number 1: service tcp 10.0.0.1:2 already exists',
      result: {
        total: 4,
        done: 2,
        unknown: [],
        notSent: 0,
        refused: [
          { index: 1, operation: given[1], error: { code: 'EEXIST', operation: given[1] } },
          { index: 3, operation: given[3], error: { code: 'EEXIST' } },
        ],
      },
    })
    expect(inspect(await failed)).not.toContain('result')
  })

  it('returns the result if asked to: what was lost is unknown, and the rest has the reason why it was not sent', async () => {
    const { kernel, batch } = setUp()
    const given = operations(1, 5)
    const outcomes = batch(given, { refusals: 'return' })
    await turn()
    kernel.answer([{}, { outcome: EEXIST }, { outcome: 1, cause: 105 }, { outcome: 2, cause: 105 }, { outcome: 2, cause: 105 }])
    const { refused, unknown, cause, ...numbers } = await outcomes
    expect(numbers).toEqual({ total: 5, done: 1, notSent: 2 })
    expect(refused).toMatchObject([{ index: 1 }])
    expect(refused[0].operation).toBe(given[1])
    expect(unknown).toMatchObject([{ index: 2, error: { code: 'ERR_IPVS_ANSWER_LOST', errno: -105, outcome: 'unknown' } }])
    expect(unknown[0].operation).toBe(given[2])
    expect(cause).toMatchObject({ code: 'ENOBUFS', outcome: 'not-sent', message: expect.stringContaining('not sent') as string })
  })

  it('that could not be sent at all says why', async () => {
    const { kernel, batch } = setUp()
    const failed = batch(operations(1, 2)).catch((error: unknown) => error)
    await turn()
    kernel.answer([{ outcome: 2, cause: 90 }, { outcome: 2, cause: 90 }])
    expect(await failed).toMatchObject({
      message: expect.stringMatching(/^2 of 2 operations were not carried out: addService: not sent, .*sendBuffer/) as string,
      result: { notSent: 2, cause: { code: 'EMSGSIZE' } },
    })
  })

  const web = { protocol: 'tcp', address: '10.0.0.1', port: 80 } as const
  const near = { address: '10.0.0.2', port: 80 } as const
  const complete = {
    schedulerFlags: ['sh-port'],
    onePacket: true,
    persistence: { timeout: 300, prefixLength: 24 },
    persistenceEngine: 'sip',
  }
  const every: Operation[] = [
    { type: 'addService', service: { ...web, scheduler: 'sh', ...complete } },
    {
      type: 'updateService',
      service: { fwmark: 7, family: 6, scheduler: 'rr', schedulerFlags: [], onePacket: false, persistence: null, persistenceEngine: null },
    },
    { type: 'removeService', service: { protocol: 'udp', address: '2001:db8::1', port: 53 } },
    {
      type: 'addDestination',
      service: web,
      destination: {
        ...near,
        forward: 'tun',
        weight: 7,
        upperThreshold: 9,
        lowerThreshold: 3,
        tunnel: { type: 'gue', port: 6080, checksum: 'csum' },
      },
    },
    {
      type: 'updateDestination',
      service: { fwmark: 7, family: 4 },
      destination: {
        address: '2001:db8::2',
        port: 80,
        forward: 'tun',
        weight: 0,
        upperThreshold: 0,
        lowerThreshold: 0,
        tunnel: { type: 'ipip', checksum: 'none' },
      },
    },
    { type: 'removeDestination', service: web, destination: near },
    { type: 'zero' },
    { type: 'zero', service: web },
    { type: 'flush' },
    { type: 'setTimeouts', timeouts: { tcpFin: 60 } },
    { type: 'setTimeouts', timeouts: { tcp: 900, tcpFin: 120, udp: 0 } },
    {
      type: 'startDaemon',
      daemon: { role: 'master', interface: 'eth0', syncId: 3, maxLength: 1400, group: 'ff02::1', port: 8849, ttl: 2 },
    },
    { type: 'startDaemon', daemon: { role: 'backup', interface: 'eth0', syncId: 0 } },
    { type: 'stopDaemon', daemon: { role: 'backup', syncId: 0 } },
  ]
  it('of an iterable or a function has each refused operation as it was sent', async () => {
    const { kernel, batch } = setUp()
    const call = (b: BatchBuilder, operation: Operation): void => {
      const { type, ...rest } = operation
      const [first, second] = Object.values(rest) as unknown[]
      ;(b[type] as (...args: unknown[]) => void)(first, second)
    }
    for (const input of [every.values(), (b: BatchBuilder) => { for (const operation of every) call(b, operation) }]) {
      const result = batch(input, { refusals: 'return' })
      await turn()
      kernel.answer(every.map(() => ({ outcome: -1 })))
      const { refused } = await result
      expect(refused.map(({ operation }) => operation)).toEqual(every)
      expect(refused.every(({ operation, error }) => error.operation === operation)).toBe(true)
    }
  })

  it('keeps nothing of what an iterable yields', async () => {
    const { kernel, batch } = setUp()
    const seen: WeakRef<object>[] = []
    const given = function* (): Generator<Operation> {
      for (const operation of operations(0, 100)) {
        seen.push(new WeakRef(operation))
        yield operation
      }
    }
    const result = batch(given(), { refusals: 'return' })
    for (let turns = 0; turns < 3; turns++) await turn()
    collectGarbage()
    await turn()
    expect(seen).toHaveLength(100)
    expect(seen.filter((reference) => reference.deref() !== undefined).length).toBeLessThanOrEqual(1)
    kernel.answer()
    await result
  })

  it('of an async iterable sends what it has when more takes time, and lets other calls in between', async () => {
    const { kernel, add, batch, answerAll } = setUp()
    let more: (() => void) | undefined
    async function* slowly(): AsyncGenerator<Operation> {
      yield* operations(1, 2)
      await new Promise<void>((resolve) => { more = resolve })
      yield* operations(3, 1)
    }
    const slow = batch(slowly())
    await answerAll()
    expect(kernel.transactions.map(({ ports }) => ports)).toEqual([[1, 2]])
    const other = add(50)
    await answerAll()
    await other
    more!()
    await answerAll()
    expect(kernel.transactions.map(({ ports }) => ports)).toEqual([[1, 2], [50], [3]])
    expect((await slow).total).toBe(3)
  })

  it('ends with its signal: what was not sent stays unsent, and the iterable is closed', async () => {
    const { kernel, batch, answerAll } = setUp()
    const controller = new AbortController()
    let closed = false
    function* endless(): Generator<Operation> {
      try {
        for (let i = 0; ; i++) {
          if (i === FIRST_PIECE + 5) controller.abort(new Error('enough'))
          yield operations(i % 60000, 1)[0]
        }
      } finally {
        closed = true
      }
    }
    const aborted = batch(endless(), { signal: controller.signal }).catch((error: unknown) => error)
    await answerAll(aborted)
    const error = await aborted
    expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: { message: 'enough' } })
    expect(error).toMatchObject({
      result: { total: 3 * FIRST_PIECE, done: FIRST_PIECE, refused: [], unknown: [], notSent: 2 * FIRST_PIECE },
    })
    expect(kernel.transactions.length).toBe(1)
    expect(closed).toBe(true)
  })

  it('ends with its signal while an async iterable yields nothing', async () => {
    const { kernel, batch, answerAll } = setUp()
    const controller = new AbortController()
    async function* stuck(): AsyncGenerator<Operation> {
      yield* operations(1, 1)
      await new Promise(() => {})
    }
    const aborted = batch(stuck(), { signal: controller.signal }).catch((error: unknown) => error)
    await answerAll()
    controller.abort()
    await answerAll()
    expect(await aborted).toMatchObject({ name: 'AbortError', result: { total: 1, done: 1, notSent: 0 } })
    expect(kernel.transactions.length).toBe(1)
  })

  it('sends nothing if its signal is already aborted', async () => {
    const { kernel, batch } = setUp()
    await expect(batch(operations(1, 1), { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' })
    await turn()
    expect(kernel.transactions).toEqual([])
  })

  it.each([
    [undefined, undefined, 'operations'],
    [null, undefined, 'operations'],
    ['text', undefined, 'operations'],
    [{}, undefined, 'operations'],
    [[], null, 'options'],
    [[], { refusals: 'ignore' }, 'options.refusals'],
    [[], { signal: {} }, 'options.signal'],
    [[], { refusal: 'return' }, 'options.refusal'],
    [[], new Map(), 'options'],
    [[], Promise.resolve({}), 'options'],
  ])('refuses %o with options %o', async (input, options, field) => {
    const { batch } = setUp()
    await expect(batch(input as never, options as never)).rejects.toMatchObject({ field })
  })

  it('of a function that returns no promise can be aborted too', async () => {
    const { kernel, batch, answerAll } = setUp()
    const { signal } = new AbortController()
    const sent = batch((b) => [1, 2].map((port) => b.addService(key(port))) as never, { signal })
    await answerAll(sent)
    expect((await sent).done).toBe(2)
    expect(kernel.transactions).toEqual([{ commands: ['newService', 'newService'], ports: [1, 2] }])
  })

  it('of an async iterable whose next() returns no promise can be aborted too', async () => {
    const { kernel, batch, answerAll } = setUp()
    const { signal } = new AbortController()
    const iterable = { [Symbol.asyncIterator]: () => operations(1, 3)[Symbol.iterator]() } as unknown as AsyncIterable<Operation>
    const sent = batch(iterable, { signal })
    await answerAll(sent)
    expect((await sent).done).toBe(3)
    expect(kernel.transactions.flatMap(({ ports }) => ports)).toEqual([1, 2, 3])
  })

  it.each([undefined, null, 7])('of an async iterable whose next() gives %s rejects as `for await` does, and blocks nothing', async (result) => {
    const { kernel, batch, answerAll } = setUp()
    let asked = 0
    const next = (): Promise<unknown> => {
      // What asks again and again, without a turn of the event loop, would keep this test from ending.
      if (++asked > 2) throw new Error('asked again')
      return Promise.resolve(asked === 1 ? { done: false, value: operations(1, 1)[0] } : result)
    }
    const iterable = { [Symbol.asyncIterator]: () => ({ next }) } as unknown as AsyncIterable<Operation>
    for (const options of [undefined, { signal: new AbortController().signal }]) {
      asked = 0
      const failed = batch(iterable, options).catch((error: unknown) => error)
      await answerAll(failed)
      expect(await failed).toMatchObject({ name: 'TypeError', message: `Iterator result ${result} is not an object` })
      expect(kernel.transactions).toEqual([])
    }
  })

  it('whose transaction cannot be started sends nothing after it, reports each operation, and stops listening to its signal', async () => {
    const { kernel, batch, answerAll } = setUp()
    const { signal } = new AbortController()
    const many = operations(0, PIECE_REQUESTS * 3)
    for (const input of [many, new Set(many)]) {
      kernel.failFrom(kernel.transactions.length + 1)
      const failed = batch(input, { signal }).catch((error: unknown) => error)
      await answerAll(failed)
      const { message, result } = await failed as Error & { result: BatchResult }
      expect(message).toBe('no thread')
      const sent = kernel.transactions.at(-1)!.ports.length
      expect(result).toMatchObject({ done: sent, refused: [], unknown: [], notSent: result.total - sent })
      expect(result.total).toBeGreaterThan(sent)
      expect(getEventListeners(signal, 'abort')).toEqual([])
    }
    expect(kernel.transactions.length).toBe(2)
  })

  it('can share its signal with any number of others, and none listens to it afterwards', async () => {
    const { batch, answerAll } = setUp()
    const { signal } = new AbortController()
    const warnings: Error[] = []
    const hear = (warning: Error): void => { warnings.push(warning) }
    process.on('warning', hear)
    try {
      async function* one(port: number): AsyncGenerator<Operation> { yield await Promise.resolve(operations(port, 1)[0]) }
      const all = Promise.all(Array.from({ length: 50 }, (_, i) => batch(i % 2 === 0 ? one(i) : operations(i, 1), { signal })))
      await answerAll(all)
      await all
      await turn()
    } finally {
      process.off('warning', hear)
    }
    expect(warnings).toEqual([])
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('listens to its signal only while something of it waits to be sent', async () => {
    const { kernel, batch, answerAll } = setUp()
    const [sent, waits] = [new AbortController(), new AbortController()]
    const all: Promise<unknown>[] = []
    for (let i = 0; i < UNDER_WAY; i++) {
      all.push(batch(operations(i, 1), { signal: sent.signal }))
      await turn()
    }
    expect(kernel.unanswered).toBe(UNDER_WAY)
    expect(getEventListeners(sent.signal, 'abort')).toEqual([])
    const last = batch(operations(UNDER_WAY, 1), { signal: waits.signal }).catch((error: unknown) => error)
    await turn()
    expect(getEventListeners(waits.signal, 'abort')).toHaveLength(1)
    waits.abort()
    await answerAll(Promise.all(all))
    expect(await last).toMatchObject({ name: 'AbortError', result: { done: 0, notSent: 1 } })
    expect(kernel.transactions).toHaveLength(UNDER_WAY)
  })

  it('adds the result to an error of another realm, and to one that takes no property', async () => {
    const { batch, answerAll } = setUp()
    const foreign = runInNewContext('new RangeError("from elsewhere")') as Error
    const frozen = Object.freeze(new Error('frozen'))
    const ofAnother = new BatchError({
      total: 1,
      done: 0,
      refused: [{ index: 0, operation: { type: 'flush' }, error: new IpvsError('no', { errno: -1, operation: { type: 'flush' } }) }],
      unknown: [],
      notSent: 0,
    })
    const failing = function* (error: unknown): Generator<Operation> {
      yield* operations(0, FIRST_PIECE)
      throw error
    }
    const errorOf = async (thrown: unknown): Promise<Error & { result: BatchResult }> => {
      const failed = batch(failing(thrown)).catch((error: unknown) => error)
      await answerAll(failed)
      return await failed as Error & { result: BatchResult }
    }
    expect(await errorOf(foreign)).toBe(foreign)
    expect((foreign as Error & { result: BatchResult }).result.done).toBe(FIRST_PIECE)
    for (const thrown of [frozen, ofAnother, 'text', undefined]) {
      const error = await errorOf(thrown)
      expect(error).toMatchObject({ name: 'Error', cause: thrown })
      expect(error.result.done).toBe(FIRST_PIECE)
    }
    expect(ofAnother.result.total).toBe(1)
  })

  it('takes no more operations from its function once it is sent', async () => {
    const { batch, answerAll } = setUp()
    let builder: { flush(): void }
    const sent = batch((b) => { builder = b })
    await answerAll()
    await sent
    expect(() => builder.flush()).toThrow('no more operations')
  })
})

describe('closing', () => {
  it('finishes what was called before, refuses what is called later, and can be repeated', async () => {
    const { kernel, queue, add, batch, answerAll } = setUp()
    const before = [add(1), batch(operations(10, PIECE_REQUESTS + 1))]
    const closed = queue.close()
    const after = add(2).catch((error: unknown) => error)
    const batchAfter = batch([]).catch((error: unknown) => error)
    expect(await after).toMatchObject({ code: 'ERR_IPVS_CLOSED' })
    expect(await batchAfter).toMatchObject({ code: 'ERR_IPVS_CLOSED' })
    expect(kernel.closed).toBe(false)
    await answerAll(closed)
    await Promise.all(before)
    await closed
    await queue.close()
    expect(kernel.closed).toBe(true)
    expect(kernel.transactions.flatMap(({ ports }) => ports).length).toBe(PIECE_REQUESTS + 2)
  })
})

describe('memory of waiting operations', () => {
  it('is a small multiple of what was packed, for any number of them', async () => {
    const { kernel, queue, batch, answerAll } = setUp()
    const before = process.memoryUsage().arrayBuffers
    const all: Promise<unknown>[] = []
    for (let port = 0; port < 1000; port++) {
      all.push(
        queue.list(reads.destinations, key(port)),
        batch(operations(port, 1)),
        batch((b) => b.addService(key(port))),
        batch(new Set(operations(port, 1))),
      )
    }
    for (let microtasks = 0; microtasks < 20; microtasks++) await Promise.resolve()
    expect((process.memoryUsage().arrayBuffers - before) / all.length).toBeLessThan(8192)
    await answerAll(Promise.all(all))
    expect(kernel.transactions.length).toBeGreaterThanOrEqual(all.length / 2)
  })
})

describe('a refusal', () => {
  it('reaches the caller even if Error is frozen', async () => {
    const { kernel, add } = setUp()
    const limit = Object.getOwnPropertyDescriptor(Error, 'stackTraceLimit')!
    Object.defineProperty(Error, 'stackTraceLimit', { writable: false })
    try {
      const refused = add(1).catch((error: unknown) => error)
      await turn()
      kernel.answer([{ outcome: EEXIST }])
      expect(await refused).toMatchObject({ code: 'EEXIST' })
    } finally {
      Object.defineProperty(Error, 'stackTraceLimit', limit)
    }
  })
})

describe('the tracing channel', () => {
  const events = ['start', 'end', 'asyncStart', 'asyncEnd'] as const

  /** Calls something once, at the first event of this name. */
  async function calling<Answer>(event: typeof events[number], call: () => unknown, work: () => Promise<Answer>): Promise<Answer> {
    let called = false
    const subscriber = {
      [event]: () => {
        if (called) return
        called = true
        call()
      },
    }
    batchChannel.subscribe(subscriber as never)
    try {
      return await work()
    } finally {
      batchChannel.unsubscribe(subscriber as never)
    }
  }

  it.each(events)('lets a subscriber of %s use the handle, in the order of the calls', async (event) => {
    const { kernel, add, list, queue, answerAll, batch } = setUp()
    const inner: Promise<unknown>[] = []
    await calling(event, () => inner.push(add(50), list(), batch(operations(51, 1))), async () => {
      const all = Promise.all([add(1), queue.list(reads.destinations, key(2)), add(3), list(), batch(operations(4, 1))])
      await answerAll(all)
      await all
    })
    await answerAll(Promise.all(inner))
    await Promise.all(inner)
    expect(inner.length).toBe(3)
    // A list of services is sent when it is called, so that it starts before the next call.
    expect(kernel.transactions.flatMap(({ ports }) => ports)).toEqual(
      event.startsWith('async') ? [1, 2, 2, 3, 4, 50, 51] : [1, 2, 2, 3, 50, 51, 4],
    )
  })

  it('lets a subscriber list while an earlier list must be read again', async () => {
    const { kernel, add, list, answerAll } = setUp()
    const inner: Promise<unknown>[] = []
    await calling('asyncStart', () => inner.push(add(50), list()), async () => {
      const listed = list()
      await turn()
      const requests = new Requests(1024)
      changes.addService.pack(requests, key(7), undefined)
      const record = echo(requests, FIRST, 'service')
      kernel.answer([{ records: [record, record] }])
      expect(kernel.transactions.map(({ commands }) => commands)).toEqual([['getService'], ['getService']])
      await answerAll(listed)
      expect(await listed).toEqual([])
    })
    await answerAll(Promise.all(inner))
    expect(await Promise.all(inner)).toEqual([undefined, []])
    expect(kernel.transactions.slice(2).map(({ commands }) => commands)).toEqual([['newService', 'getService']])
  })

  it('lets a subscriber close the handle, and finishes what was called before', async () => {
    const { kernel, queue, add, answerAll } = setUp()
    let closed: Promise<void> | undefined
    await calling('start', () => { closed = queue.close() }, async () => {
      const added = add(1)
      await answerAll(added)
      await added
    })
    await closed
    expect(kernel.closed).toBe(true)
    expect(kernel.transactions.length).toBe(1)
  })

  it('tells about each transaction', async () => {
    const { kernel, add } = setUp()
    const events: [string, BatchTrace][] = []
    const subscriber = Object.fromEntries(
      ['start', 'end', 'asyncStart', 'asyncEnd', 'error'].map((name) => [name, (trace: BatchTrace) => events.push([name, { ...trace }])]),
    )
    batchChannel.subscribe(subscriber as never)
    try {
      const all = Promise.allSettled([add(1), add(2)])
      await turn()
      kernel.answer([{}, { outcome: EEXIST }])
      await all
    } finally {
      batchChannel.unsubscribe(subscriber as never)
    }
    expect(events.map(([name]) => name)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd'])
    expect(events[0][1]).toMatchObject({ requests: 2 })
    expect(events[3][1]).toMatchObject({ requests: 2, failed: 1 })
  })
})
