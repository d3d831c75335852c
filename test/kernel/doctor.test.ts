import { describe, expect, test } from 'vitest'
import { Ipvs } from 'ipvs'
import { examineDirector, examineRealServer } from 'ipvs/doctor'
import { BETWEEN_CLIENTS, methods, rows, stories, VIP, type Machines } from '../support/doctor-machines.js'
import { Scene } from '../support/scene.js'
import { until } from '../support/until.js'

const story = stories()
const nothing = (): Promise<void> => Promise.resolve()

describe.concurrent('machines that are ready', () => {
  for (const family of [4, 6] as const) {
    story(`have no finding, with traffic by all methods over IPv${family}`, async (m) => {
      const ports = await m.table(family)
      for (const forward of methods) expect(await m.ask(ports[forward], family), forward).toBe('one')
      const asked = Promise.all(Array.from({ length: 20 }, () => m.ask(ports.nat, family)))
      expect(await Promise.all([m.examineDirector(), m.examineServer(), m.examineServer([m.workshop.virtual[family]])])).toEqual([
        { on: 'director', findings: [], notLooked: [] },
        { on: 'real-server', findings: [], notLooked: [] },
        { on: 'real-server', findings: [], notLooked: [] },
      ])
      await asked
    })
  }

  story('have none where nothing was ever sent, with the address on lo, and without IPv4 forwarding where nothing needs it', async (m) => {
    await m.single(m.server.address[4], 'dr')
    const found = await m.broken({
      hurt: async () => {
        await m.onDirector.on(`addr del ${VIP}/32 dev br0`, `addr add ${VIP}/32 dev lo`)()
        await m.onDirector.set({ 'net/ipv4/ip_forward': 0, 'net/ipv4/conf/all/rp_filter': 1 })()
      },
      mend: async () => {
        await m.onDirector.on(`addr del ${VIP}/32 dev lo`, `addr add ${VIP}/32 dev br0`)()
        await m.onDirector.set({ 'net/ipv4/ip_forward': 1, 'net/ipv4/conf/all/rp_filter': 0, 'net/ipv4/conf/all/send_redirects': 0 })()
      },
    })
    expect(found).toMatchObject({ director: [], server: [] })
  })

  story('the second director, whose addresses are at the first, has none', async (m) => {
    await m.single(m.server.address[4], 'dr')
    const found = await m.broken({
      hurt: async () => {
        await m.onDirector.on(`addr del ${VIP}/32 dev br0`)()
        await m.onClient.on(`addr add ${VIP}/32 dev eth0`)()
      },
      mend: async () => {
        await m.onClient.on(`addr del ${VIP}/32 dev eth0`)()
        await m.onDirector.on(`addr add ${VIP}/32 dev br0`)()
      },
    })
    expect(found).toMatchObject({ director: [], server: [] })
  })
})

