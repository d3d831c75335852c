import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Ipvs } from 'ipvs'
import {
  Director,
  type Check,
  type DestinationChange,
  type DirectedDestination,
  type DirectorConfiguration,
  type DirectorEvents,
  type DirectorOptions,
  type Drained,
  type ProgramEnd,
  type QuorumChange,
} from 'ipvs/director'
import { completeConfiguration } from '../../../lib/configuration/index.js'
import { refusal } from '../../support/errors.js'
import { TestKernel } from '../../support/test-kernel.js'
import { until } from '../../support/until.js'
import { answering, type Loopback } from '../checks/support/servers.js'

const web = { protocol: 'tcp', address: '10.0.0.1', port: 80 } as const
const quick = { interval: 0.02, retryInterval: 0.01, warmup: 0, timeout: 30 }
const check: Check = { type: 'http', urls: [{ path: '/' }], ...quick }
const sorry = { address: '10.0.0.200', port: 8080, forward: 'nat' } as const

/** A real server on loopback that can fall ill. */
interface Real extends Loopback {
  isWell: boolean
  requests: string[]
}

let kernel: TestKernel
let ipvs: Ipvs
let servers: Real[]
let directors: Director[]
beforeEach(async () => {
  kernel = new TestKernel()
  ipvs = kernel.open()
  directors = []
  servers = []
  for (let n = 0; n < 3; n++) {
    const server: Real = Object.assign(await answering(() => `HTTP/1.0 ${server.isWell ? '200 OK' : '503 Busy'}\r\nContent-Length: 0\r\n\r\n`), { isWell: true })
    servers.push(server)
  }
})
afterEach(async () => {
  for (const director of directors) await director.close()
  for (const server of servers) await server[Symbol.asyncDispose]()
  await ipvs.close()
})

function direct(options: Omit<DirectorOptions, 'ipvs'>): Director {
  const director = new Director({ ipvs, jitter: 0, drain: { interval: 0.02 }, ...options })
  directors.push(director)
  return director
}

const real = (n: number, extra: Partial<DirectedDestination> = {}): DirectedDestination => ({
  address: '127.0.0.1',
  port: servers[n].port,
  forward: 'nat',
  ...extra,
})
const service = (
  destinations: DirectedDestination[],
  extra: Partial<DirectorConfiguration['services'][number]> = {},
): DirectorConfiguration => ({ services: [{ ...web, checks: [check], destinations, ...extra }] })

/** The table as text, with the servers by their numbers: 'tcp 10.0.0.1:80 0=1 1=1'. */
function table(): string[] {
  const name = (port: number): string => {
    const number = servers.findIndex((server) => server.port === port)
    return number < 0 ? `sorry` : String(number)
  }
  return kernel.table().services.map((entry) => {
    const key = 'fwmark' in entry ? `fwmark ${entry.fwmark}` : `${entry.protocol} ${entry.address}:${entry.port}`
    return [key, ...entry.destinations.map(({ port, weight }) => `${name(port)}=${weight}`).sort()].join(' ')
  }).sort()
}

const becomes = (...lines: string[]): Promise<string[]> =>
  until(
    () => Promise.resolve(table()),
    (now) => JSON.stringify(now) === JSON.stringify(lines),
    20,
  )

/** Everything of one event that a director has told. */
function told<Name extends keyof DirectorEvents>(director: Director, name: Name): DirectorEvents[Name][0][] {
  const all: DirectorEvents[Name][0][] = []
  director.on(name, ((event: DirectorEvents[Name][0]) => all.push(event)) as never)
  return all
}

/** Commands that changed destinations, with what each did, as they reached the kernel. */
function changesOf(of: TestKernel): string[] {
  const seen: string[] = []
  of.after = ({ command }) => {
    if (['newDest', 'setDest', 'delDest', 'delService'].includes(command)) seen.push(command)
  }
  return seen
}

/** Fulfilled when every check of a director has answered so often since now. */
async function answers(director: Director, count = 1): Promise<void> {
  const { good, bad } = await director.checks()
  await until(() => director.checks(), (now) => now.good + now.bad >= good + bad + count, 20)
}

