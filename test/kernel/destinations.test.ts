import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Destination, Ipvs, IpvsSync, ListedDestination, ServiceKey } from 'ipvs'
import { refusal } from '../support/errors.js'
import { apis, Scene, uncounted } from '../support/scene.js'

const web = { protocol: 'tcp', address: '10.10.10.100', port: 80 } as const
const web6 = { protocol: 'tcp', address: 'fd00::100', port: 80 } as const
const marked = { fwmark: 7, family: 4 } as const
const marked6 = { fwmark: 7, family: 6 } as const

const services: [ServiceKey, string][] = [[web, '-t 10.10.10.100:80'], [web6, '-t [fd00::100]:80'], [marked, '-f 7'], [marked6, '-f 7 -6']]
const spelled = new Map(services)

const plain = { forward: 'nat', weight: 1, upperThreshold: 0, lowerThreshold: 0, tunnel: null } as const
const near = { ...plain, address: '10.10.10.2', port: 80 } as const
const near6 = { ...plain, address: 'fd00::2', port: 80 } as const
const ipip = { type: 'ipip', checksum: 'none' } as const

interface Spelling {
  service: ServiceKey
  destination: Destination
  /** The line of `ipvsadm -Sn`. */
  ipvsadm: string
  /** Thresholds, which ipvsadm can set and list, but not save. */
  thresholds?: [upper: number, lower: number]
}

/** Destinations as this package and as ipvsadm write them. */
const spellings: Spelling[] = [
  { service: web, destination: near, ipvsadm: '-r 10.10.10.2:80 -m -w 1' },
  { service: web, destination: { ...near, port: 8080 }, ipvsadm: '-r 10.10.10.2:8080 -m -w 1' },
  { service: web, destination: { ...near, port: 0 }, ipvsadm: '-r 10.10.10.2:0 -m -w 1' },
  { service: web, destination: { ...near, forward: 'dr' }, ipvsadm: '-r 10.10.10.2:80 -g -w 1' },
  { service: web, destination: { ...near, forward: 'tun', tunnel: ipip }, ipvsadm: '-r 10.10.10.2:80 -i -w 1 --tun-type ipip' },
  {
    service: web,
    destination: { ...near, forward: 'tun', tunnel: { type: 'gue', port: 6080, checksum: 'none' } },
    ipvsadm: '-r 10.10.10.2:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum',
  },
  {
    service: web,
    destination: { ...near, forward: 'tun', tunnel: { type: 'gue', port: 65535, checksum: 'csum' } },
    ipvsadm: '-r 10.10.10.2:80 -i -w 1 --tun-type gue --tun-port 65535 --tun-csum',
  },
  {
    service: web,
    destination: { ...near, forward: 'tun', tunnel: { type: 'gue', port: 1, checksum: 'remcsum' } },
    ipvsadm: '-r 10.10.10.2:80 -i -w 1 --tun-type gue --tun-port 1 --tun-remcsum',
  },
  {
    service: web,
    destination: { ...near, forward: 'tun', tunnel: { type: 'gre', checksum: 'none' } },
    ipvsadm: '-r 10.10.10.2:80 -i -w 1 --tun-type gre --tun-nocsum',
  },
  {
    service: web,
    destination: { ...near, forward: 'tun', tunnel: { type: 'gre', checksum: 'csum' } },
    ipvsadm: '-r 10.10.10.2:80 -i -w 1 --tun-type gre --tun-csum',
  },
  { service: web, destination: { ...near, weight: 0 }, ipvsadm: '-r 10.10.10.2:80 -m -w 0' },
  { service: web, destination: { ...near, weight: 65535 }, ipvsadm: '-r 10.10.10.2:80 -m -w 65535' },
  {
    service: web,
    destination: { ...near, upperThreshold: 100, lowerThreshold: 10 },
    ipvsadm: '-r 10.10.10.2:80 -m -w 1',
    thresholds: [100, 10],
  },
  {
    service: web,
    destination: { ...near, upperThreshold: 2147483647, lowerThreshold: 2147483647 },
    ipvsadm: '-r 10.10.10.2:80 -m -w 1',
    thresholds: [2147483647, 2147483647],
  },
  { service: web, destination: { ...near, upperThreshold: 1, lowerThreshold: 0 }, ipvsadm: '-r 10.10.10.2:80 -m -w 1', thresholds: [1, 0] },
  { service: web, destination: { ...near6, forward: 'tun', tunnel: ipip }, ipvsadm: '-r [fd00::2]:80 -i -w 1 --tun-type ipip' },
  {
    service: web,
    destination: { ...near6, forward: 'tun', tunnel: { type: 'gue', port: 6080, checksum: 'none' } },
    ipvsadm: '-r [fd00::2]:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum',
  },
  { service: web6, destination: near6, ipvsadm: '-r [fd00::2]:80 -m -w 1' },
  { service: web6, destination: { ...near6, port: 8080, weight: 3 }, ipvsadm: '-r [fd00::2]:8080 -m -w 3' },
  { service: web6, destination: { ...near6, forward: 'dr' }, ipvsadm: '-r [fd00::2]:80 -g -w 1' },
  { service: web6, destination: { ...near6, forward: 'tun', tunnel: ipip }, ipvsadm: '-r [fd00::2]:80 -i -w 1 --tun-type ipip' },
  { service: web6, destination: { ...near, forward: 'tun', tunnel: ipip }, ipvsadm: '-r 10.10.10.2:80 -i -w 1 --tun-type ipip' },
  { service: marked, destination: { ...near, port: 0 }, ipvsadm: '-r 10.10.10.2:0 -m -w 1' },
  { service: marked, destination: { ...near, port: 8080, forward: 'dr' }, ipvsadm: '-r 10.10.10.2:8080 -g -w 1' },
  { service: marked6, destination: { ...near6, port: 0, forward: 'dr' }, ipvsadm: '-r [fd00::2]:0 -g -w 1' },
  { service: marked6, destination: { ...near6, port: 0, forward: 'tun', tunnel: ipip }, ipvsadm: '-r [fd00::2]:0 -i -w 1 --tun-type ipip' },
]

