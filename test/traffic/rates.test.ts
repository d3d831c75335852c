import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { AddressServiceKey } from 'ipvs'
import { Stage, PORT } from '../support/stage.js'
import { until } from '../support/until.js'

const command = fileURLToPath(new URL('../../dist/bin/ipvs.cjs', import.meta.url))

let stage: Stage
beforeAll(async () => {
  stage = await Stage.create(['alpha'])
})
afterEach(() => stage.ipvs.flush())
afterAll(() => stage[Symbol.asyncDispose]())

/** Asks a service again and again and records when, which shows what its rates must be. */
class Traffic {
  /** When each connection was made, in seconds. */
  readonly made: number[] = []
  #ended = false
  readonly #loop: Promise<void>

  constructor(service: AddressServiceKey) {
    this.#loop = this.#go(service)
    // Prevents an unhandled rejection before end() awaits it.
    this.#loop.catch(() => {})
  }

  async #go(service: AddressServiceKey): Promise<void> {
    while (!this.#ended) {
      try {
        await stage.ask(service, 1)
        this.made.push(performance.now() / 1000)
      } catch (error) {
        // Seen once on Linux 7.2, among thousands of connections in a few seconds: a datagram was refused. It made no connection.
        if ((error as { code?: string }).code !== 'ECONNREFUSED') throw error
      }
      // Limits the pace on a fast machine.
      await setTimeout(10)
    }
  }

  /** How many connections were made in the `seconds` before `end`. */
  in(seconds: number, end: number): number {
    return this.made.filter((at) => at > end - seconds && at <= end).length
  }

  /**
   * The lowest and the highest rate of connections in the two seconds before any counter update between two moments. On a busy machine the
   * kernel is up to half a second early or late, so a period lasts between one and a half and two and a half seconds.
   */
  bounds(from: number, to: number): [number, number] {
    const ends = Array.from({ length: 20 }, (_, i) => from + (to - from) * i / 19)
    return [Math.min(...ends.map((end) => this.in(1.5, end))) / 2, Math.max(...ends.map((end) => this.in(2.5, end))) / 2]
  }

  async end(): Promise<void> {
    this.#ended = true
    await this.#loop
  }
}

/** A service under traffic, once the kernel's average has come near it. */
async function busy(): Promise<{ service: AddressServiceKey, traffic: Traffic }> {
  const service = stage.fresh('udp', 4)
  await stage.balance({ ...service, scheduler: 'rr' }, ({ address }) => ({ address: address[4], port: PORT, forward: 'nat' }))
  const traffic = new Traffic(service)
  await until(async () => (await stage.ipvs.getService(service))!.stats.connections, (connections) => connections > 0n)
  return { service, traffic }
}

const now = (): number => performance.now() / 1000

/** Bounds for a rate that is seen now. It may stem from a counter update that is up to two and a half seconds and an interval old. */
const within = (traffic: Traffic, interval: number): [number, number] => traffic.bounds(now() - 2.5 - interval, now())

test.each([0.25, 1, 3])('watch reports the connections per second at an interval of %d s, also after zeroing', async (interval) => {
  const { service, traffic } = await busy()
  const seen: { rate: number, least: number, most: number }[] = []
  const looks = Math.ceil(9 / interval)
  try {
    for await (const { rates } of stage.ipvs.watch({ interval })) {
      const [least, most] = within(traffic, interval)
      for (const { perSecond } of rates) seen.push({ rate: perSecond.connections, least, most })
      if (seen.length === 2 * Math.ceil(looks / 2)) await stage.ipvs.zero(service)
      if (seen.length >= 2 * looks) break
    }
  } finally {
    await traffic.end()
  }
  // The first looks are left out. Until the service's first full period has ended, they show the kernel's average.
  const steady = seen.slice(2 * Math.ceil(4.5 / interval))
  expect(steady.length).toBeGreaterThan(0)
  expect(steady.filter(({ rate, least, most }) => rate < least || rate > most)).toEqual([])
  expect(Math.min(...steady.map(({ least }) => least))).toBeGreaterThan(0)
})

test('ipvs top shows the connections per second in twenty looks within five seconds, and never 0', async () => {
  const { service, traffic } = await busy()
  try {
    await until(() => Promise.resolve(traffic.made.at(-1)! - traffic.made[0]), (seconds) => seconds > 4.5)
    const begun = now()
    const text = await stage.workshop.director.namespace.must(process.execPath, [command, 'top', '--interval', '0.25', '--count', '20'])
    const [least, most] = traffic.bounds(begun - 4.5, now())
    const rates = text.split('\n').filter((line) => line.includes(`:${service.port} `)).map((line) => Number(/ rr +(\S+)/.exec(line)![1]))
    expect(rates).toHaveLength(20)
    expect(least).toBeGreaterThan(0)
    // The first looks show the kernel's average, which is not steady yet.
    expect(rates.slice(10).filter((rate) => rate < Math.floor(least) || rate > Math.ceil(most))).toEqual([])
    expect(rates).not.toContain(0)
  } finally {
    await traffic.end()
  }
})
