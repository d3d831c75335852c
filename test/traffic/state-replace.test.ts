import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { AddressServiceKey, DesiredService } from 'ipvs'
import { PORT, Stage, tally } from '../support/stage.js'
import { until } from '../support/until.js'

/**
 * Connections that are opened one after the other while repeated applies replace every backend. IPVS_CONNECTIONS=5000 takes about a minute.
 */
const CONNECTIONS = Number(process.env.IPVS_CONNECTIONS ?? 500)

let stage: Stage
beforeAll(async () => {
  stage = await Stage.create(['alpha', 'beta', 'gamma', 'delta'])
})
afterAll(() => stage[Symbol.asyncDispose]())

const blue = ['alpha', 'beta']
const green = ['gamma', 'delta']

const desired = (service: AddressServiceKey, names: readonly string[]): DesiredService => ({
  ...service,
  scheduler: 'rr',
  destinations: stage.workshop.backends.filter(({ name }) => names.includes(name)).map(
    ({ address }) => ({ address: address[4], port: PORT, forward: 'nat' as const }),
  ),
})

const drain = { prune: 'owned', drain: { until: 'established', interval: 0.02, timeout: 60 } } as const

describe('under steady traffic through NAT', () => {
  test('applies that replace every backend refuse no new connection and lose no established one', async () => {
    const service = stage.fresh('tcp', 4)
    const { client } = stage.workshop
    const question = { transport: 'tcp', address: service.address, port: service.port } as const
    const options = { ...drain, owns: { port: service.port } }
    await stage.ipvs.apply([desired(service, blue)], options)
    const held = [await client.connect(question), await client.connect(question)]
    const holders = [...await held[0].say(), ...await held[1].say()]
    expect(new Set(holders)).toEqual(new Set(blue))

    let serving = true
    const asked = stage.ask(service, CONNECTIONS).finally(() => {
      serving = false
    })
    // Prevents an unhandled rejection if another expectation fails before this is awaited.
    asked.catch(() => {})
    let replacements = 0
    while (serving) {
      const next = replacements++ % 2 === 0 ? green : blue
      const abort = new AbortController()
      // Stops waiting when only destinations with connections are left.
      const onProgress = ({ phase, draining }: { phase: string, draining: readonly { activeConnections: number }[] }): void => {
        if (phase === 'draining' && draining.every(({ activeConnections }) => activeConnections > 0)) abort.abort()
      }
      await stage.ipvs.apply(
        [desired(service, next)], { ...options, signal: abort.signal, onProgress },
      ).catch((error: unknown) => expect(error).toMatchObject({ name: 'AbortError' }))
      // Other connections take turns in the same round robin, so not every backend need be seen.
      expect(next).toEqual(expect.arrayContaining(await stage.ask(service, 4)))
      expect([...await held[0].say(), ...await held[1].say()]).toEqual(holders)
    }
    const answers = await asked
    expect(answers).toHaveLength(CONNECTIONS)
    expect(new Set(answers)).toEqual(new Set([...blue, ...green]))
    expect(replacements).toBeGreaterThan(2)

    for (const conversation of held) await conversation.end()
    const result = await stage.ipvs.apply([desired(service, green)], options)
    expect(result.draining).toEqual([])
    expect((await stage.ipvs.destinations(service)).map(({ address }) => address).sort()).toEqual(
      stage.workshop.backends.filter(({ name }) => green.includes(name)).map(({ address }) => address[4]).sort(),
    )
  })

  test('a destination stays at weight 0 for as long as a connection of it is used, and goes when it ends', async () => {
    const service = stage.fresh('tcp', 4)
    const options = { ...drain, owns: { port: service.port } }
    await stage.ipvs.apply([desired(service, ['alpha'])], options)
    const held = await stage.workshop.client.connect({ transport: 'tcp', address: service.address, port: service.port })
    expect(await held.say()).toEqual(['alpha'])
    let waiting!: () => void
    const draining = new Promise<void>((resolve) => {
      waiting = resolve
    })
    const applied = stage.ipvs.apply(
      [desired(service, ['beta'])], { ...options, onProgress: ({ phase }) => phase === 'draining' && waiting() },
    )
    await draining
    expect(await held.say(3)).toEqual(['alpha', 'alpha', 'alpha'])
    expect(tally(await stage.ask(service, 4))).toEqual({ beta: 4 })
    expect(await stage.destination(service, stage.workshop.backends[0])).toMatchObject({ weight: 0, activeConnections: 1 })
    await held.end()
    expect(await applied).toMatchObject({ refused: [], draining: [] })
    expect(await stage.ipvs.destinations(service)).toHaveLength(1)
  })

  test('a reconciler repairs what others break, and drains without being told', async () => {
    const service = stage.fresh('tcp', 4)
    await using reconciler = stage.ipvs.reconcile(
      [desired(service, blue)], { ...drain, owns: { port: service.port }, interval: 0.05, coalesce: 0.005 },
    )
    const addresses = async (): Promise<string[]> =>
      (await stage.ipvs.snapshot()).services.filter((entry) => 'port' in entry && entry.port === service.port).flatMap(
        ({ destinations }) => destinations.map(({ address }) => address),
      )
    await until(addresses, (list) => list.length === 2)
    await stage.ipvsadm.run(`-D -t ${service.address}:${service.port}`)
    await until(addresses, (list) => list.length === 2)
    const held = await stage.workshop.client.connect({ transport: 'tcp', address: service.address, port: service.port })
    const [holder] = await held.say()
    void reconciler.set([desired(service, green)])
    await until(addresses, (list) => list.length === 3)
    expect(await held.say()).toEqual([holder])
    expect((await stage.ask(service, 4)).every((name) => green.includes(name))).toBe(true)
    await held.end()
    await until(addresses, (list) => list.length === 2)
  })
})