/** Each with an address of its own, so that one table holds them all. */
const all = spellings.map(({ service, destination, ipvsadm, thresholds }, n): Required<Spelling> => {
  const numbered = (text: string): string => text.replace(/10\.10\.10\.2(?!\d)/, `10.10.11.${n}`).replace(/fd00::2(?!\w)/, `fd00::2:${n.toString(16)}`)
  return {
    service,
    destination: { ...destination, address: numbered(destination.address) },
    ipvsadm: numbered(ipvsadm),
    thresholds: thresholds ?? [0, 0],
  }
})
const lines = all.map(({ service, ipvsadm }) => `-a ${spelled.get(service)} ${ipvsadm}`).sort()
/** As ipvsadm lists it: '10.10.11.0:80'. */
const entry = ({ address, port }: Destination): string => `${address.includes(':') ? `[${address}]` : address}:${port}`
const thresholds = Object.fromEntries(all.map(({ destination, thresholds }) => [entry(destination), thresholds]))

/** What the kernel adds to a destination without traffic. */
const idle = { activeConnections: 0, inactiveConnections: 0, persistentConnections: 0, ...uncounted }

describe.each(apis)('destinations with %s', (label, Api) => {
  let scene: Scene<Ipvs | IpvsSync>
  beforeAll(async () => {
    scene = await Scene.create<Ipvs | IpvsSync>(Api, label)
  })
  beforeEach(async () => {
    await scene.ipvs.flush()
    for (const [service] of services) await scene.ipvs.addService(service)
  })
  afterAll(() => scene[Symbol.asyncDispose]())

  const saved = async (): Promise<string[]> => (await scene.ipvsadm.save()).filter(line => line.startsWith('-a'))

  test('a service without destinations lists none', async () => {
    for (const [service] of services) expect(await scene.ipvs.destinations(service)).toStrictEqual([])
  })

  /** Each spelling's destination as it is listed, in the spellings' order. */
  const listed = async (): Promise<(ListedDestination | undefined)[]> => {
    const found = new Map<ServiceKey, ListedDestination[]>()
    for (const [service] of services) found.set(service, await scene.ipvs.destinations(service))
    return all.map(({ service, destination }) =>
      found.get(service)!.find(({ address, port }) => address === destination.address && port === destination.port),
    )
  }

  test('ipvsadm reads every destination that was added, and removed', async () => {
    for (const { service, destination } of all) await scene.ipvs.addDestination(service, destination)
    expect((await saved()).sort()).toEqual(lines)
    expect(await scene.ipvsadm.thresholds()).toEqual(thresholds)
    for (const { service, destination: { address, port } } of all) await scene.ipvs.removeDestination(service, { address, port })
    expect(await saved()).toEqual([])
  })

  test('every destination that ipvsadm added is listed', async () => {
    await scene.ipvsadm.restore(all.map(({ service, ipvsadm, thresholds: [upper, lower] }) => `-a ${spelled.get(service)} ${ipvsadm} -x ${upper} -y ${lower}`))
    expect(await listed()).toStrictEqual(all.map(({ destination }) => ({ ...destination, ...idle })))
  })

  test('ipvsadm reads every destination that was updated', async () => {
    for (const { service, destination } of all) {
      const { address, port } = destination
      // The destination first has a tunnel, which the update must remove, if its port or a firewall mark allows one.
      const tunnelled = 'fwmark' in service || port === service.port
      await scene.ipvs.addDestination(service, {
        address, port, weight: 9, upperThreshold: 9, lowerThreshold: 8,
        ...(tunnelled ? { forward: 'tun', tunnel: { type: 'gue', port: 9, checksum: 'csum' } } : { forward: 'nat' }),
      })
      await scene.ipvs.updateDestination(service, destination)
    }
    expect((await saved()).sort()).toEqual(lines)
    expect(await scene.ipvsadm.thresholds()).toEqual(thresholds)
  })

  test('every destination that ipvsadm changed is listed as it is now', async () => {
    await scene.ipvsadm.restore([
      ...all.map(({ service, destination }) => `-a ${spelled.get(service)} -r ${entry(destination)} ${destination.forward === 'tun' ? '-i' : '-m'} -w 9 -x 9 -y 8`),
      ...all.map(({ service, ipvsadm, thresholds: [upper, lower] }) => `-e ${spelled.get(service)} ${ipvsadm} -x ${upper} -y ${lower}`),
    ])
    expect(await listed()).toStrictEqual(all.map(({ destination }) => ({ ...destination, ...idle })))
  })

  // ipvsadm has no option for these two methods, and no name for the second. In place of the name its C library prints this.
  test.each<[string, ServiceKey, Destination]>([
    ['Local', web, { ...near, address: '127.0.0.1', forward: 'local' }],
    ['(null)', web, { ...near, forward: 'bypass' }],
    ['Local', web6, { ...near6, address: '::1', forward: 'local' }],
    ['(null)', web6, { ...near6, forward: 'bypass' }],
  ])('methods that ipvsadm cannot set: it shows %s', async (name, service, destination) => {
    await scene.ipvs.addDestination(service, destination)
    expect(await scene.ipvs.destinations(service)).toStrictEqual([{ ...destination, ...idle }])
    const listed = await scene.ipvsadm.list()
    expect(listed.flatMap(({ destinations }) => destinations.map(({ columns }) => columns[0]))).toEqual([name])
    // The kernel's own listing has a name for the first method, and shows every method without a name as masquerading.
    const row = (await scene.namespace.must('cat', ['/proc/net/ip_vs'])).split('\n').filter(line => line.startsWith('  -> '))[1]
    expect(row.split(/\s+/)[3]).toBe(name === 'Local' ? 'Local' : 'Masq')
  })

  test('options left out have ipvsadm\'s defaults', async () => {
    await scene.ipvs.addDestination(web, { address: '10.10.10.2', port: 80 })
    await scene.ipvsadm.run('-a -t 10.10.10.100:80 -r 10.10.10.3:80')
    await scene.ipvs.addDestination(web, { address: '10.10.10.4', port: 80, forward: 'tun' })
    await scene.ipvsadm.run('-a -t 10.10.10.100:80 -r 10.10.10.5:80 -i')
    const [second, third, fourth, fifth] = (await scene.ipvs.destinations(web)).toSorted((a, b) => a.address < b.address ? -1 : 1)
    expect({ ...second, address: third.address }).toStrictEqual(third)
    expect({ ...fourth, address: fifth.address }).toStrictEqual(fifth)
  })

  test('weights and thresholds above ipvsadm\'s limits are kept', async () => {
    await scene.ipvs.addDestination(web, { ...near, weight: 2147483647 })
    expect(await scene.ipvs.destinations(web)).toMatchObject([{ weight: 2147483647 }])
    expect(await saved()).toEqual(['-a -t 10.10.10.100:80 -r 10.10.10.2:80 -m -w 2147483647'])
  })

  test('one address with two ports makes two destinations', async () => {
    await scene.ipvs.addDestination(web, near)
    await scene.ipvs.addDestination(web, { ...near, port: 81 })
    await scene.ipvs.removeDestination(web, near)
    expect(await saved()).toEqual(['-a -t 10.10.10.100:80 -r 10.10.10.2:81 -m -w 1'])
  })

  test('a listed destination can be passed to updateDestination', async () => {
    await scene.ipvsadm.run('-a -t 10.10.10.100:80 -r 10.10.10.2:80 -i -w 5 -x 20 -y 10 --tun-type gue --tun-port 6080 --tun-csum')
    const [listed] = await scene.ipvs.destinations(web)
    await scene.ipvs.updateDestination(web, { ...listed, weight: 6 })
    expect(await saved()).toEqual(['-a -t 10.10.10.100:80 -r 10.10.10.2:80 -i -w 6 --tun-type gue --tun-port 6080 --tun-csum'])
    expect(await scene.ipvsadm.thresholds()).toEqual({ '10.10.10.2:80': [20, 10] })
  })

  test('a listed service serves as the key', async () => {
    const [listed] = (await scene.ipvs.services()).filter(service => 'fwmark' in service && service.family === 6)
    await scene.ipvs.addDestination(listed, { ...near6, port: 0 })
    expect(await saved()).toEqual(['-a -f 7 -6 -r [fd00::2]:0 -m -w 1'])
  })

  test('listing a missing service\'s destinations is an error, although the kernel answers with an empty list', async () => {
    const error = await refusal(() => scene.ipvs.destinations({ ...web, port: 81 }))
    expect(error).toMatchObject({ name: 'IpvsError', code: 'ESRCH' })
    expect(error.message).toContain('tcp 10.10.10.100:81')
  })

  test('one call lists a thousand destinations', async () => {
    await scene.ipvsadm.restore(Array.from({ length: 1000 }, (_, n) => `-a -t 10.10.10.100:80 -r 10.20.${n >> 8}.${n & 255}:80 -m -w ${n}`))
    const listed = await scene.ipvs.destinations(web)
    expect(listed.length).toBe(1000)
    expect(listed.every(({ address, weight }) => address === `10.20.${weight >> 8}.${weight & 255}`)).toBe(true)
  })
})