describe('a director', () => {
  test('takes a server out that falls ill, says why, and puts it back', async () => {
    const director = direct({ configuration: service([real(0), real(1)]) })
    const [downs, ups] = [told(director, 'down'), told(director, 'up')]
    await director.inForce()
    expect(table()).toEqual(['tcp 10.0.0.1:80 0=1 1=1'])
    await answers(director, 3)
    servers[1].isWell = false
    await becomes('tcp 10.0.0.1:80 0=1')
    expect(downs).toMatchObject([
      {
        service: web,
        destination: { address: '127.0.0.1', port: servers[1].port },
        up: false,
        check: 'GET /',
        words: 'GET / answered 503',
        answers: 2,
      } satisfies Partial<DestinationChange>,
    ])
    expect(director.status().services[0].destinations).toMatchObject([{ up: true, weight: 1 }, { up: false, words: 'GET / answered 503' }])
    servers[1].isWell = true
    await becomes('tcp 10.0.0.1:80 0=1 1=1')
    expect(ups).toHaveLength(1)
  })

  test('reads and changes the one service that a decision is about, however many there are', async () => {
    const others = Array.from({ length: 100 }, (_, i) => ({ ...web, port: 1000 + i, destinations: [sorry] }))
    const director = direct({
      configuration: { services: [...service([real(0), real(1)]).services, ...others] },
      interval: 1000,
      drain: false,
    })
    await director.inForce()
    await once(director, 'converged')
    const listed: boolean[] = []
    kernel.before = ({ command, dump }) => {
      if (command === 'getService') listed.push(dump)
    }
    servers[1].isWell = false
    await until(() => Promise.resolve(table()), (now) => now.includes('tcp 10.0.0.1:80 0=1'), 20)
    servers[1].isWell = true
    await until(() => Promise.resolve(table()), (now) => now.includes('tcp 10.0.0.1:80 0=1 1=1'), 20)
    expect(new Set(listed)).toEqual(new Set([false]))
    expect(table()).toHaveLength(101)
  })

  test('lets the fallback in before anything goes out, and the living in before the fallback goes', async () => {
    const director = direct({ configuration: service([real(0), real(1)], { quorum: 2, fallback: sorry }), drain: false })
    const quorums = told(director, 'quorum')
    await director.inForce()
    const seen = changesOf(kernel)
    servers[1].isWell = false
    await becomes('tcp 10.0.0.1:80 0=0 sorry=1')
    expect(seen.splice(0)).toEqual(['newDest', 'setDest', 'delDest'])
    servers[1].isWell = true
    await becomes('tcp 10.0.0.1:80 0=1 1=1')
    expect(seen.at(-1)).toBe('delDest')
    const change = (reached: boolean): QuorumChange => ({ service: web, reached, weight: reached ? 2 : 1, quorum: 2, fallback: !reached })
    expect(quorums).toEqual([true, false, true].map(change))
  })

  test('keeps the last ones where it is told to, when all seem to be down', async () => {
    const director = direct({ configuration: service([real(0)], { whenAllDown: 'keep' }) })
    await director.inForce()
    servers[0].isWell = false
    await once(director, 'down')
    await answers(director, 3)
    expect(table()).toEqual(['tcp 10.0.0.1:80 0=1'])
  })

  test('follows the weight that a script tells', async () => {
    const script = { type: 'script', command: ['/bin/sh', '-c', 'exit 9'], dynamicWeight: true, ...quick } satisfies Check
    direct({ configuration: service([real(0, { checks: [script], weight: 3 })]) })
    await becomes('tcp 10.0.0.1:80 0=7')
  })

  test('keeps a destination down until all of its checks are good', async () => {
    const other = { type: 'http', port: servers[1].port, urls: [{ path: '/' }], ...quick } satisfies Check
    servers[1].isWell = false
    const director = direct({ configuration: service([real(0, { checks: [check, other] })]) })
    await once(director, 'down')
    await becomes('tcp 10.0.0.1:80')
    servers[1].isWell = true
    await becomes('tcp 10.0.0.1:80 0=1')
  })

  test('repairs what others change in its services', async () => {
    const director = direct({ configuration: service([real(0)]), interval: 0.05 })
    await director.inForce()
    await ipvs.removeDestination(web, real(0))
    await becomes('tcp 10.0.0.1:80 0=1')
  })

  test('leaves the table as it is when it ends, and everything rejects that comes later', async () => {
    const director = direct({ configuration: service([real(0)]) })
    await director.inForce()
    await director.close()
    await director.close()
    expect(table()).toEqual(['tcp 10.0.0.1:80 0=1'])
    expect(await refusal(() => director.set(service([])))).toMatchObject({ code: 'ERR_IPVS_CLOSED' })
  })

  test('that is closed while it begins leaves nothing behind', async () => {
    const director = direct({ configuration: service([real(0)]) })
    const inForce = director.inForce()
    await director.close()
    expect(await refusal(() => inForce)).toMatchObject({ code: 'ERR_IPVS_CLOSED' })
  })
})