describe.concurrent('a director', () => {
  for (const [family, setting] of [[4, 'net/ipv4/ip_forward'], [6, 'net/ipv6/conf/all/forwarding']] as const) {
    story(`that does not forward IPv${family} is told so where there is nat`, async (m) => {
      const ports = await m.table(family)
      const found = await m.broken({
        family,
        ports: [ports.nat],
        hurt: m.onDirector.set({ [setting]: 0 }),
        mend: m.onDirector.set({ [setting]: 1, 'net/ipv4/conf/all/send_redirects': 0 }),
      })
      expect(found.director).toEqual([`ip-forward, certain: ${m.destination(ports.nat, family)}`])
      expect(found.findings[0])
        .toMatchObject({ severity: 'fault', client: 'a timeout', mend: [`sysctl -w ${setting.replaceAll('/', '.')}=1`], causes: [] })
      expect(found.server.filter((row) => !row.startsWith('answers-lost'))).toEqual([])
    })
  }

  story('without the virtual address', async (m) => {
    const port = await m.single(m.server.address[4], 'dr')
    const found = await m.broken({ hurt: m.onDirector.on(`addr del ${VIP}/32 dev br0`), mend: m.onDirector.on(`addr add ${VIP}/32 dev br0`) })
    expect(found).toMatchObject({ director: [`vip-not-here, certain: port ${port}`], server: [] })
    expect(found.findings[0].mend).toEqual([`ip addr add ${VIP}/32 dev br0`])
  })

  story('whose interface with the virtual address has no carrier, or is switched off', async (m) => {
    const port = await m.single(m.server.address[4], 'dr', '10.40.0.1')
    const cable = m.onDirector.on('link add cable type veth peer name end', 'link set cable up', 'addr add 10.40.0.1/24 dev cable')
    const without = await m.broken({ hurt: cable, mend: m.onDirector.on('link set cable down') })
    expect(without).toMatchObject({ director: [`vip-link, certain: port ${port}`], server: [] })
    const off = await m.broken({ hurt: nothing, mend: m.onDirector.on('link del cable') })
    expect(off).toMatchObject({ director: [`vip-link, certain: port ${port}`], server: [] })
    expect(off.findings[0].mend).toEqual(['ip link set cable up'])
  })

  story('whose clients are served by a real server that answers ARP for the virtual address', async (m) => {
    const ports = await m.table()
    for (const forward of methods) await m.ask(ports[forward])
    const found = await m.broken({
      hurt: m.onServer.set({ 'net/ipv4/conf/all/arp_ignore': 0 }), mend: m.onServer.set({ 'net/ipv4/conf/all/arp_ignore': 1 }),
    })
    expect(found.director).toEqual([`arp-answered-elsewhere, certain: ${methods.map((forward) => m.destination(ports[forward])).join(' ')}`])
    // This server's interface has no address of the virtual address's network: it cannot know whether anybody asks.
    expect(found.server).toEqual([`arp-ignore, likely: ${VIP}`])
  })

  story('beside another one that has the address too', async (m) => {
    const port = await m.single(m.server.address[4], 'dr')
    const found = await m.broken({ hurt: m.onClient.on(`addr add ${VIP}/32 dev eth0`), mend: m.onClient.on(`addr del ${VIP}/32 dev eth0`) })
    expect(found).toMatchObject({ director: [`arp-answered-elsewhere, certain: port ${port}`], server: [] })
  })

  story('with a service that has no destination, or only such of weight 0', async (m) => {
    const port = await m.single(m.server.address[4], 'dr')
    const service = { protocol: 'tcp', address: VIP, port } as const
    const empty = { ...service, port: m.freshPort() }
    await m.ipvs.addService(empty)
    await m.ipvs.updateDestination(service, { ...(await m.ipvs.destinations(service))[0], weight: 0 })
    const report = await m.examineDirector()
    expect(rows(report)).toEqual([`no-destination, certain: port ${port}`, `no-destination, certain: port ${empty.port}`].sort())
    expect(report.findings.map(({ missing }) => missing).sort()).toEqual([
      'all destinations of the service have weight 0',
      'the service has no destination',
    ])
    expect(await m.ask(port)).toBe('ECONNREFUSED')
  })

  story('whose link to a destination is switched off, or cut', async (m) => {
    const port = await m.single('10.50.0.9', 'nat')
    const wire = ['link add wire type veth peer name far', 'link set wire up', 'link set far up', 'addr add 10.50.0.1/24 dev wire']
    const off = await m.broken({ hurt: m.onDirector.on(...wire, 'link set wire down'), mend: m.onDirector.on('link del wire') })
    expect(off).toMatchObject({ director: [`link-to-destination, certain: 10.50.0.9:${port}`], server: [] })
    expect(off.findings[0].mend).toEqual(['ip link set wire up'])
    const cut = await m.broken({ hurt: m.onDirector.on(...wire, 'link set far down'), mend: m.onDirector.on('link del wire') })
    expect(cut).toMatchObject({ director: [`link-to-destination, certain: 10.50.0.9:${port}`], server: [] })
  })

  story('without a route to a destination', async (m) => {
    const port = await m.single('10.55.0.9', 'nat')
    expect(rows(await m.examineDirector())).toEqual([`no-route, certain: 10.55.0.9:${port}`])
  })

  story('with a destination of direct routing behind a router; of nat it would be reached', async (m) => {
    const port = await m.single('10.66.0.9', 'dr')
    await m.ipvs.addDestination({ protocol: 'tcp', address: VIP, port }, { address: '10.66.0.10', port, forward: 'nat' })
    const found = await m.broken({
      hurt: m.onDirector.on('route add 10.66.0.0/16 via 10.10.20.1'), mend: m.onDirector.on('route del 10.66.0.0/16'),
    })
    expect(found).toMatchObject({ director: [`dr-behind-router, certain: 10.66.0.9:${port}`], server: [] })
  })

  story('with a destination that does not exist, until there is one', async (m) => {
    const port = await m.single('10.10.10.99', 'dr')
    const found = await m.broken({ ports: [port], hurt: nothing, mend: nothing })
    expect(found).toMatchObject({ director: [`nobody-there, certain: 10.10.10.99:${port}`], server: [] })
    // The neighbour table still has it as failed.
    await m.onServer.on('addr add 10.10.10.99/24 dev eth0')()
    expect(rows(await m.examineDirector())).not.toContain(`nobody-there, certain: 10.10.10.99:${port}`)
    await m.onServer.on('addr del 10.10.10.99/24 dev eth0')()
  })

  story('that tells real servers of a shorter way is warned', async (m) => {
    const ports = await m.table()
    const found = await m.broken({
      ports: [ports.nat],
      hurt: m.onDirector.set({ 'net/ipv4/conf/all/send_redirects': 1, 'net/ipv4/conf/br0/send_redirects': 1 }),
      mend: m.onDirector.set({ 'net/ipv4/conf/all/send_redirects': 0, 'net/ipv4/conf/br0/send_redirects': 0 }),
    })
    expect(found).toMatchObject({ director: [`send-redirects, likely: ${m.destination(ports.nat)}`], server: [] })
    expect(found.findings[0]).toMatchObject({
      severity: 'warning',
      mend: ['sysctl -w net.ipv4.conf.all.send_redirects=0', 'sysctl -w net.ipv4.conf.br0.send_redirects=0'],
    })
  })
})

