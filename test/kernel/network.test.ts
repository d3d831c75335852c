import { spawnSync } from 'node:child_process'
import { closeSync, openSync, readdirSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Network, type AddressEvent } from 'ipvs/network'
import { Namespace } from '../../scripts/network/namespace.js'
import { program } from '../support/program.js'
import { until } from '../support/until.js'

let namespace: Namespace
let network: Network
beforeEach(async () => {
  namespace = await Namespace.create('network')
  // Addresses of IPv6 can be used at once.
  await namespace.must('sh', ['-c', 'echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad; echo 0 > /proc/sys/net/ipv6/conf/all/accept_dad'])
  await namespace.ip('link add eth0 type veth peer name peer0', 'link set eth0 up', 'link set peer0 up')
  network = await Network.open({ netns: namespace.name })
})
afterEach(async () => {
  await network.close()
  await namespace[Symbol.asyncDispose]()
})

const iterate = (): AsyncIterableIterator<AddressEvent> => network.addressEvents()
const events = async (of: AsyncIterator<AddressEvent>, count: number): Promise<AddressEvent[]> => {
  const list: AddressEvent[] = []
  while (list.length < count) list.push((await of.next()).value as AddressEvent)
  return list
}
const texts = (list: readonly AddressEvent[]): string[] => list.map((event) => event.type === 'list'
  ? `list of ${event.addresses.length}`
  : `${event.type} ${event.address.address}/${event.address.prefixLength} ${event.address.interface} ${event.address.scope}`)

/** What ip(8) says, which is the witness. */
const ip = async <Answer,>(...args: string[]): Promise<Answer> =>
  JSON.parse((await namespace.must('ip', ['-json', ...args])) || '[]') as Answer

interface IpLink {
  ifname: string
  ifindex: number
  flags: string[]
  mtu: number
  address: string
  link_type: string
  linkinfo?: { info_kind: string }
}
interface IpAddress { ifname: string, ifindex: number, addr_info: { local: string, prefixlen: number, scope: string }[] }
interface IpRoute { type?: string, dst: string, gateway?: string, dev: string, prefsrc?: string }