describe('at the start', () => {
  test('what is in the table is up until its checks say otherwise; what is not is down until it was good', async () => {
    servers[0].isWell = servers[1].isWell = servers[2].isWell = false
    await ipvs.addService({ ...web, scheduler: 'wlc' })
    await ipvs.addDestination(web, { ...real(0), weight: 1 })
    await ipvs.addDestination(web, { ...real(1), weight: 0 })
    kernel.count(web, real(1), { active: 1 })
    // The answers take their time: nothing is known of anybody for now.
    const director = direct({
      configuration: service([real(0), real(1), real(2)], { checks: [{ ...check, interval: 60, warmup: 60, failures: 2 }] }),
    })
    await director.inForce()
    // Number 1 keeps its connection.
    expect(table()).toEqual(['tcp 10.0.0.1:80 0=1 1=0'])
    expect(director.status().services[0].destinations.map(({ up }) => up)).toEqual([true, false, false])
    kernel.count(web, real(1), { active: 0 })
    await becomes('tcp 10.0.0.1:80 0=1')
  })

  test('what is up has not come up: it is no event, and the quorum is told once', async () => {
    const director = direct({ configuration: service([real(0), real(1)]) })
    const [ups, downs, quorums] = [told(director, 'up'), told(director, 'down'), told(director, 'quorum')]
    await director.inForce()
    await answers(director, 4)
    expect({ ups, downs, quorums }).toEqual({
      ups: [], downs: [], quorums: [expect.objectContaining({ reached: true, weight: 2 })],
    })
    const { destinations } = director.status().services[0]
    expect(destinations.map(({ up, ups }) => ({ up, ups }))).toEqual([{ up: true, ups: 0 }, { up: true, ups: 0 }])
  })

  test('a fallback that serves goes on until the quorum is there', async () => {
    await ipvs.addService(web)
    await ipvs.addDestination(web, sorry)
    servers[0].isWell = false
    const director = direct({ configuration: service([real(0)], { fallback: sorry }) })
    await director.inForce()
    expect(table()).toEqual(['tcp 10.0.0.1:80 sorry=1'])
    servers[0].isWell = true
    await becomes('tcp 10.0.0.1:80 0=1')
  })

  test('a new service is up before any answer, or down where startDown says so', async () => {
    const late = { ...check, warmup: 60, interval: 60 }
    const director = direct({
      configuration: {
        services: [
          ...service([real(0)], { checks: [late] }).services,
          ...service([real(1)], { checks: [late], startDown: true, port: 81 }).services,
        ],
      },
    })
    await director.inForce()
    expect(table()).toEqual(['tcp 10.0.0.1:80 0=1', 'tcp 10.0.0.1:81'])
  })
})

describe('ownership', () => {
  const foreign = { protocol: 'tcp', address: '10.9.9.9', port: 80 } as const
  const old = { protocol: 'tcp', address: '10.0.0.7', port: 80 } as const
  beforeEach(async () => {
    for (const key of [foreign, old]) await ipvs.addService(key)
  })
  const services: DirectorConfiguration = { services: [{ ...web }, { ...web, port: 81 }] }

  test('services that no configuration has named are left, and told once', async () => {
    const director = direct({})
    const left = told(director, 'foreign')
    await director.set(services)
    await director.set({ services: [{ ...web }] })
    expect(table()).toEqual(['tcp 10.0.0.1:80', 'tcp 10.0.0.7:80', 'tcp 10.9.9.9:80'])
    expect(left).toHaveLength(1)
    expect(new Set(left[0] )).toEqual(new Set([foreign, old]))
  })

  test('services that it is told are its own go', async () => {
    await direct({ configuration: services, owns: { address: '10.0.0.0/24' } }).inForce()
    await becomes('tcp 10.0.0.1:80', 'tcp 10.0.0.1:81', 'tcp 10.9.9.9:80')
  })

  test('with prune all others go', async () => {
    await direct({ configuration: services, prune: true }).inForce()
    await becomes('tcp 10.0.0.1:80', 'tcp 10.0.0.1:81')
  })
})

