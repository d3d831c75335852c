import { afterAll, beforeAll, test } from 'vitest'
import { Ipvs, type ForwardingMethod } from 'ipvs'
import { examineDirector, examineRealServer, type Finding, type Report } from 'ipvs/doctor'
import type { Host } from '../../scripts/network/host.js'
import { Workshop, type Backend } from '../../scripts/network/workshop.js'
import { until } from './until.js'

export const VIP = '10.10.20.100'
export const methods = ['nat', 'dr', 'tun'] as const

export type Ports = Record<typeof methods[number], number>

/** Milliseconds from one client to the next. */
export const BETWEEN_CLIENTS = 300

/** Something to break, and how to repair it. */
export interface Harm {
  hurt: () => Promise<unknown>
  mend: () => Promise<unknown>
  /** Ports that clients connect to all the while. */
  ports?: readonly number[]
  /** The clients' address. */
  from?: string
  /** The virtual addresses that the examination of the real server is given. */
  vips?: string[]
  family?: 4 | 6
}

/** The findings of both machines in short form, and what the clients got. */
export interface Examined {
  director: string[]
  server: string[]
  findings: Finding[]
  clients: string[]
}

/** The findings of a report in short form. */
export const rows = ({ findings }: Report): string[] => findings.map(({ row, certainty, breaks }) =>
  `${row}, ${certainty}: ${breaks.map(({ service, destination, address }) => destination ? `${destination.address}:${destination.port}` : service && 'port' in service ? `port ${service.port}` : address ?? '').sort().join(' ')}`.trimEnd()).sort()

/** Returns functions that change addresses, routes and links (`on`), or settings (`set`), when they are called. */
const changes = (host: () => Host) => ({
  on: (...lines: string[]) => () => host().namespace.ip(...lines),
  set: (settings: Record<string, string | number>) => () => host().sysctl(settings),
})

/** A client, a director and a real server that are ready for all forwarding methods. */
export class Machines {
  #lastPort = 1_000

  private constructor(readonly workshop: Workshop, readonly ipvs: Ipvs) {}

  static async create(): Promise<Machines> {
    const workshop = await Workshop.create(['one'])
    await workshop.openTunnels()
    return new Machines(workshop, await Ipvs.open({ netns: workshop.director.namespace.name }))
  }

  readonly onClient = changes(() => this.workshop.client)
  readonly onDirector = changes(() => this.workshop.director)
  readonly onServer = changes(() => this.server.host)

  get server(): Backend {
    return this.workshop.backends[0]
  }

  /** The real server as a destination. */
  destination(port: number, family: 4 | 6 = 4): string {
    return `${this.server.address[family]}:${port}`
  }

  /** A port that nothing was sent to before. */
  freshPort(): number {
    return ++this.#lastPort
  }

  /** Makes a new table: a service for each forwarding method, each on a port that was never used, all served by the real server. */
  async table(family: 4 | 6 = 4): Promise<Ports> {
    await this.ipvs.flush()
    const ports: Partial<Ports> = {}
    const [virtual, own] = [this.workshop.virtual[family], this.server.address[family]]
    for (const forward of methods) {
      const port = ports[forward] = this.freshPort()
      const service = { protocol: 'tcp', address: virtual, port } as const
      await this.ipvs.addService({ ...service, scheduler: 'rr' })
      await this.ipvs.addDestination(service, { address: own, port, forward, tunnel: forward === 'tun' ? { type: 'ipip' } : null })
      await this.server.host.serve('tcp', forward === 'nat' ? own : virtual, port, 'one')
    }
    return ports as Ports
  }

  /** Makes a new table: one service with one destination, which need not exist. */
  async single(address: string, forward: ForwardingMethod, vip = VIP): Promise<number> {
    await this.ipvs.flush()
    const service = { protocol: 'tcp', address: vip, port: this.freshPort() } as const
    await this.ipvs.addService({ ...service, scheduler: 'rr' })
    await this.ipvs.addDestination(service, { address, port: service.port, forward })
    return service.port
  }