describe('if answers bypass the director, with the kernel\'s defaults', () => {
  beforeAll(() => stage.workshop.openTunnels())

  /** How often the client sent a SYN again, because nobody answered. */
  const repeatedSyns = async (): Promise<number> => {
    const [names, values] = (await stage.workshop.client.read('/proc/net/netstat')).split('\n').filter(
      (line) => line.startsWith('TcpExt:'),
    ).map((line) => line.split(' '))
    return Number(values[names.indexOf('TCPSynRetrans')])
  }

  test.each(['dr', 'tun'] as const)('through %s, until \'established\' drops a client that comes again from the same source port, as the plan warns; expire_nodest_conn=1 lets it in', async (forward) => {
    const service = stage.fresh('tcp', 4)
    const { client } = stage.workshop
    // The client keeps no closed connections, so that it can use the port again.
    await client.sysctl({ 'net/ipv4/tcp_max_tw_buckets': 0 })
    const through = (names: readonly string[]): DesiredService => {
      const { destinations, ...rest } = desired(service, names)
      return { ...rest, destinations: destinations!.map((destination) => ({ ...destination, port: service.port, forward })) }
    }
    for (const { host, name } of stage.workshop.backends) await host.serve('tcp', service.address, service.port, name)
    const options = { ...drain, owns: { port: service.port } }
    await stage.ipvs.apply([through(['alpha'])], options)
    const question = { transport: 'tcp', address: service.address, port: service.port, fromPort: 7000 } as const
    expect(await client.ask(question)).toEqual(['alpha'])
    const { plan: { warnings }, draining } = await stage.ipvs.apply([through(['beta'])], options)
    expect(draining).toEqual([])
    expect(warnings).toContainEqual(
      expect.objectContaining({ code: 'sysctl', message: expect.stringContaining('same source port') as unknown }),
    )

    const before = await repeatedSyns()
    const again = client.ask(question)
    await until(repeatedSyns, (count) => count > before)
    await stage.ipvs.sysctl.set('expire_nodest_conn', 1)
    expect(await again).toEqual(['beta'])
    await stage.ipvs.sysctl.set('expire_nodest_conn', 0)
  })
})

test('watch counts connections as they are made', async () => {
  const service = stage.fresh('tcp', 4)
  await stage.ipvs.apply([desired(service, blue)])
  const abort = new AbortController()
  let counted = 0n
  let asked: Promise<unknown> | undefined
  for await (const { rates } of stage.ipvs.watch({ interval: 0.05, initial: true, signal: abort.signal })) {
    asked ??= stage.ask(service, 20)
    for (const { service: key, destination, difference, perSecond } of rates) {
      if (!('port' in key) || key.port !== service.port || destination === undefined) continue
      counted += difference.connections
      expect(perSecond.connections).toBeGreaterThanOrEqual(0)
    }
    if (counted >= 20n) abort.abort()
  }
  await asked
  expect(counted).toBe(20n)
})