describe('what was named before a restart', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ipvs-director-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))
  const keys = (...ports: number[]): DirectorConfiguration => ({ services: ports.map((port) => ({ ...web, port })) })

  test('goes too where it was taken out meanwhile, and its connections are waited for', async () => {
    const remember = join(folder, 'named.json')
    const before = direct({ configuration: { services: [...service([real(0)]).services, ...keys(81, 82).services] }, remember })
    await before.inForce()
    await before.close()
    for (const key of [{ ...web, port: 90 }]) await ipvs.addService(key)
    await ipvs.removeService({ ...web, port: 82 })
    kernel.count(web, real(0), { active: 1 })
    const next = direct({ remember })
    const left = told(next, 'foreign')
    await next.set(keys(83))
    expect(table()).toEqual(['tcp 10.0.0.1:80 0=0', 'tcp 10.0.0.1:83', 'tcp 10.0.0.1:90'])
    expect(left).toEqual([[{ ...web, port: 90 }]])
    kernel.count(web, real(0), { active: 0 })
    await becomes('tcp 10.0.0.1:83', 'tcp 10.0.0.1:90')
    await next.close()
    // What was not in the table any more is forgotten: another program may have it now.
    await ipvs.addService({ ...web, port: 82 })
    await direct({ configuration: keys(83), remember }).inForce()
    expect(table()).toEqual(['tcp 10.0.0.1:82', 'tcp 10.0.0.1:83', 'tcp 10.0.0.1:90'])
  })

  test('goes at once where nothing drains', async () => {
    const options = { remember: join(folder, 'named.json'), drain: false }
    await direct({ configuration: keys(80, 81), ...options }).inForce()
    await directors[0].close()
    await direct({ configuration: keys(81), ...options }).inForce()
    expect(table()).toEqual(['tcp 10.0.0.1:81'])
  })

  test('is not needed: a file that cannot be used is told, and the director goes on', async () => {
    const remember = join(folder, 'named.json')
    writeFileSync(remember, 'rubbish')
    const director = direct({ remember })
    const troubles = told(director, 'memory')
    await director.set(keys(80))
    expect(troubles).toEqual([
      { file: remember, words: "the services that were named could not be read: it is not JSON: it was cut off, or is another program's" },
    ])
    rmSync(remember)
    mkdirSync(remember)
    await director.set(keys(80, 81))
    expect(troubles.slice(1)).toMatchObject([
      { words: expect.stringMatching(/^the services that were named could not be written: EISDIR/) as string },
    ])
    expect(table()).toEqual(['tcp 10.0.0.1:80', 'tcp 10.0.0.1:81'])
    expect(() => direct({ remember: 'named.json' })).toThrow('options.remember must be true, false, or the absolute path of a file')
    expect(() => direct({ remember: 1 as never })).toThrow('options.remember')
  })
})

