import { Ipvs } from 'ipvs'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { DirectorProcess } from '../support/director-process.js'
import { EtcdCluster } from '../support/etcd.js'
import { Gate } from '../support/gate.js'
import { Scene } from '../support/scene.js'
import { until } from '../support/until.js'
import { WebServers } from '../support/web-servers.js'

const A = '127.0.1.1'
const B = '127.0.1.2'

/** The tests' prefixes: votes of directors that were killed go on for some seconds. */
let number = 0
let prefix = ''

/**
 * A director in a namespace of its own, with servers of its own at the same addresses as everywhere: a server that is stopped in one
 * namespace is one that this director alone cannot reach.
 */
class Place {
  director!: DirectorProcess

  /** @param gate what can cut it off from etcd. No director has a way to another: the namespaces have no links. */
  private constructor(readonly id: string, readonly scene: Scene, readonly servers: WebServers, readonly gate: Gate) {}

  static async create(id: string): Promise<Place> {
    const scene = await Scene.create(Ipvs, id)
    const servers = new WebServers(scene.namespace)
    for (const address of [A, B]) await servers.serve(address, 8080, 'hello')
    return new Place(id, scene, servers, await Gate.before(cluster.members[0].url))
  }

  async start(...more: string[]): Promise<void> {
    const etcd = ['--etcd', this.gate.url, '--prefix', prefix, '--id', this.id]
    this.director = new DirectorProcess([...etcd, '--netns', this.scene.namespace.name, ...more])
    await this.director.logged(({ event }) => event === 'running')
  }

  /** Waits until ipvsadm sees these servers in its table. */
  async has(...expected: string[]): Promise<void> {
    await until(() => this.table(), (now) => now === expected.join(' '))
  }

  async table(): Promise<string> {
    const lines = await this.scene.ipvsadm.save()
    return lines.flatMap((line) => / -r (\S+):8080 /.exec(line)?.[1] ?? []).sort().join(' ')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.director[Symbol.asyncDispose]()
    await this.gate[Symbol.asyncDispose]()
    await this.servers[Symbol.asyncDispose]()
    await this.scene[Symbol.asyncDispose]()
  }
}

let cluster: EtcdCluster

/** What a director tells the others, as etcdctl sees it; '' while it tells nothing. */
const told = async (id: string): Promise<string> => (await cluster.ctl('get', `${prefix}/v1/health/${id}`, '--print-value-only')).trim()

const service = (ofDestinations: object = {}) => ({
  protocol: 'tcp', address: '192.0.2.1', port: 80, scheduler: 'mh',
  checks: [{ type: 'tcp', interval: 0.2, retryInterval: 0.1, failures: 2, timeout: 30 }],
  destinations: [A, B].map((address) => ({ address, port: 8080, forward: 'nat', ...ofDestinations })),
})

/** Three directors of one fleet, each of which has a vote. */
async function fleet(...more: string[]): Promise<Place[]> {
  prefix = `/fleet-${++number}`
  await cluster.put(`${prefix}/v1/services/web`, service())
  const places: Place[] = []
  for (const id of ['d1', 'd2', 'd3']) {
    const place = await Place.create(id)
    onTestFinished(() => place[Symbol.asyncDispose]())
    places.push(place)
    await place.start(...more)
  }
  for (const { id } of places) await until(() => told(id), (text) => text === '{"down":{}}')
  // Each has heard the two others.
  for (const { director } of places) {
    await until(() => Promise.resolve(director.log.filter(({ event }) => event === 'director-alive').length), (count) => count === 2)
  }
  return places
}

beforeAll(async () => {
  cluster = await EtcdCluster.start()
})
afterAll(() => cluster[Symbol.asyncDispose]())

