import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Ipvs, type IpvsSync, type ListedTableService, type Operation } from 'ipvs'
import { apis, Scene } from '../support/scene.js'

const service = (n: number) => ({ protocol: 'tcp', address: `10.20.${n >> 8}.${n & 255}`, port: 80 } as const)

let scene: Scene
beforeAll(async () => {
  scene = await Scene.create(Ipvs, 'snapshot')
})
beforeEach(() => scene.ipvs.flush())
afterAll(() => scene[Symbol.asyncDispose]())

const operations = (services: number, destinations: number): Operation[] => Array.from({ length: services }, (_, s): Operation[] => [
  { type: 'addService', service: { ...service(s), scheduler: 'rr' } },
  ...Array.from({ length: destinations }, (_, d): Operation => ({ type: 'addDestination', service: service(s), destination: { address: `10.30.${d >> 8}.${d & 255}`, port: 80, forward: 'nat', weight: s } })),
]).flat()

const byKey = (a: object, b: object): number => JSON.stringify(a) < JSON.stringify(b) ? -1 : 1

/** How many destinations each of these services gets: none, few, and more than fit the datagrams that short lists travel in. */
const counts = Array.from({ length: 150 }, (_, s) => s % 50 === 20 ? 300 : s % 7 === 0 ? 0 : s % 13)

describe.each(apis)('a snapshot with %s', (_, Api) => {
  let ipvs: Ipvs | IpvsSync
  beforeAll(async () => {
    ipvs = await Api.open({ netns: scene.namespace.name })
  })
  afterAll(() => ipvs.close())

  test('of an empty table', async () => {
    expect(await ipvs.snapshot()).toStrictEqual({ services: [], timeouts: { tcp: 900, tcpFin: 120, udp: 300 }, daemons: [] })
  })

  test('has what the single methods list', async () => {
    await scene.ipvsadm.restore([
      '-A -t 10.10.10.100:80 -s sh -b sh-port -p 60 -M 255.255.0.0',
      '-a -t 10.10.10.100:80 -r 10.10.10.2:80 -m -w 5 -x 20 -y 10',
      '-a -t 10.10.10.100:80 -r 10.10.10.3:80 -g',
      '-A -u [fd00::100]:53 -o',
      '-a -u [fd00::100]:53 -r [fd00::2]:53 -i --tun-type gue --tun-port 6080 --tun-csum',
      '-A -f 7',
      '-a -f 7 -r 10.10.10.2:0 -i --tun-type gre',
      '-A -f 7 -6',
      '-A --sctp-service 10.10.10.100:80',
      '--set 10 20 30',
      '--start-daemon master --mcast-interface lo --syncid 5',
    ])
    const snapshot = await ipvs.snapshot()
    const services: ListedTableService[] = []
    for (const one of await ipvs.services()) services.push({ ...one, destinations: await ipvs.destinations(one) })
    // The kernel moves services while their hash table grows, so two listings may differ in their order.
    snapshot.services.sort(byKey)
    expect(snapshot).toStrictEqual({ services: services.sort(byKey), timeouts: await ipvs.timeouts(), daemons: await ipvs.daemons() })
    expect(snapshot.services.map(({ destinations }) => destinations.length).sort()).toEqual([0, 0, 1, 1, 2])
    await scene.ipvsadm.run('--stop-daemon master', '--set 900 120 300')
  })

  test('of services with no, few and many destinations in any order', async () => {
    await ipvs.batch(counts.flatMap((count, s): Operation[] => [
      { type: 'addService', service: { ...service(s), scheduler: 'rr' } },
      ...Array.from({ length: count }, (_, d): Operation => ({ type: 'addDestination', service: service(s), destination: { address: `10.30.${d >> 8}.${d & 255}`, port: 80, forward: 'nat' } })),
    ]))
    for (let again = 0; again < 3; again++) {
      const snapshot = await ipvs.snapshot()
      const listed = new Map(
        snapshot.services.map((one) => ['address' in one ? one.address : '', one.destinations.map(({ address }) => address)]),
      )
      expect(listed.size).toBe(counts.length)
      counts.forEach((count, s) => expect(new Set(listed.get(service(s).address)).size).toBe(count))
      expect([...listed.values()].flat().length).toBe(counts.reduce((sum, count) => sum + count))
    }
  })

  test.each([[1000, 10], [1, 5000], [2000, 0]])('of %i services with %i destinations each', async (services, destinations) => {
    await ipvs.batch(operations(services, destinations))
    const snapshot = await ipvs.snapshot()
    expect(snapshot.services).toHaveLength(services)
    for (const one of snapshot.services) {
      const [, , high, low] = 'address' in one ? one.address.split('.').map(Number) : []
      expect(new Set(one.destinations.map(({ address }) => address)).size).toBe(destinations)
      expect(one.destinations.every(({ weight }) => weight === (high << 8 | low))).toBe(true)
    }
  })
})

