import { Ipvs } from 'ipvs'
import { expect, onTestFinished, test } from 'vitest'
import { EtcdClient } from '../../lib/sources/etcd/client.js'
import { decoded, encoded } from '../../lib/sources/etcd/keys.js'
import { etcdSettings } from '../../lib/sources/etcd/options.js'
import { DirectorProcess } from '../support/director-process.js'
import { EtcdCluster, type Member } from '../support/etcd.js'
import { Scene } from '../support/scene.js'
import { until } from '../support/until.js'
import { Random } from './rules-random.js'

/** How many changes, and which. FLEET_CHANGES=1000 for a long look, FLEET_SEED for others. */
const changes = Number(process.env.FLEET_CHANGES ?? 60)
const seed = Number(process.env.FLEET_SEED ?? 1)

const PREFIX = '/random'
const BELOW = `${PREFIX}/v1/services/`
const SERVICES = 12
const POOL = 8
/** How many times everything is brought back and compared. */
const LOOKS = 4
/** How often somebody is killed, stopped or started, for each change: while etcd has a majority, and while it has none. */
const [EVENTS, EVENTS_WITHOUT] = [0.15, 0.5]

interface Destination { address: string, port: number, forward: 'nat', weight: number }
interface Service { protocol: 'tcp', address: string, port: number, scheduler: string, destinations?: Destination[] }
type Request = { request_put: { key: string, value: string } } | { request_delete_range: { key: string, range_end?: string } }

const put = (name: string, value: unknown): Request =>
  ({ request_put: { key: encoded(BELOW + name), value: encoded(typeof value === 'string' ? value : JSON.stringify(value)) } })
const remove = (name: string): Request => ({ request_delete_range: { key: encoded(BELOW + name) } })
/** '0' comes after the slash. */
const removeAll = (name: string): Request[] =>
  [remove(name), { request_delete_range: { key: encoded(`${BELOW}${name}/`), range_end: encoded(`${BELOW}${name}0`) } }]

const destination = (random: Random, address: string): Destination => ({ address, port: 80, forward: 'nat', weight: random.integer(0, 3) })

/** What somebody writes in one transaction, each key once. */
function randomChange(random: Random): Request[] {
  const number = random.integer(1, SERVICES)
  const name = `s${number}`
  const registered = random.integer(1, 3)
  const dice = random.next()
  if (dice < 0.45) {
    const pool = Array.from({ length: POOL }, (_, index) => `10.0.0.${index + 1}`).filter(() => random.chance(0.4))
    if (random.chance(0.3)) pool.reverse()
    const destinations = pool.map((address) => destination(random, address))
    return [put(name, { protocol: 'tcp', address: `192.0.2.${number}`, port: 80, scheduler: random.pick(['mh', 'sh', 'rr', 'wlc']), destinations })]
  }
  if (dice < 0.65) return [put(`${name}/destinations/r${registered}`, destination(random, `10.1.0.${registered}`))]
  if (dice < 0.75) return [remove(`${name}/destinations/r${registered}`)]
  if (dice < 0.85) return [remove(name)]
  if (dice < 0.9) return removeAll(name)
  // What never was good stands for nothing.
  if (dice < 0.95) return [put(`bad${number}`, random.pick(['', '{', '[]', '{"protocol":"tcp","address":"192.0.2.250","port":80000}']))]
  return Array.from({ length: SERVICES }, (_, index) => index + 1).filter(() => random.chance(0.4)).map((one) =>
    put(`s${one}`, { protocol: 'tcp', address: `192.0.2.${one}`, port: 80, scheduler: 'mh', destinations: [destination(random, '10.0.0.1')] }))
}

/** What the kernel should have, by what etcdctl says, worked out by hand. */
async function wanted(cluster: EtcdCluster): Promise<string> {
  const { kvs = [] } = JSON.parse(await cluster.ctl('get', BELOW, '--prefix', '-w', 'json')) as { kvs?: { key: string, value?: string }[] }
  const values = new Map(kvs.map(({ key, value = '' }) => [decoded(key).slice(BELOW.length), decoded(value)]))
  const lines: string[] = []
  for (const [name, text] of values) {
    if (!/^s\d+$/.test(name)) continue
    const { address, scheduler, destinations = [] } = JSON.parse(text) as Service
    const own = [...values].filter(([other]) => other.startsWith(`${name}/`)).map(([, other]) => JSON.parse(other) as Destination)
    lines.push(`-A -t ${address}:80 -s ${scheduler}`)
    for (const one of [...destinations, ...own]) lines.push(`-a -t ${address}:80 -r ${one.address}:80 -m -w ${one.weight}`)
  }
  return lines.sort().join('\n')
}

/** A director with its table, which may be killed and started again. */
class Place {
  director: DirectorProcess | undefined
  isFrozen = false

  private constructor(readonly id: string, readonly scene: Scene) {}

  static async create(id: string): Promise<Place> {
    return new Place(id, await Scene.create(Ipvs, id))
  }

  start(cluster: EtcdCluster): void {
    const etcd = ['--etcd', cluster.endpoints.join(','), '--prefix', PREFIX, '--id', this.id]
    this.director = new DirectorProcess([...etcd, '--netns', this.scene.namespace.name, '--drain', '0'])
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    await this.director!.end(signal)
    this.director = undefined
  }

  turn(isFrozen: boolean): void {
    this.isFrozen = isFrozen
    this.director!.signal(isFrozen ? 'SIGSTOP' : 'SIGCONT')
  }