  /** Asks as a client. Returns who answered, or the code of the error. */
  ask(port: number, family: 4 | 6 = 4): Promise<string> {
    return this.workshop.client.ask({ transport: 'tcp', address: this.workshop.virtual[family], port }).then(
      ([name]) => name,
      (error: NodeJS.ErrnoException) => error.code!,
    )
  }

  examineDirector(vips?: string[]): Promise<Report> {
    return examineDirector(this.ipvs, vips === undefined ? {} : { vips })
  }

  examineServer(vips?: string[]): Promise<Report> {
    return examineRealServer({ netns: this.server.host.namespace.name, ...vips === undefined ? {} : { vips } })
  }

  /** Breaks something, examines both machines while clients connect, and repairs it. */
  async broken({ hurt, mend, ports = [], from, vips, family = 4 }: Harm): Promise<Examined> {
    const { client } = this.workshop
    const stops: (() => Promise<string[]>)[] = []
    let reports: Report[]
    try {
      await hurt()
      for (const port of ports) {
        const question = { address: this.workshop.virtual[family], port, ...from === undefined ? {} : { from } }
        stops.push(await client.keepAsking(question, BETWEEN_CLIENTS))
        await until(() => this.#connections(port), (count) => count > 0)
      }
      reports = await Promise.all([this.examineDirector(), this.examineServer(vips)])
    } finally {
      await mend()
    }
    const clients = (await Promise.all(stops.map((stop) => stop()))).flat()
    if (ports.length > 0) await this.untilAnswered()
    const notLooked = reports.flatMap((report) => report.notLooked)
    if (notLooked.length > 0) throw new Error(`not looked: ${JSON.stringify(notLooked)}`)
    return { director: rows(reports[0]), server: rows(reports[1]), findings: reports.flatMap(({ findings }) => findings), clients }
  }

  /** How many connections to a port the director knows. */
  async #connections(port: number): Promise<number> {
    let count = 0
    for await (const { virtual } of this.ipvs.connections()) if (virtual.port === port) count++
    return count
  }

  /** How often the server has repeated its answer to each handshake that waits there for its last packet. */
  async repeatedAnswers(): Promise<number[]> {
    const texts = await Promise.all(['tcp', 'tcp6'].map((name) => this.server.host.read(`/proc/net/${name}`)))
    const lines = texts.flatMap((text) => text.split('\n').map((line) => line.trim().split(/\s+/)))
    return lines.filter(([, , , state]) => state === '03').map(([, , , , , , repeated]) => parseInt(repeated, 16))
  }

  /** Waits until no handshake waits at the server. It notices that clients have given up only when it answers them again. */
  async untilAnswered(): Promise<void> {
    await until(() => this.repeatedAnswers(), ({ length }) => length === 0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ipvs.close()
    await this.workshop[Symbol.asyncDispose]()
  }
}

/** Sets of machines. Only one test at a time uses a set. */
class Pool {
  readonly #all: Machines[] = []
  readonly #free: Machines[] = []
  readonly #waiting: ((machines: Machines) => void)[] = []

  async open(count: number): Promise<void> {
    this.#all.push(...await Promise.all(Array.from({ length: count }, () => Machines.create())))
    this.#free.push(...this.#all)
  }

  async use(work: (machines: Machines) => Promise<void>): Promise<void> {
    const machines = this.#free.pop() ?? await new Promise<Machines>((resolve) => this.#waiting.push(resolve))
    try {
      await work(machines)
    } finally {
      const next = this.#waiting.shift()
      if (next) next(machines)
      else this.#free.push(machines)
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((machines) => machines[Symbol.asyncDispose]()))
  }
}

/** How many tests vitest runs at the same time. */
const AT_ONCE = 5

/**
 * Makes machines for the tests of this file, which are called stories. Stories run at the same time, because an examination is mostly
 * waiting. Each story has a set of machines to itself, and leaves it as it was.
 *
 * @param atOnce How many sets of machines.
 * @returns the function that declares a story
 */
export function stories(atOnce = AT_ONCE): (name: string, tell: (machines: Machines) => Promise<void>) => void {
  const pool = new Pool()
  beforeAll(() => pool.open(atOnce))
  afterAll(() => pool.close())
  return (name, tell) => { test.concurrent(name, () => pool.use(tell)) }
}
