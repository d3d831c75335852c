import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Ipvs, IpvsSync, Service, ServiceInput, ServiceKey } from 'ipvs'
import { apis, Scene, uncounted } from '../support/scene.js'

const plain = { scheduler: 'wlc', schedulerFlags: [], onePacket: false, persistence: null, persistenceEngine: null }
const web = { protocol: 'tcp', address: '10.10.10.100', port: 80 } as const
const web6 = { protocol: 'tcp', address: 'fd00::100', port: 80 } as const
const dns = { protocol: 'udp', address: '10.10.10.100', port: 53 } as const

interface Spelling { service: Service, ipvsadm: string }

/** Services as this package and as ipvsadm write them. */
const spellings: Spelling[] = [
  { service: { ...plain, ...web }, ipvsadm: '-t 10.10.10.100:80 -s wlc' },
  { service: { ...plain, ...dns }, ipvsadm: '-u 10.10.10.100:53 -s wlc' },
  { service: { ...plain, ...web, protocol: 'sctp' }, ipvsadm: '--sctp-service 10.10.10.100:80 -s wlc' },
  { service: { ...plain, ...web6 }, ipvsadm: '-t [fd00::100]:80 -s wlc' },
  { service: { ...plain, ...web6, protocol: 'udp' }, ipvsadm: '-u [fd00::100]:80 -s wlc' },
  { service: { ...plain, ...web6, protocol: 'sctp' }, ipvsadm: '--sctp-service [fd00::100]:80 -s wlc' },
  { service: { ...plain, fwmark: 7, family: 4 }, ipvsadm: '-f 7 -s wlc' },
  { service: { ...plain, fwmark: 7, family: 6 }, ipvsadm: '-f 7 -6 -s wlc' },
  ...['rr', 'wrr', 'lc', 'lblc', 'lblcr', 'dh', 'sh', 'sed', 'nq', 'fo', 'ovf', 'mh'].map(scheduler => ({
    service: { ...plain, ...web, scheduler },
    ipvsadm: `-t 10.10.10.100:80 -s ${scheduler}`,
  })),
  { service: { ...plain, ...web, scheduler: 'sh', schedulerFlags: ['sh-fallback'] }, ipvsadm: '-t 10.10.10.100:80 -s sh -b sh-fallback' },
  { service: { ...plain, ...web, scheduler: 'sh', schedulerFlags: ['sh-port'] }, ipvsadm: '-t 10.10.10.100:80 -s sh -b sh-port' },
  {
    service: { ...plain, ...web, scheduler: 'sh', schedulerFlags: ['sh-fallback', 'sh-port'] },
    ipvsadm: '-t 10.10.10.100:80 -s sh -b sh-fallback,sh-port',
  },
  { service: { ...plain, ...web, scheduler: 'mh', schedulerFlags: ['mh-fallback'] }, ipvsadm: '-t 10.10.10.100:80 -s mh -b mh-fallback' },
  { service: { ...plain, ...web, scheduler: 'mh', schedulerFlags: ['mh-port'] }, ipvsadm: '-t 10.10.10.100:80 -s mh -b mh-port' },
  {
    service: { ...plain, ...web, scheduler: 'rr', schedulerFlags: ['flag-1', 'flag-2', 'flag-3'] },
    ipvsadm: '-t 10.10.10.100:80 -s rr -b flag-1,flag-2,flag-3',
  },
  { service: { ...plain, ...dns, onePacket: true }, ipvsadm: '-u 10.10.10.100:53 -s wlc -o' },
  { service: { ...plain, fwmark: 7, family: 4, onePacket: true }, ipvsadm: '-f 7 -s wlc -o' },
  { service: { ...plain, ...web, persistence: { timeout: 1, prefixLength: 32 } }, ipvsadm: '-t 10.10.10.100:80 -s wlc -p 1' },
  { service: { ...plain, ...web, persistence: { timeout: 2678400, prefixLength: 32 } }, ipvsadm: '-t 10.10.10.100:80 -s wlc -p 2678400' },
  {
    service: { ...plain, ...web, persistence: { timeout: 600, prefixLength: 24 } },
    ipvsadm: '-t 10.10.10.100:80 -s wlc -p 600 -M 255.255.255.0',
  },
  {
    service: { ...plain, ...web, persistence: { timeout: 600, prefixLength: 1 } },
    ipvsadm: '-t 10.10.10.100:80 -s wlc -p 600 -M 128.0.0.0',
  },
  { service: { ...plain, ...web6, persistence: { timeout: 600, prefixLength: 128 } }, ipvsadm: '-t [fd00::100]:80 -s wlc -p 600' },
  { service: { ...plain, ...web6, persistence: { timeout: 600, prefixLength: 64 } }, ipvsadm: '-t [fd00::100]:80 -s wlc -p 600 -M 64' },
  {
    service: { ...plain, fwmark: 7, family: 4, persistence: { timeout: 600, prefixLength: 16 } },
    ipvsadm: '-f 7 -s wlc -p 600 -M 255.255.0.0',
  },
  { service: { ...plain, fwmark: 7, family: 6, persistence: { timeout: 600, prefixLength: 48 } }, ipvsadm: '-f 7 -6 -s wlc -p 600 -M 48' },
  {
    service: { ...plain, ...dns, port: 5060, persistence: { timeout: 30, prefixLength: 32 }, persistenceEngine: 'sip' },
    ipvsadm: '-u 10.10.10.100:5060 -s wlc -p 30 --pe sip',
  },
]