test.concurrent('settings of connection sync that would lose connections are warned of, and recommended ones are not', async () => {
  const recommended = 'sysctl -w net.ipv4.vs.sync_threshold="3 0" net.ipv4.vs.sync_refresh_period=2'
  const findings = await Promise.all(([
    [undefined, undefined, [recommended]],
    [[3, 0], 2, []],
    [[2, 4], 0, []],
    [[0, 1], 0, []],
    [[3, 0], 0, [recommended]],
    [[2, 50], 10, [recommended]],
  ] as const).map(async ([threshold, refresh, mends]) => {
    await using scene = await Scene.create(Ipvs, 'sync')
    await scene.namespace.ip('link add wire type dummy', 'link set wire up')
    if (threshold !== undefined) await scene.ipvs.sysctl.set('sync_threshold', [...threshold])
    if (refresh !== undefined) await scene.ipvs.sysctl.set('sync_refresh_period', refresh)
    expect((await examineDirector(scene.ipvs)).findings).toEqual([])
    await scene.ipvs.startDaemon({ role: 'master', interface: 'wire' })
    const report = await examineDirector(scene.ipvs)
    expect(report.findings.map(({ mend }) => mend), `${threshold?.join(' ')}, ${refresh}`).toEqual(mends.map((mend) => [mend]))
    await scene.ipvs.stopDaemon({ role: 'master' })
    return rows(report)
  }))
  expect(findings.flat()).toEqual(Array<string>(3).fill('sync-fail-back, certain:'))
})