describe('directors of a fleet agree on which servers are up', () => {
  test('a server goes where most see it down, and stays where one does; one that sees everything down empties nothing', async () => {
    const places = await fleet()
    const [first, second, third] = places

    await first.servers.stop(B, 8080)
    const outvoted = await first.director.logged(({ event }) => event === 'outvoted')
    expect(outvoted.message).toContain('1 of 3 directors sees it down')
    await until(() => told('d1'), (text) => text === '{"down":{"tcp 192.0.2.1 80":["127.0.1.2 8080"]}}')
    for (const place of places) await place.has(A, B)

    await second.servers.stop(B, 8080)
    for (const place of places) await place.has(A)
    const { message } = await third.director.logged(({ event }) => event === 'down')
    expect(message).toContain('2 of 3 directors see it down')

    await first.servers.serve(B, 8080, 'hello')
    for (const place of places) await place.has(A, B)
    await second.servers.serve(B, 8080, 'hello')
    await until(() => told('d2'), (text) => text === '{"down":{}}')

    // The first one loses its network.
    for (const address of [A, B]) await first.servers.stop(address, 8080)
    await until(() => told('d1'), (text) => text === '{"blind":true}')
    await second.servers.stop(B, 8080)
    // One of two that can see is a tie.
    await second.director.logged(({ event, up }) => event === 'outvoted' && up === false)
    for (const place of places) await place.has(A, B)
  })

  test('a director that dies has no vote any more when its lease ends; one that ends, at once', async () => {
    const places = await fleet()
    const [first, second, third] = places
    for (const { servers } of [first, second]) await servers.stop(B, 8080)
    for (const place of places) await place.has(A)

    expect(await first.director.end('SIGKILL')).toBe('SIGKILL')
    await third.director.logged(({ event, id }) => event === 'director-gone' && id === 'd1')
    // One of two is a tie.
    for (const place of [second, third]) await place.has(A, B)
    expect(await third.director.end()).toBe(0)
    expect(await told('d3')).toBe('')
    await second.has(A)
  })

  test('while etcd is away, each goes on with what was agreed and its own checks', async () => {
    const places = await fleet()
    const [first, , third] = places
    await first.servers.stop(B, 8080)
    await first.director.logged(({ event }) => event === 'outvoted')

    await cluster.members[0].kill()
    for (const { director } of places) await director.logged(({ event }) => event === 'others-away')
    expect(await first.table()).toBe(`${A} ${B}`)
    await third.servers.stop(A, 8080)
    await third.has(B)
    expect(await first.table()).toBe(`${A} ${B}`)

    cluster.members[0].start()
    await cluster.answers()
    // One of three sees A down, and one of three B.
    for (const place of places) await place.has(A, B)
  })

  test('two that are cut off from etcd follow their own checks, and the third one does not wait for them; all agree when they are back', async () => {
    const places = await fleet()
    const [first, second, third] = places
    for (const { gate } of [first, second]) gate.shut()
    for (const { director } of [first, second]) await director.logged(({ event }) => event === 'others-away')
    for (const id of ['d1', 'd2']) await third.director.logged((line) => line.event === 'director-gone' && line.id === id)

    for (const { servers } of [first, second]) await servers.stop(B, 8080)
    for (const place of [first, second]) await place.has(A)
    await third.servers.stop(A, 8080)
    // It is alone, and its own check counts.
    await third.has(B)

    for (const { gate } of [first, second]) gate.open()
    for (const { director } of [first, second]) await director.logged(({ event }) => event === 'others-back')
    // Two of three see B down, and one A.
    for (const place of places) await place.has(A)
  })

  test('directors that are cut off from each other, and not from etcd, keep equal tables', async () => {
    const places = await fleet()
    const [first, second] = places.map(({ scene }) => scene.namespace)
    await first.ip(`link add other type veth peer name other netns ${second.name}`, 'address add 10.99.0.1/24 dev other', 'link set other up')
    await second.ip('address add 10.99.0.2/24 dev other', 'link set other up')
    await places[0].servers.serve('10.99.0.1', 9090, 'hello')
    const reaches = async (): Promise<boolean> => (await second.run('bash', ['-c', 'exec 3<>/dev/tcp/10.99.0.1/9090'])).status === 0
    expect(await reaches()).toBe(true)
    for (const namespace of [first, second]) await namespace.ip('link set other down')
    expect(await reaches()).toBe(false)

    const all = async (...lines: string[]): Promise<void> => {
      for (const { scene } of places) await until(() => scene.ipvsadm.save(), (now) => now.join('\n') === lines.join('\n'))
    }
    const line = (address: string, weight: number): string => `-a -t 192.0.2.1:80 -r ${address}:8080 -m -w ${weight}`
    await cluster.put(`${prefix}/v1/services/web`, service({ weight: 3 }))
    await all('-A -t 192.0.2.1:80 -s mh', line(A, 3), line(B, 3))
    // What two of three see counts for the third one too, whichever of them see each other.
    for (const { servers } of places.slice(1)) await servers.stop(B, 8080)
    await all('-A -t 192.0.2.1:80 -s mh', line(A, 3))
    await places[1].servers.serve(B, 8080, 'hello')
    await all('-A -t 192.0.2.1:80 -s mh', line(A, 3), line(B, 3))
    for (const { director } of places) {
      expect(director.log.map(({ event }) => event).filter((event) => ['director-gone', 'others-away', 'etcd-away'].includes(event))).toEqual([])
    }
  })

  test('with --agree any, a server goes where one director sees it down', async () => {
    const places = await fleet('--agree', 'any')
    await places[0].servers.stop(B, 8080)
    for (const place of places) await place.has(A)
  })
})