describe('addresses as they come and go', () => {
  test('what ip(8) does to addresses arrives as events, after a list of those that were there', async () => {
    await namespace.ip('addr add 10.0.0.1/24 dev eth0')
    const watch = iterate()
    const [{ type }] = await events(watch, 1)
    expect(type).toBe('list')
    await namespace.ip('addr add 10.0.0.100/32 dev eth0', 'addr add 10.9.9.9/32 dev lo', 'addr del 10.0.0.100/32 dev eth0')
    expect(texts(await events(watch, 3))).toEqual([
      'added 10.0.0.100/32 eth0 global', 'added 10.9.9.9/32 lo global', 'removed 10.0.0.100/32 eth0 global',
    ])
    await watch.return!()
  })

  test('the list is what ip(8) lists', async () => {
    await namespace.ip('addr add 10.0.0.1/24 dev eth0', 'addr add 10.0.0.2 peer 10.0.0.9/30 dev peer0', 'addr add fd00::1/64 dev eth0')
    const [first] = await events(iterate(), 1)
    const listed = (await ip<IpAddress[]>('addr')).flatMap(({ ifname, ifindex, addr_info }) =>
      addr_info.map(({ local, prefixlen, scope }) => `${ifindex} ${ifname} ${local}/${prefixlen} ${scope}`))
    const seen = first.type === 'list' ? first.addresses : []
    const lines = (of: typeof seen): string[] => of.map((one) => `${one.index} ${one.interface} ${one.address}/${one.prefixLength} ${one.scope}`).sort()
    expect(listed.length).toBeGreaterThan(4)
    expect(lines(seen)).toEqual(listed.sort())
    expect(lines(await network.addresses())).toEqual(listed)
  })

  test('events name an interface by its current name, also after it was renamed', async () => {
    const watch = iterate()
    await events(watch, 1)
    await namespace.ip(
      'link add dummy1 type dummy',
      'addr add 10.9.0.1/24 dev dummy1',
      'link set dummy1 name front',
      'addr add 10.9.0.2/24 dev front',
      'link del front',
    )
    expect(texts(await events(watch, 4))).toEqual([
      'added 10.9.0.1/24 dummy1 global', 'added 10.9.0.2/24 front global',
      expect.stringMatching(/^removed 10\.9\.0\.[12]\/24 front/), expect.stringMatching(/^removed 10\.9\.0\.[12]\/24 front/),
    ])
    await watch.return!()
  })

  test('an address of IPv6 is tentative until duplicate address detection is over, and then changed', async () => {
    await namespace.must('sh', ['-c', 'echo 1 > /proc/sys/net/ipv6/conf/all/accept_dad; echo 1 > /proc/sys/net/ipv6/conf/eth0/accept_dad'])
    const watch = iterate()
    await events(watch, 1)
    await namespace.ip('addr add fd00::7/64 dev eth0')
    const list = (await events(watch, 2)).map((event) =>
      event.type === 'list' ? [] : [event.type, event.address.address, event.address.tentative],
    )
    expect(list).toEqual([['added', 'fd00::7', true], ['changed', 'fd00::7', false]])
    await watch.return!()
  })

  test('after lost events, a list replaces all that was known', async () => {
    const count = 8_000
    const watch = iterate()
    await events(watch, 1)
    const lines = Array.from({ length: count }, (_, n) => `addr add 10.${n >> 16}.${n >> 8 & 255}.${n & 255}/32 dev eth0`)
    // Nothing reads the events meanwhile, because this thread waits for ip(8).
    const done = spawnSync('ip', ['-n', namespace.name, '-batch', '-'], { input: lines.join('\n') })
    expect(done.status).toBe(0)
    const held = new Set<string>()
    let lists = 0
    while (held.size < count) {
      const [event] = await events(watch, 1)
      if (event.type === 'list') {
        lists++
        held.clear()
        for (const { address, interface: name } of event.addresses) if (name === 'eth0' && address.startsWith('10.')) held.add(address)
      } else if (event.type === 'added') held.add(event.address.address)
    }
    expect(lists).toBeGreaterThan(0)
    await namespace.ip('addr del 10.0.0.5/32 dev eth0')
    expect(texts(await events(watch, 1))).toEqual(['removed 10.0.0.5/32 eth0 global'])
    await watch.return!()
  })

  test('closing ends pending lookups and iterations at once', async () => {
    const watch = iterate()
    await events(watch, 1)
    const waiting = watch.next()
    const asked = network.route('10.0.0.1')
    const refused = expect(asked).rejects.toMatchObject({ code: 'ERR_IPVS_CLOSED' })
    await network.close()
    await refused
    expect(await waiting).toEqual({ done: true, value: undefined })
    await expect(network.addresses()).rejects.toMatchObject({ code: 'ERR_IPVS_CLOSED' })
    expect(() => network.addressEvents()).toThrow(expect.objectContaining({ code: 'ERR_IPVS_CLOSED' }))
    await network.close()
  })

  test('a signal ends one iteration and no other', async () => {
    const controller = new AbortController()
    const other = iterate()
    const seen: string[] = []
    for await (const { type } of network.addressEvents({ signal: controller.signal })) {
      seen.push(type)
      controller.abort()
    }
    expect(seen).toEqual(['list'])
    expect(texts(await events(other, 1))[0]).toMatch(/^list of/)
    expect(await network.addressEvents({ signal: controller.signal }).next()).toEqual({ done: true, value: undefined })
    await other.return!()
  })

  test('nothing is left behind: no thread, no descriptor', async () => {
    const threads = (): number => readdirSync('/proc/self/task').length
    const descriptors = (): number => readdirSync('/proc/self/fd').length
    const before = [threads(), descriptors()]
    for (let round = 0; round < 5; round++) {
      const one = await Network.open({ netns: namespace.name })
      const watch = one.addressEvents()
      await watch.next()
      await one.links()
      await one.close()
    }
    // /proc lists a thread for a moment after it was joined, and a thread of an earlier test may have ended meanwhile.
    await until(() => Promise.resolve(threads()), (count) => count <= before[0])
    expect(descriptors()).toBe(before[1])
  })
})