describe.concurrent('answers that do not return', () => {
  /** The server's answers to whoever came by nat go to a router that loses them. */
  const lose = (m: Machines) =>
    m.onServer.on('neigh replace 10.10.10.2 lladdr 02:00:00:00:00:99 dev eth0 nud permanent', 'route replace default via 10.10.10.2')
  const loseNoMore = (m: Machines) =>
    m.onServer.on(`route replace default via ${m.workshop.directorAddress[4]}`, 'neigh del 10.10.10.2 dev eth0')
  /** An answer that was repeated twice, after one and three seconds, is repeated after seven. */
  const longRepeated = (m: Machines) => until(() => m.repeatedAnswers(), (times) => times.includes(2))

  story('nat: the destination has no default route', async (m) => {
    const ports = await m.table()
    const way = `via ${m.workshop.directorAddress[4]}`
    const found = await m.broken({
      ports: [ports.nat], hurt: m.onServer.on('route del default'), mend: m.onServer.on(`route add default ${way}`),
    })
    expect(found).toMatchObject({ director: [`answers-nat, certain: ${m.destination(ports.nat)}`], server: [`no-way-back, certain: ${VIP}`] })
    expect(found.findings[0].causes[0].mend).toEqual([`on the destination: ip route replace default ${way}`])
  })

  story('nat: the destination\'s default route leads elsewhere', async (m) => {
    const ports = await m.table()
    const found = await m.broken({ ports: [ports.nat], hurt: lose(m), mend: loseNoMore(m) })
    expect(found).toMatchObject({
      director: [`answers-nat, certain: ${m.destination(ports.nat)}`], server: [`answers-lost, likely: ${m.server.address[4]}`],
    })
    expect(found.findings[1].missing).toContain('via 10.10.10.2')
  })

  story('nat: they are lost to a client that has another connection, to another address of the destination', async (m) => {
    const ports = await m.table()
    const other = await m.workshop.client.connect({ transport: 'tcp', address: VIP, port: ports.dr, from: m.workshop.clients[4][0] })
    const found = await m.broken({ ports: [ports.nat], from: m.workshop.clients[4][0], hurt: lose(m), mend: loseNoMore(m) })
    expect(found.server).toEqual([`answers-lost, likely: ${m.server.address[4]}`])
    await other.end()
  })

  story('nat: they are lost to a client that comes once, and the examination begins long after', async (m) => {
    const ports = await m.table()
    await lose(m)()
    const stop = await m.workshop.client.keepAsking({ address: VIP, port: ports.nat }, 600_000)
    await longRepeated(m)
    expect(rows(await m.examineServer())).toEqual([`answers-lost, likely: ${m.server.address[4]}`])
    await loseNoMore(m)()
    await stop()
    await m.untilAnswered()
  })

  story('nat: a way back that was mended is not told of any more, though clients still wait for the next answer', async (m) => {
    const ports = await m.table()
    await lose(m)()
    const stop = await m.workshop.client.keepAsking({ address: VIP, port: ports.nat }, BETWEEN_CLIENTS)
    await longRepeated(m)
    await loseNoMore(m)()
    expect(await m.repeatedAnswers()).toContain(2)
    expect(rows(await m.examineServer())).toEqual([])
    expect(await stop()).toContain('one')
    await m.untilAnswered()
  })

  story('nat: a client on the destinations\' own network is answered directly', async (m) => {
    const ports = await m.table()
    const found = await m.broken({
      ports: [ports.nat],
      from: '10.10.10.200',
      hurt: m.onClient.on('addr add 10.10.10.200/24 dev eth0'),
      mend: m.onClient.on('addr del 10.10.10.200/24 dev eth0'),
    })
    expect(found.director).toEqual([`nat-one-armed, certain: ${m.destination(ports.nat)}`])
    expect(found.findings[0].client).toContain('10.10.10.200')
  })

  story('direct routing: the destination does not have the virtual address', async (m) => {
    const ports = await m.table()
    const found = await m.broken({
      ports: [ports.dr], vips: [VIP], hurt: m.onServer.on(`addr del ${VIP}/32 dev lo`), mend: m.onServer.on(`addr add ${VIP}/32 dev lo`),
    })
    expect(found).toMatchObject({ director: [`answers-direct, likely: ${m.destination(ports.dr)}`], server: [`vip-missing, certain: ${VIP}`] })
    expect(found.findings[0].causes[0].mend[0]).toBe(`on the destination: ip addr add ${VIP}/32 dev lo`)
  })

  story('direct routing: the destination does not have the virtual address, and forwards', async (m) => {
    const ports = await m.table()
    const found = await m.broken({
      ports: [ports.dr], vips: [VIP],
      hurt: async () => {
        await m.onServer.set({ 'net/ipv4/ip_forward': 1 })()
        await m.onServer.on(`addr del ${VIP}/32 dev lo`)()
      },
      mend: async () => {
        await m.onServer.on(`addr add ${VIP}/32 dev lo`)()
        // Forwarding changed this too.
        await m.onServer.set({ 'net/ipv4/ip_forward': 0, 'net/ipv4/conf/all/accept_redirects': 0 })()
      },
    })
    expect(found).toMatchObject({ director: [`destination-sends-back, likely: ${m.destination(ports.dr)}`], server: [`vip-missing, certain: ${VIP}`] })
  })

  for (const name of ['all', 'tunl0']) {
    story(`tunnel: the reverse-path filter is strict on ${name}, and the address is on lo`, async (m) => {
      const ports = await m.table()
      const found = await m.broken({
        ports: [ports.tun],
        hurt: m.onServer.set({ [`net/ipv4/conf/${name}/rp_filter`]: 1 }), mend: m.onServer.set({ [`net/ipv4/conf/${name}/rp_filter`]: 0 }),
      })
      expect(found).toMatchObject({ director: [`answers-direct, likely: ${m.destination(ports.tun)}`], server: [`rp-filter, likely: ${VIP}`] })
    })
  }

  for (const [what, found, hurt, mend] of [
    ['strict', ['rp-filter, certain'], 1, 0],
    ['loose, which does no harm', [], 2, 0],
  ] as const) {
    story(`tunnel: the reverse-path filter is ${what}, and the address is on tunl0`, async (m) => {
      const here = { 'net/ipv4/conf/tunl0/rp_filter': hurt }
      const { server } = await m.broken({
        hurt: async () => {
          await m.onServer.on(`addr del ${VIP}/32 dev lo`, `addr add ${VIP}/32 dev tunl0`)()
          await m.onServer.set(here)()
        },
        mend: async () => {
          await m.onServer.set({ 'net/ipv4/conf/tunl0/rp_filter': mend })()
          await m.onServer.on(`addr del ${VIP}/32 dev tunl0`, `addr add ${VIP}/32 dev lo`)()
        },
      })
      expect(server).toEqual(found.map((row) => `${row}: ${VIP}`))
    })
  }

  story('tunnel: the interface with the address is down', async (m) => {
    const { server } = await m.broken({
      hurt: m.onServer.on(`addr del ${VIP}/32 dev lo`, `addr add ${VIP}/32 dev tunl0`, 'link set tunl0 down'),
      mend: m.onServer.on('link set tunl0 up', `addr del ${VIP}/32 dev tunl0`, `addr add ${VIP}/32 dev lo`),
    })
    expect(server).toEqual([`vip-link-down, certain: ${VIP}`])
  })

  story('tunnel: its end is down; the client is refused', async (m) => {
    const ports = await m.table()
    const links = ['tunl0', 'sit0', 'tunnel0', 'tunnel4', 'tunnel6']
    const found = await m.broken({
      ports: [ports.tun],
      hurt: m.onServer.on(...links.map((name) => `link set ${name} down`)), mend: m.onServer.on(...links.map((name) => `link set ${name} up`)),
    })
    expect(found.server).toEqual([`tunnel-end-down, likely: ${VIP}`])
    expect(found.clients).toContain('ECONNREFUSED')
  })
})