describe('another configuration', () => {
  test('leaves checks alone that are the same', async () => {
    const director = direct({ configuration: service([real(0), real(1)]) })
    servers[0].isWell = false
    await once(director, 'down')
    const { since } = director.status().services[0].destinations[0]
    await director.set(service([real(1), real(2), real(0)]))
    expect(table()).toEqual(['tcp 10.0.0.1:80 1=1 2=1'])
    expect(director.status().services[0].destinations[2]).toMatchObject({ up: false, since })
  })

  test('touches only the services that are other objects than before, where somebody has compared them', async () => {
    const others = Array.from({ length: 100 }, (_, i) => ({ ...web, port: 1000 + i, destinations: [sorry] }))
    const first = completeConfiguration({ services: [...service([real(0), real(1)]).services, ...others] })
    const director = direct({ interval: 1000, drain: false })
    await director.take(first)
    await once(director, 'converged')
    await answers(director, 4)
    const { since } = director.status().services[0].destinations[0]
    const listed: boolean[] = []
    kernel.before = ({ command, dump }) => {
      if (command === 'getService') listed.push(dump)
    }
    const [changed] = completeConfiguration({ services: [{ ...others[7], destinations: [{ ...sorry, weight: 5 }] }] }).services
    const next = { services: first.services.with(8, changed).slice(0, -1) }
    await director.take(next)
    expect(listed).toEqual([false, false])
    expect(table()).toHaveLength(100)
    expect(table()).toContain('tcp 10.0.0.1:1007 sorry=5')
    expect(director.status().services[0].destinations[0]).toMatchObject({ up: true, since, ups: 0 })
    await director.take({ services: [...next.services, ...first.services.slice(-1)], timeouts: { tcp: 77, tcpFin: 77, udp: 77 } })
    expect(table()).toHaveLength(101)
    expect(kernel.table().timeouts).toMatchObject({ tcp: 77 })
    servers[0].isWell = false
    await until(() => Promise.resolve(table()), (now) => now.includes('tcp 10.0.0.1:80 1=1'), 20)
  })

  test('changes service by service: what an update does not name is neither read nor touched', async () => {
    const others = Array.from({ length: 100 }, (_, i) => ({ ...web, port: 1000 + i, destinations: [sorry] }))
    const director = direct({ interval: 1000, drain: false })
    const failures = told(director, 'failed')
    await expect(director.update({ services: [], removed: [] })).rejects.toThrow('has none yet')
    expect(failures).toHaveLength(1)
    await director.take(completeConfiguration({ services: [...service([real(0), real(1)]).services, ...others] }))
    await once(director, 'converged')
    await answers(director, 4)
    const other = kernel.openSync()
    other.addService({ ...web, port: 2000 })
    other.addDestination({ ...web, port: 2000 }, { ...sorry, weight: 0 })
    const listed: boolean[] = []
    kernel.before = ({ command, dump }) => {
      if (command === 'getService') listed.push(dump)
    }
    const { services } = completeConfiguration({ services: [
      { ...others[7], destinations: [{ ...sorry, weight: 5 }] }, { ...web, port: 2000, checks: [check], destinations: [sorry] },
    ] })
    await director.update({ services, removed: [{ ...web, port: 1009 }] })
    expect(listed.length).toBeGreaterThan(0)
    expect(listed).not.toContain(true)
    expect(table()).toHaveLength(101)
    expect(table()).toContain('tcp 10.0.0.1:1007 sorry=5')
    expect(table()).not.toContain('tcp 10.0.0.1:1009 sorry=1')
    // It had weight 0 in the table, so it is down until its check says otherwise.
    const added = director.status().services.find(({ service }) => 'port' in service && service.port === 2000)!
    expect(added.destinations).toMatchObject([{ up: false }])
    expect(director.status().services[0].destinations[0]).toMatchObject({ up: true, ups: 0 })
    servers[0].isWell = false
    await until(() => Promise.resolve(table()), (now) => now.includes('tcp 10.0.0.1:80 1=1'), 20)
    await director.update({ services: [], removed: [web, { ...web, port: 2000 }, { ...web, port: 3000 }] })
    expect(table()).toHaveLength(99)
  })

  test('has other weights, and destinations without checks are up', async () => {
    const director = direct({ configuration: service([real(0), real(1)]) })
    servers[0].isWell = false
    await once(director, 'down')
    await director.set(service([real(0, { checks: [], weight: 4 }), real(1, { weight: 9 })]))
    expect(table()).toEqual(['tcp 10.0.0.1:80 0=4 1=9'])
  })

  test('with a mistake is refused whole, and the last good one stays in force', async () => {
    const director = direct({ configuration: service([real(0)]) })
    const failures = told(director, 'failed')
    await director.inForce()
    const wrong = service([real(1), { ...real(2), weight: -1 }])
    expect(await refusal(() => director.set(wrong))).toMatchObject({
      code: 'ERR_IPVS_CONFIGURATION',
      field: 'services[0].destinations[1].weight',
    })
    expect(failures).toMatchObject([{ error: { field: 'services[0].destinations[1].weight' }, retryIn: Infinity }])
    servers[0].isWell = false
    await becomes('tcp 10.0.0.1:80')
    expect(() => new Director({ ipvs, configuration: wrong })).toThrow('services[0].destinations[1].weight')
    expect(() => new Director({ ipvs, drain: { timeout: -1 } })).toThrow('options.drain.timeout')
    expect(() => new Director({ ipvs, speed: 3 } as never)).toThrow('options.speed')
    expect(() => new Director({} as never)).toThrow('options.ipvs')
  })

  test('comes from an async iterable, whose mistakes and end change nothing', async () => {
    const failures: unknown[] = []
    const director = direct({ configuration: (async function* () {
      yield service([real(0)])
      await turn()
      yield { services: 'none' } as never
      yield service([real(1)])
      throw new Error('the file is gone')
    })() })
    director.on('failed', ({ error }) => failures.push((error as Error).message))
    await becomes('tcp 10.0.0.1:80 1=1')
    await until(() => Promise.resolve(failures), ({ length }) => length === 2, 20)
    expect(failures[1]).toBe('the file is gone')
    servers[1].isWell = false
    await becomes('tcp 10.0.0.1:80')
  })

  test('is taken when the kernel can be reached again', async () => {
    let broken = true
    kernel.refuse = () => broken ? -1 : undefined
    const director = direct({ configuration: service([real(0)]) })
    await once(director, 'failed')
    broken = false
    await director.inForce()
    expect(table()).toEqual(['tcp 10.0.0.1:80 0=1'])
  })
})