/** Each with a port or mark of its own, so that one table holds them all. */
const all = spellings.map(({ service, ipvsadm }, n): Spelling => 'fwmark' in service
  ? { service: { ...service, fwmark: 1000 + n }, ipvsadm: ipvsadm.replace(/-f \d+/, `-f ${1000 + n}`) }
  : { service: { ...service, port: 1000 + n }, ipvsadm: ipvsadm.replace(/:\d+ /, `:${1000 + n} `) })
const lines = all.map(({ ipvsadm }) => `-A ${ipvsadm}`).sort()

const keyOf = (service: Service): ServiceKey =>
  'fwmark' in service
    ? { fwmark: service.fwmark, family: service.family }
    : { protocol: service.protocol, address: service.address, port: service.port }

describe.each(apis)('services with %s', (label, Api) => {
  let scene: Scene<Ipvs | IpvsSync>
  beforeAll(async () => {
    scene = await Scene.create<Ipvs | IpvsSync>(Api, label)
  })
  beforeEach(() => scene.ipvs.flush())
  afterAll(() => scene[Symbol.asyncDispose]())

  test('an empty table lists as an empty array', async () => {
    expect(await scene.ipvs.services()).toStrictEqual([])
    expect(await scene.ipvs.getService(web)).toBeUndefined()
  })

  test('ipvsadm reads every service that was added', async () => {
    for (const { service } of all) await scene.ipvs.addService(service)
    expect((await scene.ipvsadm.save()).sort()).toEqual(lines)
  })

  test('every service that ipvsadm added is listed', async () => {
    await scene.ipvsadm.restore(lines)
    const listed = new Map((await scene.ipvs.services()).map(service => [JSON.stringify(keyOf(service)), service]))
    expect(listed.size).toBe(all.length)
    for (const { service, ipvsadm } of all) {
      expect(listed.get(JSON.stringify(keyOf(service))), ipvsadm).toStrictEqual({ ...service, ...uncounted })
      expect(await scene.ipvs.getService(keyOf(service)), ipvsadm).toStrictEqual({ ...service, ...uncounted })
    }
  })

  test('ipvsadm reads every service that was updated', async () => {
    for (const { service } of all) {
      await scene.ipvs.addService({
        ...keyOf(service),
        scheduler: 'wrr',
        schedulerFlags: ['flag-2'],
        persistence: { timeout: 42, prefixLength: 8 },
      })
      await scene.ipvs.updateService(service)
    }
    expect((await scene.ipvsadm.save()).sort()).toEqual(lines)
  })

  test('every service that ipvsadm changed is listed as it is now', async () => {
    await scene.ipvsadm.restore([
      ...all.map(({ ipvsadm }) => `-A ${ipvsadm.replace(/ -s .*/, '')} -s wrr -p 42`),
      ...lines.map(line => line.replace('-A', '-E')),
    ])
    for (const { service, ipvsadm } of all) {
      expect(await scene.ipvs.getService(keyOf(service)), ipvsadm).toStrictEqual({ ...service, ...uncounted })
    }
  })

  test.each([
    { service: { ...plain, ...web, port: 65535 }, ipvsadm: '-t 10.10.10.100:65535 -s wlc' },
    { service: { ...plain, ...web, port: 0, persistence: { timeout: 300, prefixLength: 32 } }, ipvsadm: '-t 10.10.10.100:0 -s wlc -p 300' },
    {
      service: { ...plain, ...web6, port: 0, persistence: { timeout: 300, prefixLength: 128 } },
      ipvsadm: '-t [fd00::100]:0 -s wlc -p 300',
    },
    { service: { ...plain, fwmark: 1, family: 6 } as const, ipvsadm: '-f 1 -6 -s wlc' },
    { service: { ...plain, fwmark: 0x7fffffff, family: 4 } as const, ipvsadm: '-f 2147483647 -s wlc' },
  ])('the ends of the ranges go both ways: $ipvsadm', async ({ service, ipvsadm }) => {
    await scene.ipvs.addService(service)
    expect(await scene.ipvsadm.save()).toEqual([`-A ${ipvsadm}`])
    expect(await scene.ipvs.services()).toStrictEqual([{ ...service, ...uncounted }])
  })

  test('an update resets everything: flags, persistence, its mask and engine, one-packet scheduling', async () => {
    await scene.ipvsadm.run('-A -u 10.10.10.100:5060 -s sh -p 30 -M 255.0.0.0 --pe sip -o -b sh-fallback,sh-port,flag-3')
    await scene.ipvs.updateService({ ...plain, ...dns, port: 5060, scheduler: 'none' })
    expect(await scene.ipvs.services()).toStrictEqual([{ ...plain, ...dns, port: 5060, scheduler: 'none', ...uncounted }])
    await scene.ipvs.updateService({ ...plain, ...dns, port: 5060 })
    expect(await scene.ipvsadm.save()).toEqual(['-A -u 10.10.10.100:5060 -s wlc'])
  })

  test('a listed service can be passed to updateService', async () => {
    await scene.ipvsadm.run('-A -t 10.10.10.100:80 -s sh -p 30 -M 255.0.0.0 -b sh-port')
    const [listed] = await scene.ipvs.services()
    await scene.ipvs.updateService({ ...listed, onePacket: false, persistence: { ...listed.persistence!, timeout: 31 } })
    expect(await scene.ipvsadm.save()).toEqual(['-A -t 10.10.10.100:80 -s sh -p 31 -M 255.0.0.0 -b sh-port'])
  })

  test('a flag without a name is listed beside those with one', async () => {
    await scene.ipvsadm.run('-A -t 10.10.10.100:80 -s sh -b sh-fallback,flag-3')
    const [listed] = await scene.ipvs.services()
    expect(listed.schedulerFlags).toEqual(['sh-fallback', 'flag-3'])
    await scene.ipvs.updateService({ ...listed, schedulerFlags: ['sh-port', 'flag-3'] })
    // ipvsadm forgets the third flag of sh when it lists.
    expect(await scene.ipvsadm.save()).toEqual(['-A -t 10.10.10.100:80 -s sh -b sh-port'])
    expect(await scene.ipvs.services()).toMatchObject([{ schedulerFlags: ['sh-port', 'flag-3'] }])
  })

  test('a netmask whose bits are not contiguous goes both ways', async () => {
    await scene.ipvs.addService({ ...web, persistence: { timeout: 60, netmask: '255.0.255.0' } })
    expect(await scene.ipvsadm.save()).toEqual(['-A -t 10.10.10.100:80 -s wlc -p 60 -M 255.0.255.0'])
    const [listed] = await scene.ipvs.services()
    expect(listed.persistence!.netmask).toBe('255.0.255.0')
    await scene.ipvs.updateService({ ...listed, scheduler: 'rr' })
    expect(await scene.ipvsadm.save()).toEqual(['-A -t 10.10.10.100:80 -s rr -p 60 -M 255.0.255.0'])
  })

  test('a netmask stands for its prefix length', async () => {
    await scene.ipvs.addService({ ...web, persistence: { timeout: 60, netmask: '255.255.240.0' } })
    expect(await scene.ipvsadm.save()).toEqual(['-A -t 10.10.10.100:80 -s wlc -p 60 -M 255.255.240.0'])
  })

  test.each<[ServiceInput, string]>([
    [web, '-A -t 10.10.10.101:80'],
    [web6, '-A -t [fd00::101]:80'],
    [{ fwmark: 7, family: 4 }, '-A -f 8'],
    [{ ...web, persistence: {} }, '-A -t 10.10.10.101:80 -p'],
    [{ ...web6, persistence: {} }, '-A -t [fd00::101]:80 -p'],
  ])('what is left out has the default of ipvsadm: %j', async (service, ipvsadm) => {
    await scene.ipvs.addService(service)
    await scene.ipvsadm.run(ipvsadm)
    const configurations = (await scene.ipvs.services()).map(({ scheduler, schedulerFlags, onePacket, persistence, persistenceEngine }) =>
      ({ scheduler, schedulerFlags, onePacket, persistence, persistenceEngine }))
    expect(configurations[0]).toStrictEqual(configurations[1])
  })

  test('removing a service leaves the others', async () => {
    await scene.ipvsadm.restore(['-A -t 10.10.10.100:80', '-A -u 10.10.10.100:80', '-A -f 7', '-A -f 7 -6', '-A -t [fd00::100]:80'])
    await scene.ipvs.removeService(web)
    await scene.ipvs.removeService({ fwmark: 7, family: 6 })
    await scene.ipvs.removeService(web6)
    expect((await scene.ipvsadm.save()).sort()).toEqual(['-A -f 7 -s wlc', '-A -u 10.10.10.100:80 -s wlc'])
  })

  test('flush empties the table', async () => {
    await scene.ipvsadm.restore(['-A -t 10.10.10.100:80', '-a -t 10.10.10.100:80 -r 10.10.10.2 -m', '-A -f 7', '-A -t [fd00::100]:80'])
    await scene.ipvs.flush()
    expect(await scene.ipvsadm.save()).toEqual([])
  })

  test('a firewall mark above 2³¹ is kept', async () => {
    await scene.ipvs.addService({ fwmark: 0xffffffff, family: 4 })
    expect(await scene.ipvs.services()).toMatchObject([{ fwmark: 0xffffffff, family: 4 }])
    expect(await scene.namespace.must('cat', ['/proc/net/ip_vs'])).toContain('FWM  FFFFFFFF wlc')
  })

  test('addresses are listed in their canonical form, however they were spelled', async () => {
    await scene.ipvs.addService({ ...web6, address: 'FD00:0:0:0:0:0:0:0100' })
    expect(await scene.ipvs.services()).toMatchObject([{ address: 'fd00::100' }])
    expect(await scene.ipvs.getService({ ...web6, address: 'fd00:0::0:100' })).toMatchObject({ address: 'fd00::100' })
  })

  test('listed entries are plain data: they can be copied, cloned, compared and serialised', async () => {
    await scene.ipvs.addService({ ...web, persistence: {} })
    const [listed] = await scene.ipvs.services()
    expect(structuredClone(listed)).toStrictEqual({ ...listed })
    expect(JSON.parse(JSON.stringify(listed))).toMatchObject({
      ...web,
      stats: { connections: '0', inBytes: '0' },
      rates: { connections: 0 },
    })
  })

  test('one call lists a thousand services', async () => {
    await scene.ipvsadm.restore(Array.from({ length: 1000 }, (_, n) => `-A -t 10.20.${n >> 8}.${n & 255}:80 -s rr`))
    const listed = await scene.ipvs.services()
    expect(new Set(listed.map(service => 'address' in service && service.address)).size).toBe(1000)
  })
})