  async table(): Promise<string> {
    return (await this.scene.ipvsadm.save()).sort().join('\n')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.director?.[Symbol.asyncDispose]()
    await this.scene[Symbol.asyncDispose]()
  }
}

/** Who is killed next, or stands still, or comes back. */
async function happen(random: Random, cluster: EtcdCluster, places: readonly Place[]): Promise<string> {
  if (random.chance(0.5)) {
    const member: Member = random.pick(cluster.members)
    if (member.answers && random.chance(0.4)) {
      member.freeze()
      return `${member.name} stands still`
    }
    if (member.answers) {
      await member.kill()
      return `${member.name} is killed`
    }
    if (member.runs) member.thaw()
    else member.start()
    return `${member.name} is back`
  }
  const place = random.pick(places)
  const { id } = place
  if (place.director === undefined) {
    place.start(cluster)
    return `${id} is started`
  }
  if (place.isFrozen) {
    place.turn(false)
    return `${id} goes on`
  }
  const dice = random.next()
  if (dice < 0.3) {
    place.turn(true)
    return `${id} stands still`
  }
  const signal = dice < 0.8 ? 'SIGKILL' : 'SIGTERM'
  await place.end(signal)
  return `${id} has got ${signal}`
}

/** Everybody who is away comes back. */
async function comeBack(cluster: EtcdCluster, places: readonly Place[]): Promise<void> {
  for (const member of cluster.members) {
    if (!member.runs) member.start()
    else if (!member.answers) member.thaw()
  }
  for (const place of places) {
    if (place.director === undefined) place.start(cluster)
    else if (place.isFrozen) place.turn(false)
  }
  await cluster.answers()
}

const secondsSince = (moment: number): string => ((performance.now() - moment) / 1_000).toFixed(2)

/** Waits until all tables are as the prefix says, and returns how long that took since a moment for each, in seconds. */
async function equal(places: readonly Place[], expected: string, since: number): Promise<string> {
  const took = await Promise.all(places.map(async (place) => {
    await until(() => place.table(), (now) => now === expected)
    return secondsSince(since)
  }))
  return took.join(', ')
}

test(`after ${changes} random changes, while directors and members of etcd are killed at moments from seed ${seed}, all tables are what the prefix says`, async () => {
  const random = new Random(seed)
  const cluster = await EtcdCluster.start({ members: 3 })
  onTestFinished(() => cluster[Symbol.asyncDispose]())
  const places: Place[] = []
  for (const id of ['d1', 'd2', 'd3']) {
    const place = await Place.create(id)
    onTestFinished(() => place[Symbol.asyncDispose]())
    places.push(place)
    place.start(cluster)
  }
  const client = new EtcdClient(etcdSettings({ endpoints: cluster.endpoints, timeout: 0.5 }, 'the options'))
  onTestFinished(() => client.close())
  // Etcd without a majority takes nothing. What it has taken all the same, the prefix says.
  let refused = 0
  const write = async (): Promise<void> => {
    await client.call('kv/txn', { success: randomChange(random) }).catch(() => refused++)
  }
  const story: string[] = []
  const compare = async (): Promise<void> => {
    await comeBack(cluster, places)
    const expected = await wanted(cluster)
    try {
      await equal(places, expected, 0)
    } catch (error) {
      throw new Error(`${(error as Error).message}\nexpected:\n${expected}\nbefore that: ${story.join(', ')}`, { cause: error })
    }
    story.length = 0
  }

  const events = { members: 0, directors: 0 }
  for (let done = 1; done <= changes; done++) {
    await write()
    const hasMajority = cluster.members.filter(({ answers }) => answers).length > 1
    if (random.chance(hasMajority ? EVENTS : EVENTS_WITHOUT)) {
      const what = await happen(random, cluster, places)
      events[what.startsWith('m') ? 'members' : 'directors']++
      story.push(`${done}: ${what}`)
    }
    if (done % Math.ceil(changes / LOOKS) === 0) await compare()
  }
  await compare()

  // Nobody was killed for a while: how long the last change takes.
  await client.call('kv/txn', { success: [put('s1', { protocol: 'tcp', address: '192.0.2.1', port: 80, scheduler: 'mh', destinations: [destination(random, '10.0.0.9')] })] })
  const accepted = performance.now()
  const calm = await equal(places, await wanted(cluster), accepted)

  // The leader and a director are killed, and changes go on.
  const leader = await cluster.leader()
  await leader.kill()
  await places[0].end('SIGKILL')
  const killed = performance.now()
  places[0].start(cluster)
  await cluster.answers()
  const answered = secondsSince(killed)
  await client.call('kv/txn', { success: [put('s2', { protocol: 'tcp', address: '192.0.2.2', port: 80, scheduler: 'mh', destinations: [destination(random, '10.0.0.9')] })] })
  const taken = secondsSince(killed)
  const expected = await wanted(cluster)
  expect(expected).toContain('192.0.2.2:80 -r 10.0.0.9:80')
  const after = await equal(places, expected, killed)
  console.log(`${events.members} members and ${events.directors} directors were killed, stopped or brought back; ${refused} of ${changes} changes were refused; `
    + `tables equal ${calm} s after the last change; after a leader and ${places[0].id} were killed, etcd answered in ${answered} s, `
    + `took a change in ${taken} s, and tables were equal in ${after} s`)
}, 3_600_000)