describe('what is taken out of the configuration', () => {
  test('drains, and it is told whether it was empty', async () => {
    const director = direct({ configuration: service([real(0), real(1)]), drain: { interval: 0.02, timeout: 60 } })
    const drained = told(director, 'drained')
    await director.inForce()
    kernel.count(web, real(1), { active: 2 })
    await director.set(service([real(0)]))
    expect(table()).toEqual(['tcp 10.0.0.1:80 0=1 1=0'])
    expect(director.status().services[0].draining).toEqual([{ address: '127.0.0.1', port: servers[1].port }])
    kernel.count(web, real(1), { active: 0 })
    await becomes('tcp 10.0.0.1:80 0=1')
    await until(() => Promise.resolve(drained), ({ length }) => length === 1, 20)
    expect(drained).toEqual([
      { service: web, destination: { address: '127.0.0.1', port: servers[1].port }, connections: 0 } satisfies Drained,
    ])
  })

  test('has an interval for handshakes that are under way, whenever somebody looks', async () => {
    const director = direct({ configuration: service([real(0), real(1), real(2)]), drain: { interval: 0.4, timeout: 60 } })
    await director.inForce()
    kernel.count(web, real(1), { active: 1 })
    await director.set(service([real(0), real(2)]))
    // The looks at number 1 go on while number 2 leaves in the middle between two of them.
    await wait(600)
    const left = performance.now()
    await director.set(service([real(0)]))
    await becomes('tcp 10.0.0.1:80 0=1 1=0')
    expect(performance.now() - left).toBeGreaterThanOrEqual(399)
  })

  test('is cut when its time is over, and it is told how many connections that were', async () => {
    const director = direct({ configuration: service([real(0), real(1)]), drain: { interval: 0.02, timeout: 0.1 } })
    await director.inForce()
    kernel.count(web, real(1), { active: 2, inactive: 1 })
    void director.set(service([real(0)]))
    expect((await once(director, 'drained') as [Drained])[0].connections).toBe(3)
    expect(table()).toEqual(['tcp 10.0.0.1:80 0=1'])
  })

  test('comes back with what was known of it, when it is named again', async () => {
    const director = direct({ configuration: service([real(0), real(1, { weight: 5 })]) })
    const drained = told(director, 'drained')
    await director.inForce()
    kernel.count(web, real(1), { active: 2 })
    await director.set(service([real(0)]))
    await director.set(service([real(0), real(1, { weight: 5, startDown: true })]))
    expect(table()).toEqual(['tcp 10.0.0.1:80 0=1 1=5'])
    expect(drained).toEqual([])
  })

  test('a service goes when its destinations have gone', async () => {
    const director = direct({ configuration: { services: [...service([real(0)]).services, { ...web, port: 81 }] } })
    await director.inForce()
    kernel.count(web, real(0), { active: 1 })
    await director.set({ services: [{ ...web, port: 81 }] })
    expect(table()).toEqual(['tcp 10.0.0.1:80 0=0', 'tcp 10.0.0.1:81'])
    kernel.count(web, real(0), { active: 0 })
    await becomes('tcp 10.0.0.1:81')
  })

  test('goes at once without draining', async () => {
    const director = direct({ configuration: service([real(0), real(1)]), drain: false })
    await director.inForce()
    kernel.count(web, real(1), { active: 2 })
    await director.set(service([real(0)]))
    expect(table()).toEqual(['tcp 10.0.0.1:80 0=1'])
  })

  test('a fallback keeps its connections when it serves no more', async () => {
    servers[0].isWell = false
    const director = direct({ configuration: service([real(0)], { fallback: sorry }) })
    await becomes('tcp 10.0.0.1:80 sorry=1')
    kernel.count(web, sorry, { active: 1 })
    servers[0].isWell = true
    await once(director, 'up')
    await becomes('tcp 10.0.0.1:80 0=1 sorry=0')
    kernel.count(web, sorry, { active: 0 })
    await becomes('tcp 10.0.0.1:80 0=1')
  })
})

