/**
 * native PART: what one part of the package costs by itself, in processor time, against a handle that answers at once. Prints JSON. Each
 * part has a process of its own: what V8 has compiled for one does not help or hinder another.
 */
import { once } from 'node:events'
import type { DesiredService, Operation } from 'ipvs'
import { collectGarbage } from '../garbage.js'
import { destination, operations, rulesOf, serviceKey, weightAfter, type Shape } from '../workload.js'

const TABLE: Shape = { services: 1000, destinations: 10 }
const LARGE: Shape = { services: 10_000, destinations: 10 }
const MANY: Shape = { services: 100_000, destinations: 9 }
const ROUNDS = 30

/** Microseconds of processor time that this process has had, its helper threads included. */
function processorTime(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** Microseconds of a unit, in each round. */
async function timed(units: number, work: () => unknown, rounds = ROUNDS): Promise<number[]> {
  const times: number[] = []
  for (let round = 0; round < rounds; round++) {
    const start = processorTime()
    await work()
    times.push((processorTime() - start) / units)
  }
  return times
}

/** The same of the main thread alone, where this Node knows it (22.19, 23.9 and later). */
function loopTime(): number {
  const { threadCpuUsage } = process as { threadCpuUsage?: () => NodeJS.CpuUsage }
  const { user, system } = threadCpuUsage?.call(process) ?? process.cpuUsage()
  return user + system
}

/**
 * The longest piece of work of the event loop meanwhile: microseconds of processor time from one turn to the next, so that other programs
 * on the machine do not count.
 */
async function held(work: () => Promise<unknown>): Promise<number[]> {
  const longest: number[] = []
  for (let round = 0; round < ROUNDS / 3; round++) {
    collectGarbage()
    let last = loopTime()
    let most = 0
    let over = false
    const look = (): void => {
      const now = loopTime()
      most = Math.max(most, now - last)
      last = now
      if (!over) setImmediate(look)
    }
    look()
    await work()
    look()
    over = true
    longest.push(most)
  }
  return longest
}

const loadPackage = async () => ({ ...await import('ipvs'), ...await import('../answering-handle.js') })

async function openOn(shape: Shape) {
  const { Ipvs, AnsweringHandle, openAnswering } = await loadPackage()
  const handle = new AnsweringHandle(shape)
  return { ipvs: openAnswering(Ipvs, handle), handle }
}

/** The table that {@link openOn} lists, as a desired state. */
const desiredOf = (shape: Shape): DesiredService[] => Array.from({ length: shape.services }, (_, s) => ({
  ...serviceKey(s), scheduler: 'rr', destinations: Array.from({ length: shape.destinations }, (_, d) => destination(d, weightAfter.add)),
}))

/** Processor time of one `update` of a service, from its call until the answer. */
async function updates(services: number): Promise<number[]> {
  const shape = { services, destinations: 2 }
  const { ipvs } = await openOn(shape)
  const reconciler = ipvs.reconcile(desiredOf(shape), { interval: 3600 })
  await once(reconciler, 'converged')
  collectGarbage()
  const changed = { ...desiredOf({ services: 1, destinations: 2 })[0], destinations: [destination(0, 5), destination(1, weightAfter.add)] }
  const times = await timed(100, async () => {
    for (let i = 0; i < 100; i++) await reconciler.update({ services: [changed] })
  })
  await reconciler.close()
  return times
}

/** Fields are read so that nothing is left undone. */
let sum = 0

const parts: Record<string, () => Promise<Record<string, number[]>>> = {
  async import() {
    const start = processorTime()
    await import('ipvs')
    return { import: [processorTime() - start] }
  },
  async pack() {
    const { internal } = await loadPackage()
    const { packOperation } = await internal<typeof import('../../../lib/client/operations.js')>('client/operations.js')
    const { Requests } = await internal<typeof import('../../../lib/wire/pack/requests.js')>('wire/pack/requests.js')
    const requests = new Requests(4 << 20)
    const times: Record<string, number[]> = {}
    for (const verb of ['add', 'update', 'remove'] as const) {
      const rules = [...operations(verb, TABLE)].filter(({ type }) => type.endsWith('Destination'))
      times[verb] = await timed(rules.length, () => {
        requests.clear()
        for (const rule of rules) packOperation(requests, rule)
      })
    }
    return times
  },
  async read() {
    const { internal, listedDestinations, packAnswer } = await loadPackage()
    const { Reply } = await internal<typeof import('../../../lib/wire/unpack/reply.js')>('wire/unpack/reply.js')
    type Unpack = typeof import('../../../lib/wire/unpack/destination.js')
    const { readListedDestination, LISTED_DESTINATION_SIZE: size } = await internal<Unpack>('wire/unpack/destination.js')
    const count = rulesOf(TABLE)
    const reply = new Reply(packAnswer([listedDestinations({ services: 1, destinations: count })], [size]))
    const at = reply.recordsOf(0)
    return {
      read: await timed(count, () => {
        for (let i = 0; i < count; i++) sum += readListedDestination(reply, at + i * size).weight
      }),
    }
  },
  async listings() {
    const { ipvs } = await openOn(TABLE)
    const services = (await ipvs.services()).slice()
    const objects = TABLE.services * TABLE.destinations
    return {
      together: await timed(objects, async () => {
        const lists = await Promise.all(services.map((service) => ipvs.destinations(service)))
        for (const list of lists) sum += list.length
      }),
      snapshot: await timed(objects, async () => { sum += (await ipvs.snapshot()).services.length }),
      calls: await timed(objects, () => {
        const update = (_: unknown, i: number): Promise<void> => ipvs.updateDestination(services[i % TABLE.services], destination(i, 1))
        return Promise.all(Array.from({ length: objects }, update))
      }),
    }
  },
  async held() {
    const { MetricsWriter } = await import('ipvs/metrics')
    const { ipvs } = await openOn(LARGE)
    const none = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n }
    const still = { connections: 0, inPackets: 0, outPackets: 0, inBytes: 0, outBytes: 0 }
    // The kernel's totals come from a file of /proc, which a machine without IPVS lacks.
    const counted = { snapshot: () => ipvs.snapshot(), totals: () => Promise.resolve({ stats: none, rates: still }) }
    const rules = [...operations('add', LARGE)]
    const desired = desiredOf(LARGE)
    return {
      array: await held(() => ipvs.batch(rules)),
      iterable: await held(() => ipvs.batch(operations('add', LARGE))),
      snapshot: await held(() => ipvs.snapshot()),
      listings: await held(() => Promise.all(Array.from({ length: LARGE.services }, (_, s) => ipvs.destinations(serviceKey(s))))),
      plan: await held(async () => {
        const plan = await ipvs.plan(desired, { prune: 'all' })
        if (plan.operations.length > 0) throw new Error(`the plan of an unchanged table has ${plan.operations.length} operations: ${JSON.stringify(plan.operations[0])}`)
      }),
      scrape: await held(async () => {
        for await (const piece of new MetricsWriter({ ipvs: counted, labels: ['local_address', 'local_port', 'proto', 'local_mark'] }).pieces()) sum += piece.length
      }),
    }
  },
  updateAmong10: async () => ({ update: await updates(10) }),
  updateAmong1000: async () => ({ update: await updates(1000) }),
  updateAmong10000: async () => ({ update: await updates(10_000) }),
  updateAmong100000: async () => ({ update: await updates(100_000) }),
  async memory() {
    const { ipvs, handle } = await openOn(TABLE)
    collectGarbage()
    const before = process.memoryUsage().heapUsed
    const most = process.resourceUsage().maxRSS
    await ipvs.batch(operations('add', MANY))
    const peak = process.resourceUsage().maxRSS
    // What the last turns leave behind goes with them.
    await new Promise((resolve) => setImmediate(resolve))
    collectGarbage()
    if (handle.requests !== rulesOf(MANY)) throw new Error(`${handle.requests} requests were sent`)
    return { peak: [peak * 1024], grown: [(peak - most) * 1024], kept: [process.memoryUsage().heapUsed - before] }
  },
  /** The same, with an empty loop in the place of the batch. */
  async emptyLoop() {
    await openOn(TABLE)
    collectGarbage()
    const most = process.resourceUsage().maxRSS
    let last: Operation | undefined
    for (const operation of operations('add', MANY)) last = operation
    if (last === undefined) throw new Error('nothing was made')
    const peak = process.resourceUsage().maxRSS
    return { peak: [peak * 1024], grown: [(peak - most) * 1024] }
  },
}

const result = await parts[process.argv[2]]()
if (Number.isNaN(sum)) throw new Error('a number is missing')
console.log(JSON.stringify(result))
