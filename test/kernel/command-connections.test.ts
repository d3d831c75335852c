import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { fileURLToPath } from 'node:url'
import { Ipvs, IpvsSync, type Connection, type SysctlName } from 'ipvs'
import { Namespace } from '../../scripts/network/namespace.js'
import { refusal } from '../support/errors.js'
import { program } from '../support/program.js'
import { until } from '../support/until.js'

const command = fileURLToPath(new URL('../../dist/bin/ipvs.cjs', import.meta.url))

const dns = { protocol: 'udp', address: '10.9.9.9', port: 53 } as const
const dns6 = { protocol: 'udp', address: 'fd00::9', port: 53 } as const
const phone = { protocol: 'udp', address: '10.9.9.9', port: 5060 } as const

/** Makes listings comparable, because an entry's remaining time differs each time it is read. */
const timeless = (listing: string): string => listing.replace(/ \d\d:\d\d /g, ' mm:ss ').split('\n').sort().join('\n')

describe('what the kernel shows in /proc, by namespace', () => {
  let namespace: Namespace
  let client: Namespace
  let ipvs: Ipvs
  let sync: IpvsSync

  beforeAll(async () => {
    namespace = await Namespace.create('director')
    client = await Namespace.create('client')
    await client.ip(`link add director type veth peer name client netns ${namespace.name}`)
    await namespace.ip('address add 10.9.9.9/24 dev client', 'address add fd00::9/64 dev client nodad', 'link set client up')
    await client.ip('address add 10.9.9.1/24 dev director', 'address add fd00::1/64 dev director nodad', 'link set director up')
    ipvs = await Ipvs.open({ netns: namespace.name })
    sync = IpvsSync.open({ netns: namespace.name })
    await ipvs.addService({ ...dns, scheduler: 'rr' })
    await ipvs.addDestination(dns, { address: '10.9.9.2', port: 5353, forward: 'nat' })
    await ipvs.addService({ ...dns6, scheduler: 'rr' })
    await ipvs.addDestination(dns6, { address: 'fd00::2', port: 5353, forward: 'nat' })
    await ipvs.addService({ ...phone, scheduler: 'rr', persistence: { timeout: 300 }, persistenceEngine: 'sip' })
    await ipvs.addDestination(phone, { address: '10.9.9.2', port: 5060, forward: 'nat' })
    // No server answers. The director makes connections as soon as it has seen the packets.
    await client.must(process.execPath, ['-e', `
      const { createSocket } = require('node:dgram')
      const send = (type, text, port, address) => {
        const socket = createSocket(type)
        socket.send(text, port, address, () => socket.close())
      }
      send('udp4', 'question', 53, '10.9.9.9')
      send('udp6', 'question', 53, 'fd00::9')
      send('udp4', 'INVITE sip:alice@example.org SIP/2.0\\r\\nCall-ID: 20071029@10.9.9.1\\r\\nCSeq: 1 INVITE\\r\\n\\r\\n', 5060, '10.9.9.9')
    `])
    await until(() => Promise.resolve([...sync.connections()]), (seen) => seen.length >= 4)
  })

  afterAll(async () => {
    sync?.close()
    await ipvs?.close()
    await client?.[Symbol.asyncDispose]()
    await namespace?.[Symbol.asyncDispose]()
  })

  let listed: Connection[]
  beforeEach(async () => {
    listed = []
    for await (const connection of ipvs.connections()) listed.push(connection)
  })

  test('connections over IPv4 and IPv6, and persistence templates with their engine\'s data', () => {
    const udp = { protocol: 'udp', state: 'UDP', origin: 'local' }
    expect(listed.find(({ virtual }) => virtual.address === dns.address && virtual.port === 53)).toMatchObject({
      ...udp,
      virtual: { address: '10.9.9.9', port: 53 },
      destination: { address: '10.9.9.2', port: 5353 },
      persistenceEngine: null,
    })
    expect(listed.find(({ virtual }) => virtual.address === dns6.address)).toMatchObject({
      ...udp,
      client: { address: 'fd00::1' },
      destination: { address: 'fd00::2', port: 5353 },
    })
    expect(listed.find(({ persistenceEngine }) => persistenceEngine === 'sip')).toMatchObject({
      virtual: { address: '10.9.9.9', port: 5060 },
      persistenceData: '20071029@10.9.9.1',
    })
    expect(listed.filter(({ expires }) => !(expires >= 0 && expires <= 300))).toEqual([])
  })

  test('IpvsSync lists the same', () => {
    const known = ({ client, virtual, destination, state }: Connection): object => ({ client, virtual, destination, state })
    expect([...sync.connections()].map(known)).toEqual(listed.map(known))
  })

  test('the connections of one service', async () => {
    const found: string[] = []
    for await (const { virtual } of ipvs.connections({ service: dns })) found.push(`${virtual.address} ${virtual.port}`)
    expect(found).toEqual(['10.9.9.9 53'])
    expect([...sync.connections({ service: { ...phone, port: 0 } })].length).toBe(
      listed.filter(({ virtual }) => virtual.address === '10.9.9.9').length,
    )
    expect((await refusal(() => [...sync.connections({ service: { fwmark: 1, family: 4 } })])).message).toContain('service.fwmark')
    expect((await refusal(() => [...sync.connections({ service: { ...dns, address: 'nonsense' } })])).message).toContain('service.address')
  })

  test('a bad filter is refused at the call, before the iteration begins', () => {
    const filters: [unknown, string][] = [
      [{ service: { ...dns, prot: 'udp' } }, 'service.prot'],
      [{ service: { fwmark: 1, family: 4 } }, 'service.fwmark'],
      [{ service: { ...dns, port: -1 } }, 'service.port'],
      [{ service: 'dns' }, 'service'],
      [{ services: dns }, 'options.services'],
      [null, 'options'],
    ]
    for (const [filter, field] of filters) {
      for (const handle of [ipvs, sync]) expect(() => handle.connections(filter as never), field).toThrow(field)
    }
  })

  test('a listed service can be the filter', async () => {
    const listedService = (await ipvs.snapshot()).services.find(
      ({ stats, ...service }) => 'address' in service && service.address === dns.address && service.port === dns.port && stats,
    )!
    expect([...sync.connections({ service: listedService })]).toHaveLength(1)
  })

  test.each(['Ipvs', 'IpvsSync'])('lists of %s that are not read to their end leave no descriptor open', async (api) => {
    const { stdout, stderr } = await program('dropped-connections.mjs', [api], { wrapper: ['nsenter', `--net=${namespace.path}`], flags: ['--expose-gc'] })
    expect(stderr).toBe('')
    const { before, dropped, after } = JSON.parse(stdout) as Record<'before' | 'dropped' | 'after', number>
    expect(dropped).toBeLessThanOrEqual(before + 20)
    expect(after).toBe(before)
  })

  test('an iteration can end early', async () => {
    const seen: Connection[] = []
    for await (const connection of ipvs.connections()) {
      seen.push(connection)
      break
    }
    for (const connection of sync.connections()) {
      seen.push(connection)
      break
    }
    expect(seen).toMatchObject([{ protocol: 'udp' }, { protocol: 'udp' }])
  })

  test.each(['-L -c -n', '-Lcn --persistent-conn'])('ipvs %s prints what ipvsadm does', async (line) => {
    const [expected, got] = await Promise.all([
      namespace.must('ipvsadm', line.split(' ')), namespace.must(process.execPath, [command, ...line.split(' ')]),
    ])
    expect(timeless(got)).toBe(timeless(expected))
    expect(expected.split('\n').length).toBeGreaterThan(4)
  })

  test('totals are those of all services, and of all processors', async () => {
    const counted = await until(
      async () => (await ipvs.services()).map((service) => service.stats.connections),
      (seen) => seen.every((connections) => connections > 0n),
    )
    const { stats, rates } = await ipvs.totals()
    expect(stats.connections).toBe(counted.reduce((sum, connections) => sum + connections))
    expect(Object.keys(rates)).toEqual(['connections', 'inPackets', 'outPackets', 'inBytes', 'outBytes'])
    const processors = await ipvs.processorTotals()
    expect(processors.reduce((sum, processor) => sum + processor.stats.connections, 0n)).toBe(stats.connections)
    expect(sync.totals().stats).toEqual(stats)
    expect(sync.processorTotals()).toEqual(processors)
  })

  test('settings are read and changed in this namespace only', async () => {
    const file = (name: SysctlName): Promise<string> => namespace.must('cat', [`/proc/sys/net/ipv4/vs/${name}`])
    expect(await ipvs.sysctl.get('conntrack')).toBe(0)
    await ipvs.sysctl.set('conntrack', 1)
    expect(await file('conntrack')).toBe('1\n')
    expect(sync.sysctl.get('conntrack')).toBe(1)
    sync.sysctl.set('sync_threshold', [4, 60])
    expect(await ipvs.sysctl.get('sync_threshold')).toEqual([4, 60])
    expect(await file('sync_threshold')).toBe('4\t60\n')
    const elsewhere = await Namespace.create('elsewhere')
    try {
      const other = IpvsSync.open({ netns: elsewhere.name })
      expect(other.sysctl.get('conntrack')).toBe(0)
      expect([...other.connections()]).toEqual([])
      other.close()
    } finally {
      await elsewhere[Symbol.asyncDispose]()
    }
  })

  test('bad names and values are refused, by name', async () => {
    expect((await refusal(() => ipvs.sysctl.get('nonsense' as SysctlName))).message).toContain('name')
    expect((await refusal(() => ipvs.sysctl.set('conntrack', 1.5))).message).toContain('value')
    expect((await refusal(() => ipvs.sysctl.set('sync_threshold', [1] as unknown as [number, number]))).message).toContain('value')
    expect(await refusal(() => ipvs.sysctl.set('sync_threshold', [9, 3]))).toMatchObject({
      code: 'EINVAL',
      message: expect.stringContaining('sync_threshold') as string,
    })
  })

  test('after close nothing can be read', async () => {
    const closed = await Ipvs.open({ netns: namespace.name })
    await closed.close()
    expect(await refusal(() => closed.totals())).toMatchObject({ code: 'ERR_IPVS_CLOSED' })
    expect(await refusal(() => closed.sysctl.get('conntrack'))).toMatchObject({ code: 'ERR_IPVS_CLOSED' })
    expect(await refusal(() => closed.connections().next())).toMatchObject({ code: 'ERR_IPVS_CLOSED' })
  })
})