describe('coming back', () => {
  test('takes its time where rampUp says so', async () => {
    const director = direct({ configuration: service([real(0, { weight: 100, rampUp: 0.5 }), real(1)]) })
    await director.inForce()
    expect(table()).toEqual(['tcp 10.0.0.1:80 0=100 1=1'])
    const weights: number[] = []
    servers[0].isWell = false
    await becomes('tcp 10.0.0.1:80 1=1')
    director.on('applied', ({ plan }) => {
      for (const operation of plan.operations)
        if ('destination' in operation && operation.destination.port === servers[0].port)
          weights.push((operation.destination as { weight: number }).weight)
    })
    servers[0].isWell = true
    await becomes('tcp 10.0.0.1:80 0=100 1=1')
    await until(() => Promise.resolve(weights), (all) => all.at(-1) === 100, 20)
    expect(weights[0]).toBeLessThan(100)
    expect(weights).toEqual([...weights].sort((a, b) => a - b))
  })

  test('has the whole weight after rampUp, however late the event loop is', async () => {
    const director = direct({ configuration: service([real(0, { weight: 100, rampUp: 0.5 }), real(1)]) })
    await director.inForce()
    servers[0].isWell = false
    await becomes('tcp 10.0.0.1:80 1=1')
    let time = performance.now()
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => time += 1_000)
    try {
      servers[0].isWell = true
      await becomes('tcp 10.0.0.1:80 0=100 1=1')
    } finally {
      clock.mockRestore()
    }
  })
})