test('of a table that ipvsadm edits meanwhile lists what stays, and skips no more entries than were removed', async () => {
  await scene.ipvs.batch(operations(500, 10))
  const other = (n: number): string => `10.40.${n >> 8}.${n & 255}:80`
  const edits = [
    ...Array.from({ length: 300 }, (_, n) => [`-A -t ${other(n)} -s rr`, `-a -t ${other(n)} -r 10.50.0.1:80 -m`]).flat(),
    ...Array.from({ length: 300 }, (_, n) => `-D -t ${other(n)}`),
  ]
  let editing = true
  const edited = scene.ipvsadm.restore(edits).finally(() => {
    editing = false
  })
  const stays = Array.from({ length: 500 }, (_, n) => service(n).address)
  do {
    const { services } = await scene.ipvs.snapshot()
    const found = new Map(services.map(one => ['address' in one ? one.address : '', one]))
    // The kernel continues a dump by position, so each removal before that position makes it skip one service.
    expect(stays.filter((address) => found.has(address)).length).toBeGreaterThanOrEqual(stays.length - 300)
    for (const [address, { destinations }] of found) {
      if (address.startsWith('10.20.')) expect(destinations).toHaveLength(10)
      else expect(destinations.length).toBeLessThanOrEqual(1)
    }
  } while (editing)
  await edited
  const { services } = await scene.ipvs.snapshot()
  expect(services.map((one) => 'address' in one && one.address).sort()).toEqual(stays.sort())
  expect(services.map(({ destinations }) => destinations.length)).toEqual(stays.map(() => 10))
})

test('lists no destination twice while others come and go', async () => {
  const destination = (d: number) => ({ address: `10.30.${d >> 8}.${d & 255}`, port: 80, forward: 'nat' } as const)
  const [web] = [service(1)]
  await scene.ipvs.batch([
    { type: 'addService', service: web },
    ...Array.from({ length: 3000 }, (_, d): Operation => ({ type: 'addDestination', service: web, destination: destination(d) })),
  ])
  const editor = await Ipvs.open({ netns: scene.namespace.name })
  let over = false
  function* edits(): Generator<Operation> {
    for (let n = 0; !over; n++) {
      const one = destination(5000 + n % 50)
      yield n % 100 < 50
        ? { type: 'addDestination', service: web, destination: one }
        : { type: 'removeDestination', service: web, destination: one }
    }
  }
  const editing = editor.batch(edits())
  const ipvs = await Ipvs.open({ netns: scene.namespace.name })
  for (let look = 0; look < 15; look++) {
    const [{ services: [{ destinations }] }, list] = [await ipvs.snapshot(), await ipvs.destinations(web)]
    for (const listed of [destinations, list]) {
      expect(listed.length).toBeGreaterThan(0)
      expect(new Set(listed.map(({ address }) => address)).size).toBe(listed.length)
    }
  }
  over = true
  await editing
  await editor.close()
  await ipvs.close()
})

test('of a large table does not hold the event loop', async () => {
  await scene.ipvs.batch(operations(1000, 20))
  let turns = 0
  let reading = true
  const count = (): void => {
    ++turns
    if (reading) setImmediate(count)
  }
  setImmediate(count)
  const { services } = await scene.ipvs.snapshot()
  reading = false
  expect(services).toHaveLength(1000)
  expect(turns).toBeGreaterThan(10)
})
