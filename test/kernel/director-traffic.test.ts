import { once } from 'node:events'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  Director,
  type Check,
  type DirectedDestination,
  type DirectorConfiguration,
  type DirectorOptions,
  type Drained,
} from 'ipvs/director'
import type { Backend } from '../../scripts/network/workshop.js'
import { PORT, Stage } from '../support/stage.js'
import { until } from '../support/until.js'

/**
 * Backends tell here whether they are well: they go on serving whatever they say, so that every connection that is lost is the director's
 * doing.
 */
const HEALTH = 81
const check: Check = { type: 'tcp', port: HEALTH, interval: 0.1, retryInterval: 0.05, warmup: 0, timeout: 30 }

let stage: Stage
let alpha: Backend
let beta: Backend
let gamma: Backend
beforeEach(async () => {
  stage = await Stage.create(['alpha', 'beta', 'gamma'])
  ;[alpha, beta, gamma] = stage.workshop.backends
  for (const backend of [alpha, beta]) await sayWell(backend)
})
afterEach(() => stage[Symbol.asyncDispose]())

const sayWell = ({ host, address }: Backend): Promise<void> => host.serve('tcp', address[4], HEALTH, 'well')
const sayIll = ({ host, address }: Backend): Promise<void> => host.stop('tcp', address[4], HEALTH)

/** The table as ipvsadm sees it: each backend with its weight. */
const weights = async (): Promise<string> => (await stage.ipvsadm.list())[0].destinations.map(({ entry, columns }) => `${entry.split(':')[0]}=${columns[1]}`).sort().join(' ')

const destination = ({ address }: Backend): DirectedDestination => ({ address: address[4], port: PORT, forward: 'nat' })

test('no connection is lost when the fallback comes and goes, when the configuration changes, and when the director does', async () => {
  const service = stage.fresh('tcp', 4)
  const configuration = (...backends: Backend[]): DirectorConfiguration => ({
    services: [
      {
        ...service,
        scheduler: 'rr',
        quorum: 2,
        whenDown: 'zero',
        checks: [check],
        fallback: destination(gamma),
        destinations: backends.map(destination),
      },
    ],
  })
  const options: Omit<DirectorOptions, 'configuration'> = { ipvs: stage.ipvs, drain: { until: 'established', interval: 0.1 } }
  const [a, b, c] = [alpha, beta, gamma].map(({ address }) => address[4])

  const answers: string[] = []
  let isOver = false
  const traffic = async (): Promise<void> => {
    while (!isOver) answers.push(...await stage.ask(service, 2))
  }
  /** Fulfilled when so many connections have been made since now. */
  const asked = async (count = 4): Promise<string[]> => {
    const from = answers.length + 2
    await Promise.race([running, until(() => Promise.resolve(answers.length), (length) => length >= from + count, 60)])
    return answers.slice(from)
  }

  const question = { transport: 'tcp', address: service.address, port: service.port } as const
  let first: Director | undefined = new Director({ ...options, configuration: configuration(alpha, beta) })
  await first.inForce()
  const held = [await stage.workshop.client.connect(question), await stage.workshop.client.connect(question)]
  const names = [...await held[0].say(), ...await held[1].say()]
  expect([...names].sort()).toEqual(['alpha', 'beta'])
  const running = traffic()
  // Everything that waits for traffic waits for its end too.
  running.catch(() => {})
  try {
    // Beta falls ill: the fallback serves, and alpha and beta keep what they have.
    await sayIll(beta)
    await until(weights, (now) => now === `${a}=0 ${b}=0 ${c}=1`)
    expect(new Set(await asked())).toEqual(new Set(['gamma']))
    for (const [number, name] of names.entries()) expect(await held[number].say()).toEqual([name])
    await sayWell(beta)
    await until(weights, (now) => now === `${a}=1 ${b}=1`)
    expect(new Set(await asked())).toEqual(new Set(['alpha', 'beta']))
    await held[names.indexOf('beta')].end()

    // Gamma takes beta's place.
    await sayWell(gamma)
    const without = configuration(alpha, gamma)
    delete without.services[0].fallback
    await first.set(without)
    await until(weights, (now) => now === `${a}=1 ${c}=1`)
    expect(new Set(await asked())).toEqual(new Set(['alpha', 'gamma']))

    // Another director takes over.
    await first.close()
    first = undefined
    await asked()
    await using second = new Director({ ...options, configuration: without })
    await second.inForce()
    expect(await weights()).toMatch(`${a}=1`)
    await asked()
    expect(await held[names.indexOf('alpha')].say()).toEqual(['alpha'])

    // Alpha leaves when its last conversation has ended.
    const drained = once(second, 'drained') as Promise<[Drained]>
    await second.set({ services: [{ ...service, scheduler: 'rr', checks: [check], destinations: [destination(gamma)] }] })
    await until(weights, (now) => now === `${a}=0 ${c}=1`)
    expect(await held[names.indexOf('alpha')].say()).toEqual(['alpha'])
    await held[names.indexOf('alpha')].end()
    expect((await drained)[0]).toMatchObject({ destination: { address: a }, connections: expect.any(Number) as number })
    expect(await weights()).toBe(`${c}=1`)
  } finally {
    isOver = true
    await first?.close()
    await running
  }
})

test('the packets of connections to a destination that is down and removed are lost until it returns, and the connections go on then', async () => {
  const service = stage.fresh('tcp', 4)
  await using director = new Director({
    ipvs: stage.ipvs,
    configuration: { services: [{ ...service, scheduler: 'rr', checks: [check], destinations: [destination(beta), destination(alpha)] }] },
  })
  await director.inForce()
  const question = { transport: 'tcp', address: service.address, port: service.port } as const
  const held = [await stage.workshop.client.connect(question), await stage.workshop.client.connect(question)]
  const names = [...await held[0].say(), ...await held[1].say()]
  await sayIll(beta)
  await until(weights, (now) => now === `${alpha.address[4]}=1`)
  let hasEnded = false
  const ended = held[names.indexOf('beta')].end().then(() => hasEnded = true)
  // Everybody else goes on.
  expect(await held[names.indexOf('alpha')].say(5)).toEqual(Array<string>(5).fill('alpha'))
  expect(new Set(await stage.ask(service, 5))).toEqual(new Set(['alpha']))
  expect(hasEnded).toBe(false)
  await sayWell(beta)
  await ended
  await held[names.indexOf('alpha')].end()
})

test('persistent clients have their server back when it returns, although the fallback could drain for longer', async () => {
  const service = stage.fresh('tcp', 4)
  await using director = new Director({
    ipvs: stage.ipvs,
    drain: { until: 'all', timeout: 300, interval: 0.1 },
    configuration: {
      services: [{
        ...service, scheduler: 'rr', persistence: { timeout: 120 }, checks: [check], fallback: destination(gamma), destinations: [destination(alpha)],
      }],
    },
  })
  await director.inForce()
  const serving = async (): Promise<string> => (await stage.ipvs.destinations(service)).map(({ address }) => address).join(' ')
  await sayIll(alpha)
  await until(serving, (now) => now === gamma.address[4])
  expect(await stage.ask(service, 2)).toEqual(['gamma', 'gamma'])
  await sayWell(alpha)
  await until(serving, (now) => now === alpha.address[4])
  expect(await stage.ask(service, 2)).toEqual(['alpha', 'alpha'])
})