describe('programs to notify', () => {
  const written = (folder: string, mode: number): string => {
    const path = join(folder, 'program')
    writeFileSync(path, '')
    chmodSync(path, mode)
    return path
  }
  const echo = (...words: string[]): { command: string[] } => ({ command: ['/bin/echo', ...words] })
  const spoken = (ends: ProgramEnd[]): string[] => ends.map(({ command: [, ...words] }) => words.join(' '))

  test('run when a destination or a quorum changes, once for all services of a group', async () => {
    const programs = { onQuorumReached: echo('quorum'), onQuorumLost: echo('no quorum'), group: 'g', notifyAtStart: true }
    const destinations = [real(0, { onUp: echo('up'), onDown: echo('down') })]
    const director = direct({
      configuration: {
        services: [...service(destinations, programs).services, ...service(destinations, { ...programs, port: 81 }).services],
      },
    })
    const ends = told(director, 'program')
    await director.inForce()
    servers[0].isWell = false
    await becomes('tcp 10.0.0.1:80', 'tcp 10.0.0.1:81')
    await until(() => Promise.resolve(ends), ({ length }) => length === 4, 20)
    servers[0].isWell = true
    await becomes('tcp 10.0.0.1:80 0=1', 'tcp 10.0.0.1:81 0=1')
    await until(() => Promise.resolve(ends), ({ length }) => length === 6, 20)
    const isOfQuorum = ({ destination }: ProgramEnd): boolean => destination === undefined
    expect(spoken(ends.filter(isOfQuorum))).toEqual(['quorum', 'no quorum', 'quorum'])
    expect(spoken(ends.filter((end) => !isOfQuorum(end)))).toEqual(['up', 'down', 'up'])
  })

  test('run for another service of a group, where the one that they ran for is taken out', async () => {
    const of = (port: number): DirectorConfiguration['services'] =>
      service([real(0)], { port, onQuorumLost: echo('no quorum', String(port)), group: 'g' }).services
    const director = direct({})
    const ends = told(director, 'program')
    await director.set({ services: [...of(80), ...of(81), ...of(82)] })
    await director.set({ services: [...of(81), ...of(82)] })
    servers[0].isWell = false
    await becomes('tcp 10.0.0.1:81', 'tcp 10.0.0.1:82')
    await director.close()
    expect(spoken(ends)).toEqual(['no quorum 81'])
  })

  test('at the end are those of the destinations that are up, and of the quorum, where the services go', async () => {
    servers[1].isWell = false
    const programs = { onQuorumLost: echo('no quorum'), group: 'g', notifyAtEnd: true }
    const destinations = [real(0, { onDown: echo('0 down') }), real(1, { onDown: echo('1 down') })]
    const quiet = service([real(0, { onDown: echo('never') })], { onQuorumLost: echo('never'), port: 82 }).services
    const director = direct({
      configuration: {
        services: [...service(destinations, programs).services, ...service(destinations, { ...programs, port: 81 }).services, ...quiet],
      },
    })
    const ends = told(director, 'program')
    await ipvs.addService({ ...web, port: 90 })
    await becomes('tcp 10.0.0.1:80 0=1', 'tcp 10.0.0.1:81 0=1', 'tcp 10.0.0.1:82 0=1', 'tcp 10.0.0.1:90')
    await until(() => Promise.resolve(ends), ({ length }) => length === 1, 20)
    await director.close({ remove: true })
    expect(table()).toEqual(['tcp 10.0.0.1:90'])
    expect(spoken(ends).slice(1).sort()).toEqual(['0 down', 'no quorum'])
  })

  test('at the end do not run where the table stays', async () => {
    const director = direct({
      configuration: service([real(0, { onDown: echo('0 down') })], { onQuorumLost: echo('no quorum'), notifyAtEnd: true }),
    })
    const ends = told(director, 'program')
    await director.inForce()
    await director.close()
    expect(ends).toEqual([])
    expect(table()).toEqual(['tcp 10.0.0.1:80 0=1'])
  })

  test('a director that cannot remove its services ends, and says so', async () => {
    const director = direct({ configuration: service([real(0)]) })
    await director.inForce()
    kernel.refuse = () => -1
    expect(await refusal(() => director.close({ remove: true }))).toMatchObject({ code: 'EPERM' })
    expect(table()).toEqual(['tcp 10.0.0.1:80 0=1'])
    directors.pop()
  })

  test.each<[string, (folder: string) => string, RegExp]>([
    ['is not there', (folder) => join(folder, 'missing'), /missing does not exist$/],
    ['is a folder', (folder) => folder, /is no file$/],
    ['cannot be executed', (folder) => written(folder, 0o644), /program is not executable$/],
    ['others can change', (folder) => written(folder, 0o777), /program can be changed by others than root \(mode 777\)$/],
    ['lies in a folder that others can change', (folder) => {
      chmodSync(folder, 0o777)
      return written(folder, 0o755)
    }, /can be changed by others than root \(mode 777\)$/],
    ['a link leads to that others can change', (folder) => {
      symlinkSync(written(folder, 0o777), join(folder, 'link'))
      return join(folder, 'link')
    }, /program can be changed by others than root \(mode 777\)$/],
    ['is a link that leads to itself', (folder) => {
      symlinkSync('loop', join(folder, 'loop'))
      return join(folder, 'loop')
    }, /leads through too many symbolic links$/],
  ])('one that %s refuses the configuration, wherever it is named', (_, make, words) => {
    const folder = mkdtempSync(join(tmpdir(), 'ipvs-director-'))
    try {
      const program = { command: [make(folder)] }
      const places: [string, DirectorConfiguration][] = [
        ['services[0].onQuorumReached', service([], { onQuorumReached: program })],
        ['services[0].onQuorumLost', service([], { onQuorumLost: program })],
        ['services[0].checks[1]', service([], { checks: [check, { type: 'script', ...program }] })],
        ['services[0].destinations[1].onUp', service([real(0), real(1, { onUp: program })])],
        ['services[0].destinations[1].onDown', service([real(0), real(1, { onDown: program })])],
        ['services[0].destinations[0].checks[0]', service([real(0, { checks: [{ type: 'script', ...program }] })])],
      ]
      for (const [field, configuration] of places) {
        let thrown: unknown
        try {
          direct({ configuration })
        } catch (error) {
          thrown = error
        }
        expect(thrown).toMatchObject({ code: 'ERR_IPVS_CONFIGURATION', field: `${field}.command[0]`, message: expect.stringMatching(words) as string })
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('a program of a user or a group that is not there refuses the configuration', () => {
    const of = (account: object): DirectorConfiguration => service([real(0, { onUp: { ...echo('up'), ...account } })])
    expect(() => direct({ configuration: of({ user: 'nobody-of-that-name' }) })).toThrow(`services[0].destinations[0].onUp.user is refused: there is no user 'nobody-of-that-name' in /etc/passwd`)
    expect(() => direct({ configuration: of({ user: '12345678' }) })).toThrow(
      'services[0].destinations[0].onUp.user is refused: user 12345678 is not in /etc/passwd, and so has no group: name one too',
    )
    direct({ configuration: of({ user: '12345678', group: '0' }) })
    expect(() => direct({ configuration: of({ group: 'none-of-that-name' }) })).toThrow(`services[0].destinations[0].onUp.group is refused: there is no group 'none-of-that-name' in /etc/group`)
  })

  test('a file of TLS that is not there refuses the configuration', () => {
    const configuration = service([real(0, { checks: [{ type: 'tls', tls: { authorities: '/nowhere/ca.pem' } }] })])
    expect(() => direct({ configuration })).toThrow(
      'services[0].destinations[0].checks[0].tls.authorities is refused: /nowhere/ca.pem does not exist. Put the file there, or take the line out',
    )
  })

  test('that are due are waited for at the end', async () => {
    const director = direct({ configuration: service([real(0)], { onQuorumReached: { command: ['/bin/sleep', '0.2'] } }) })
    const ends = told(director, 'program')
    await director.inForce()
    await director.close()
    expect(ends).toMatchObject([{ outcome: 'good', service: web }])
  })
})