describe('lookups', () => {
  test('interfaces are those that ip(8) shows', async () => {
    await namespace.ip(
      'link add br0 type bridge',
      'link set eth0 master br0 mtu 1400',
      'link add tun1 type ipip local 10.0.0.1 remote 10.0.0.2',
      'link set peer0 down',
    )
    const expected = (await ip<IpLink[]>('-details', 'link')).map(({ ifname, ifindex, flags, mtu, address, link_type, linkinfo }) => ({
      name: ifname, index: ifindex, mtu,
      up: flags.includes('UP'), running: flags.includes('UP') && flags.includes('LOWER_UP'),
      loopback: flags.includes('LOOPBACK'), arp: link_type === 'ether' && !flags.includes('NOARP'),
      hardwareAddress: link_type === 'ether' ? address : null, kind: linkinfo?.info_kind ?? null,
    }))
    const links = await network.links()
    expect(links.map(({ master: _, ...link }) => link)).toEqual(expected)
    const index = (name: string): number => links.find((link) => link.name === name)!.index
    expect(links.find(({ name }) => name === 'eth0')).toMatchObject({
      up: true,
      running: false,
      master: index('br0'),
      mtu: 1400,
      kind: 'veth',
    })
    expect(links.find(({ name }) => name === 'lo')).toMatchObject({ loopback: true, master: null, kind: null })
  })

  test('routes are those that `ip route get` finds', async () => {
    await namespace.ip(
      'addr add 10.0.0.1/24 dev eth0',
      'addr add 10.0.0.100/32 dev lo',
      'route add default via 10.0.0.254',
      'route add 10.2.0.0/16 via 10.0.0.7 table 7',
      'rule add fwmark 5 lookup 7',
      'rule add from 10.0.0.100 lookup 7',
      'addr add fd00::1/64 dev eth0',
      'route add blackhole 10.3.0.0/16',
      'route add unreachable 10.4.0.0/16',
      'route add prohibit 10.5.0.0/16',
    )
    await namespace.ip6('route add fd00:2::/64 via fd00::7')
    const asked: [string, string[], object?][] = [
      ['10.0.0.9', []],
      ['10.0.0.100', []],
      ['10.2.0.1', []],
      ['10.2.0.1', ['mark', '5'], { mark: 5 }],
      ['10.2.0.1', ['from', '10.0.0.100'], { from: '10.0.0.100' }],
      ['127.0.0.1', []],
      ['fd00::9', []],
      ['fd00::1', []],
      ['fd00:2::9', []],
      ['224.0.0.1', []],
    ]
    for (const [address, words, options] of asked) {
      const [{ type = 'unicast', gateway = null, dev, prefsrc }] = await ip<IpRoute[]>(
        ...(address.includes(':') ? ['-6'] : []),
        'route',
        'get',
        address,
        ...words,
      )
      const { source, ...route } = await network.route(address, options)
      expect(route, address).toEqual({ type, gateway, interface: dev })
      if (options === undefined) expect(source, address).toBe(prefsrc)
    }
    expect(await network.route('10.0.0.100')).toMatchObject({ type: 'local' })
    expect((await network.route('10.3.0.1')).type).toBe('blackhole')
    expect((await network.route('10.4.0.1')).type).toBe('unreachable')
    expect((await network.route('10.5.0.1')).type).toBe('prohibit')
    expect(await network.route('fd09::1')).toEqual({ type: 'unreachable', gateway: null, interface: null, source: null })
  })

  test('neighbours are what the table of ip(8) has', async () => {
    await namespace.ip(
      'addr add 10.0.0.1/24 dev eth0',
      'neigh add 10.0.0.5 lladdr 02:00:00:00:00:05 dev eth0 nud permanent',
      'neigh add 10.0.0.6 dev eth0 nud failed',
    )
    const index = (await network.links()).find(({ name }) => name === 'eth0')!.index
    expect(await network.neighbour('10.0.0.5', index)).toEqual({ state: 'permanent', hardwareAddress: '02:00:00:00:00:05' })
    expect(await network.neighbour('10.0.0.6', index)).toEqual({ state: 'failed', hardwareAddress: null })
    expect(await network.neighbour('10.0.0.7', index)).toBe(undefined)
    await expect(network.neighbour('10.0.0.7', 9_999)).rejects.toThrow('neighbour 10.0.0.7 could not be read')
  })

  test('many lookups at the same time are all answered', async () => {
    await namespace.ip('addr add 10.0.0.1/24 dev eth0')
    const routes = await Promise.all(Array.from({ length: 200 }, (_, n) => network.route(`10.0.0.${n + 2}`)))
    expect(routes.every(({ type, interface: name }) => type === 'unicast' && name === 'eth0')).toBe(true)
  })
})