describe.concurrent('a real server', () => {
  story('that has the virtual address where it answers ARP for it', async (m) => {
    const { server } = await m.broken({
      vips: [VIP],
      hurt: m.onServer.on(`addr del ${VIP}/32 dev lo`, `addr add ${VIP}/32 dev eth0`),
      mend: m.onServer.on(`addr del ${VIP}/32 dev eth0`, `addr add ${VIP}/32 dev lo`),
    })
    expect(server).toEqual([`vip-asked-by-arp, certain: ${VIP}`])
  })

  story('whose interface is in the virtual address\'s network is certain to be asked', async (m) => {
    const { server } = await m.broken({
      hurt: async () => {
        await m.onServer.on('addr add 10.10.20.77/24 dev eth0')()
        await m.onServer.set({ 'net/ipv4/conf/all/arp_ignore': 0, 'net/ipv4/conf/all/arp_announce': 0 })()
      },
      mend: async () => {
        await m.onServer.on('addr del 10.10.20.77/24 dev eth0')()
        await m.onServer.set({ 'net/ipv4/conf/all/arp_ignore': 1, 'net/ipv4/conf/all/arp_announce': 2 })()
      },
    })
    expect(server).toEqual([`arp-announce, likely: ${VIP}`, `arp-ignore, certain: ${VIP}`])
  })
})

story('a destination that was mended is not told of any more, though the kernel remembers for a minute whose handshakes hung', async (m) => {
  const ports = await m.table()
  const found = await m.broken({
    ports: [ports.dr],
    hurt: m.onServer.on(`addr del ${VIP}/32 dev lo`), mend: m.onServer.on(`addr add ${VIP}/32 dev lo`),
  })
  expect(found).toMatchObject({ director: [`answers-direct, likely: ${m.destination(ports.dr)}`] })
  await until(() => m.examineDirector(), ({ findings }) => findings.length === 0, 30)
  const states: string[] = []
  for await (const { virtual, state } of m.ipvs.connections()) if (virtual.port === ports.dr) states.push(state)
  expect(states).toContain('SYN_RECV')
})

story('only the virtual addresses that were named are looked at', async (m) => {
  const port = await m.single('10.55.0.9', 'nat', '10.41.0.1')
  const [other, named] = await Promise.all([m.examineDirector([VIP]), m.examineDirector(['10.41.0.1'])])
  expect(rows(other)).toEqual([])
  expect(rows(named)).toEqual([`no-route, certain: 10.55.0.9:${port}`, `vip-not-here, certain: port ${port}`])
})

/** What can be set on a machine, and whose hardware addresses it takes for those of the virtual addresses. */
const settings = (vips: readonly string[]): string => [
  'ip -o address; ip route show table all; ip -6 route show table all; ip rule; ip -6 rule; grep -rs . /proc/sys/net/ipv4 /proc/sys/net/ipv6 | sort',
  ...vips.map((address) => `ip neigh show ${address} | grep -o "lladdr [0-9a-f:]*" || true`),
].join('; ')

story('an examination changes nothing, on the machine or on others', async (m) => {
  const { client, director, virtual } = m.workshop
  const vips = [virtual[4], virtual[6]]
  for (const family of [4, 6] as const) {
    const ports = await m.table(family)
    for (const forward of methods) await m.ask(ports[forward], family)
  }
  const state = async (): Promise<string[]> => [
    ...await Promise.all([client, director, m.server.host].map(({ namespace }) => namespace.must('sh', ['-c', settings(vips)]))),
    await director.namespace.must('ipvsadm', ['-Sn']),
  ]
  const before = await state()
  expect(before.join()).toContain('lladdr')
  await Promise.all([m.examineDirector(), m.examineServer(vips)])
  expect(await state()).toEqual(before)
})

story('bad input is refused, and an examination can be ended', async (m) => {
  await expect(m.examineDirector(['10.0.0'])).rejects.toMatchObject({ field: 'options.vips[0]' })
  await expect(examineRealServer({ vip: VIP } as never)).rejects.toMatchObject({ field: 'options.vip' })
  await expect(examineDirector({} as never)).rejects.toMatchObject({ field: 'ipvs' })
  await expect(examineRealServer({ netns: 'nowhere' })).rejects.toMatchObject({ code: 'ENOENT', reason: 'namespace' })
  await expect(examineDirector(m.ipvs, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough')
  await expect(examineRealServer({ signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ name: 'TimeoutError' })
})