describe('arguments', () => {
  test('a namespace is given as for Ipvs.open, and a descriptor may be closed right after the call', async () => {
    await namespace.ip('addr add 10.7.7.7/32 dev lo')
    const fd = openSync(namespace.path, 'r')
    const opened = await Network.open({ netns: { fd } })
    closeSync(fd)
    await using one = opened
    await using other = await Network.open({ netns: namespace.path })
    for (const each of [one, other]) {
      expect((await each.addresses()).some(({ address }) => address === '10.7.7.7')).toBe(true)
      const [first] = await events(each.addressEvents(), 1)
      expect(first.type === 'list' && first.addresses.some(({ address }) => address === '10.7.7.7')).toBe(true)
    }
    await using here = await Network.open()
    expect((await here.addresses()).some(({ address }) => address === '10.7.7.7')).toBe(false)
  })

  test('bad input is refused, naming the field', async () => {
    await expect(Network.open({ netns: 'no-such-place' })).rejects.toMatchObject({ name: 'IpvsError', reason: 'namespace', code: 'ENOENT' })
    await expect(Network.open({ buffer: 1 } as never)).rejects.toMatchObject({ field: 'options.buffer' })
    await expect(Network.open({ netns: 5 as never })).rejects.toMatchObject({ field: 'netns' })
    await expect(network.route('10.0.0')).rejects.toMatchObject({ field: 'address', code: 'ERR_INVALID_ARG_VALUE' })
    await expect(network.route(5 as never)).rejects.toMatchObject({ field: 'address', code: 'ERR_INVALID_ARG_TYPE' })
    await expect(network.route('10.0.0.1', { from: 'fd00::1' })).rejects.toMatchObject({ field: 'options.from' })
    await expect(network.route('10.0.0.1', { mark: -1 })).rejects.toMatchObject({ field: 'options.mark' })
    await expect(network.route('10.0.0.1', { via: '10.0.0.2' } as never)).rejects.toMatchObject({ field: 'options.via' })
    await expect(network.neighbour('10.0.0.1', 0)).rejects.toMatchObject({ field: 'index' })
    expect(() => network.addressEvents({ signal: 5 as never })).toThrow(expect.objectContaining({ field: 'options.signal' }))
  })
})

test('worker threads can be terminated at any moment while they listen and look up', async () => {
  expect(await program('network-terminations.mjs', ['24', namespace.name])).toEqual({ status: 0, stdout: '24 0\n', stderr: '' })
})

test('a program that only keeps a network open ends; one that listens ends when it stops listening', async () => {
  expect(await program('network-idle.mjs', [namespace.name])).toEqual({ status: 0, stdout: 'list\n', stderr: '' })
})
