import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Ipvs, type ForwardingMethod } from 'ipvs'
import { examineDirector, examineRealServer, type Finding, type Report } from 'ipvs/doctor'
import type { Backend } from '../../scripts/network/workshop.js'
import { Workshop } from '../../scripts/network/workshop.js'
import { until } from '../support/until.js'

const ipvsCommand = fileURLToPath(new URL('../../dist/bin/ipvs.cjs', import.meta.url))

let workshop: Workshop
let ipvs: Ipvs
let backend: Backend
let lastPort = 1_000

beforeAll(async () => {
  workshop = await Workshop.create(['one', 'two'])
  await workshop.openTunnels()
  ipvs = await Ipvs.open({ netns: workshop.director.namespace.name })
  backend = workshop.backends[0]
})
afterAll(async () => {
  await ipvs.close()
  await workshop[Symbol.asyncDispose]()
})

const VIP = '10.10.20.100'
const methods = ['nat', 'dr', 'tun'] as const

type Ports = Record<typeof methods[number], number>

/**
 * A new table: a service for each forwarding method, on ports that nothing was sent to before, all at the first backend, which serves
 * them.
 */
async function table(family: 4 | 6 = 4): Promise<Ports> {
  await ipvs.flush()
  const ports: Partial<Ports> = {}
  for (const forward of methods) {
    const port = ports[forward] = ++lastPort
    const service = { protocol: 'tcp', address: workshop.virtual[family], port } as const
    await ipvs.addService({ ...service, scheduler: 'rr' })
    await ipvs.addDestination(service, {
      address: backend.address[family],
      port,
      forward,
      tunnel: forward === 'tun' ? { type: 'ipip' } : null,
    })
    await backend.host.serve('tcp', forward === 'nat' ? backend.address[family] : workshop.virtual[family], port, 'one')
  }
  return ports as Ports
}

/** One service with one destination, which need not exist. */
async function single(address: string, forward: ForwardingMethod, vip = VIP): Promise<number> {
  await ipvs.flush()
  const service = { protocol: 'tcp', address: vip, port: ++lastPort } as const
  await ipvs.addService({ ...service, scheduler: 'rr' })
  await ipvs.addDestination(service, { address, port: service.port, forward })
  return service.port
}

const ask = (port: number, from?: string, family: 4 | 6 = 4): Promise<string> =>
  workshop.client.ask({ transport: 'tcp', address: workshop.virtual[family], port, ...(from === undefined ? {} : { from }) }).then(
    ([name]) => name,
    (error: NodeJS.ErrnoException) => error.code!,
  )

const director = (vips?: string[]): Promise<Report> => examineDirector(ipvs, vips === undefined ? {} : { vips })
const server = (vips?: string[]): Promise<Report> =>
  examineRealServer({ netns: backend.host.namespace.name, ...(vips === undefined ? {} : { vips }) })

/** What is said, in short. */
const rows = ({ findings }: Report): string[] => findings.map(({ row, certainty, breaks }) =>
  `${row}, ${certainty}: ${breaks.map(({ service, destination, address }) => destination ? `${destination.address}:${destination.port}` : service && 'port' in service ? `port ${service.port}` : address ?? '').sort().join(' ')}`.trimEnd()).sort()

/** How many connections to a port the director knows. */
async function seen(port: number): Promise<number> {
  let count = 0
  for await (const { virtual } of ipvs.connections()) if (virtual.port === port) count++
  return count
}

/**
 * Breaks something, looks at both machines while clients come, and mends it. What the clients saw comes last: some of it after it was
 * mended.
 */
async function broken({
  ports = [],
  from,
  hurt,
  mend,
  vips,
  family = 4,
}: {
  ports?: number[]
  from?: string
  hurt: () => Promise<unknown>
  mend: () => Promise<unknown>
  vips?: string[]
  family?: 4 | 6
}): Promise<{ director: string[], server: string[], findings: Finding[], clients: string[] }> {
  await hurt()
  const asked: Promise<string>[] = []
  const come = (): void => {
    asked.push(...ports.map((port) => ask(port, from, family)))
  }
  const coming = setInterval(come, 300)
  let reports: Report[]
  try {
    come()
    for (const port of ports)
      await until(
        () => seen(port),
        (count) => count > 0,
      )
    reports = await Promise.all([director(), server(vips)])
    expect(reports.flatMap(({ notLooked }) => notLooked)).toEqual([])
  } finally {
    clearInterval(coming)
    await mend()
  }
  return {
    director: rows(reports[0]),
    server: rows(reports[1]),
    findings: reports.flatMap(({ findings }) => findings),
    clients: await Promise.all(asked),
  }
}

const at = (host: { namespace: { ip(...lines: string[]): Promise<void> } }) => (...lines: string[]) => () => host.namespace.ip(...lines)
const on = {
  director: (...lines: string[]) => at(workshop.director)(...lines),
  backend: (...lines: string[]) => at(backend.host)(...lines),
}
const set = {
  director: (settings: Record<string, string | number>) => () => workshop.director.sysctl(settings),
  backend: (settings: Record<string, string | number>) => () => backend.host.sysctl(settings),
}
const own = (port: number): string => `${backend.address[4]}:${port}`

describe('machines that are ready', () => {
  test.each([4, 6] as const)('have no finding, with traffic by all methods over IPv%i', async (family) => {
    const ports = await table(family)
    for (const forward of methods) expect(await ask(ports[forward], undefined, family), forward).toBe('one')
    const asked = Promise.all(Array.from({ length: 20 }, () => ask(ports.nat, undefined, family)))
    expect(await Promise.all([director(), server(), server([workshop.virtual[family]])])).toEqual([
      { on: 'director', findings: [], notLooked: [] },
      { on: 'real-server', findings: [], notLooked: [] },
      { on: 'real-server', findings: [], notLooked: [] },
    ])
    await asked
  })

  test('have none where nothing was ever sent, with the address on lo, and without IPv4 forwarding where nothing needs it', async () => {
    await single(backend.address[4], 'dr')
    const found = await broken({
      hurt: async () => {
        await on.director(`addr del ${VIP}/32 dev br0`, `addr add ${VIP}/32 dev lo`)()
        await set.director({ 'net/ipv4/ip_forward': 0, 'net/ipv4/conf/all/rp_filter': 1 })()
      },
      mend: async () => {
        await on.director(`addr del ${VIP}/32 dev lo`, `addr add ${VIP}/32 dev br0`)()
        await set.director({ 'net/ipv4/ip_forward': 1, 'net/ipv4/conf/all/rp_filter': 0, 'net/ipv4/conf/all/send_redirects': 0 })()
      },
    })
    expect(found).toMatchObject({ director: [], server: [] })
  })

  test('the second director, whose addresses are at the first, has none', async () => {
    await single(backend.address[4], 'dr')
    const found = await broken({
      hurt: async () => {
        await on.director(`addr del ${VIP}/32 dev br0`)()
        await workshop.client.namespace.ip(`addr add ${VIP}/32 dev eth0`)
      },
      mend: async () => {
        await workshop.client.namespace.ip(`addr del ${VIP}/32 dev eth0`)
        await on.director(`addr add ${VIP}/32 dev br0`)()
      },
    })
    expect(found).toMatchObject({ director: [], server: [] })
  })
})

describe('a director', () => {
  test.each([[4, 'net/ipv4/ip_forward'], [6, 'net/ipv6/conf/all/forwarding']] as const)('that does not forward IPv%i is told so where there is nat', async (family, setting) => {
    const ports = await table(family)
    const found = await broken({
      family,
      ports: [ports.nat],
      hurt: set.director({ [setting]: 0 }),
      mend: set.director({ [setting]: 1, 'net/ipv4/conf/all/send_redirects': 0 }),
    })
    expect(found.director).toEqual([`ip-forward, certain: ${backend.address[family]}:${ports.nat}`])
    expect(found.findings[0]).toMatchObject({ severity: 'fault', client: 'a timeout', mend: [`sysctl -w ${setting.replaceAll('/', '.')}=1`], causes: [] })
    expect(found.server.filter((row) => !row.startsWith('answers-lost'))).toEqual([])
  })

  test('without the virtual address', async () => {
    const port = await single(backend.address[4], 'dr')
    const found = await broken({ hurt: on.director(`addr del ${VIP}/32 dev br0`), mend: on.director(`addr add ${VIP}/32 dev br0`) })
    expect(found).toMatchObject({ director: [`vip-not-here, certain: port ${port}`], server: [] })
    expect(found.findings[0].mend).toEqual([`ip addr add ${VIP}/32 dev br0`])
  })

  test('whose interface with the virtual address has no carrier, or is switched off', async () => {
    const port = await single(backend.address[4], 'dr', '10.40.0.1')
    const cable = on.director('link add cable type veth peer name end', 'link set cable up', 'addr add 10.40.0.1/24 dev cable')
    const without = await broken({ hurt: cable, mend: on.director('link set cable down') })
    expect(without).toMatchObject({ director: [`vip-link, certain: port ${port}`], server: [] })
    const off = await broken({ hurt: () => Promise.resolve(), mend: on.director('link del cable') })
    expect(off).toMatchObject({ director: [`vip-link, certain: port ${port}`], server: [] })
    expect(off.findings[0].mend).toEqual(['ip link set cable up'])
  })

  test('whose clients are served by a real server that answers ARP for the virtual address', async () => {
    const ports = await table()
    for (const forward of methods) await ask(ports[forward])
    const found = await broken({
      hurt: set.backend({ 'net/ipv4/conf/all/arp_ignore': 0 }),
      mend: set.backend({ 'net/ipv4/conf/all/arp_ignore': 1 }),
    })
    expect(found.director).toEqual([`arp-answered-elsewhere, certain: ${methods.map((forward) => own(ports[forward])).join(' ')}`])
    // This server's interface has no address of the virtual address's network: it cannot know whether anybody asks.
    expect(found.server).toEqual([`arp-ignore, likely: ${VIP}`])
  })

  test('beside another one that has the address too', async () => {
    const port = await single(backend.address[4], 'dr')
    const found = await broken({
      hurt: () => workshop.client.namespace.ip(`addr add ${VIP}/32 dev eth0`), mend: () => workshop.client.namespace.ip(`addr del ${VIP}/32 dev eth0`),
    })
    expect(found).toMatchObject({ director: [`arp-answered-elsewhere, certain: port ${port}`], server: [] })
  })

  test('with a service that has no destination, or only such of weight 0', async () => {
    const port = await single(backend.address[4], 'dr')
    const service = { protocol: 'tcp', address: VIP, port } as const
    const destination = { address: backend.address[4], port, forward: 'dr' } as const
    await ipvs.addService({ protocol: 'tcp', address: VIP, port: ++lastPort })
    await ipvs.updateDestination(service, { ...(await ipvs.destinations(service))[0], ...destination, weight: 0 })
    const report = await director()
    expect(rows(report)).toEqual([`no-destination, certain: port ${port}`, `no-destination, certain: port ${lastPort}`].sort())
    expect(report.findings.map(({ missing }) => missing).sort()).toEqual([
      'all destinations of the service have weight 0',
      'the service has no destination',
    ])
    expect(await ask(port)).toBe('ECONNREFUSED')
  })

  test('whose link to a destination is down', async () => {
    const port = await single('10.50.0.9', 'nat')
    const wire = ['link add wire type veth peer name far', 'link set wire up', 'link set far up', 'addr add 10.50.0.1/24 dev wire']
    const off = await broken({ hurt: on.director(...wire, 'link set wire down'), mend: on.director('link del wire') })
    expect(off).toMatchObject({ director: [`link-to-destination, certain: 10.50.0.9:${port}`], server: [] })
    expect(off.findings[0].mend).toEqual(['ip link set wire up'])
    const cut = await broken({ hurt: on.director(...wire, 'link set far down'), mend: on.director('link del wire') })
    expect(cut).toMatchObject({ director: [`link-to-destination, certain: 10.50.0.9:${port}`], server: [] })
  })

  test('without a route to a destination', async () => {
    const port = await single('10.55.0.9', 'nat')
    const found = await broken({ hurt: () => Promise.resolve(), mend: () => Promise.resolve() })
    expect(found).toMatchObject({ director: [`no-route, certain: 10.55.0.9:${port}`], server: [] })
  })

  test('with a destination of direct routing behind a router; of nat it would be reached', async () => {
    const port = await single('10.66.0.9', 'dr')
    const service = { protocol: 'tcp', address: VIP, port } as const
    await ipvs.addDestination(service, { address: '10.66.0.10', port, forward: 'nat' })
    const found = await broken({ hurt: on.director('route add 10.66.0.0/16 via 10.10.20.1'), mend: on.director('route del 10.66.0.0/16') })
    expect(found).toMatchObject({ director: [`dr-behind-router, certain: 10.66.0.9:${port}`], server: [] })
  })

  test('with a destination that does not exist, until there is one', async () => {
    const port = await single('10.10.10.99', 'dr')
    expect(['EHOSTUNREACH', 'ETIMEDOUT']).toContain(await ask(port))
    const found = await broken({ ports: [port], hurt: () => Promise.resolve(), mend: () => Promise.resolve() })
    expect(found).toMatchObject({ director: [`nobody-there, certain: 10.10.10.99:${port}`], server: [] })
    // The neighbour table still has it as failed.
    await backend.host.namespace.ip('addr add 10.10.10.99/24 dev eth0')
    expect(rows(await director())).not.toContain(`nobody-there, certain: 10.10.10.99:${port}`)
    await backend.host.namespace.ip('addr del 10.10.10.99/24 dev eth0')
  })

  test('that tells real servers of a shorter way is warned', async () => {
    const ports = await table()
    const asked = (async () => {
      const end = Date.now() + 3_000
      while (Date.now() < end) await ask(ports.nat)
    })()
    const found = await broken({
      hurt: set.director({ 'net/ipv4/conf/all/send_redirects': 1, 'net/ipv4/conf/br0/send_redirects': 1 }),
      mend: set.director({ 'net/ipv4/conf/all/send_redirects': 0, 'net/ipv4/conf/br0/send_redirects': 0 }),
    })
    await asked
    expect(found).toMatchObject({ director: [`send-redirects, likely: ${own(ports.nat)}`], server: [] })
    expect(found.findings[0]).toMatchObject({
      severity: 'warning',
      mend: ['sysctl -w net.ipv4.conf.all.send_redirects=0', 'sysctl -w net.ipv4.conf.br0.send_redirects=0'],
    })
  })

  test('whose sync settings would lose connections is warned, and with the recommended ones is not', async () => {
    await table()
    await ipvs.startDaemon({ role: 'master', interface: 'br0' })
    const report = await director()
    expect(rows(report)).toEqual(['sync-fail-back, certain:'])
    expect(report.findings[0]).toMatchObject({
      severity: 'warning',
      mend: ['sysctl -w net.ipv4.vs.sync_threshold="3 0" net.ipv4.vs.sync_refresh_period=2'],
    })
    for (const [threshold, refresh, lost] of [
      [[3, 0], 2, 0],
      [[2, 4], 0, 0],
      [[0, 1], 0, 0],
      [[3, 0], 0, 1],
      [[2, 50], 10, 1],
    ] as [[number, number], number, number][]) {
      await ipvs.sysctl.set('sync_threshold', threshold)
      await ipvs.sysctl.set('sync_refresh_period', refresh)
      expect((await director()).findings, threshold.join(' ')).toHaveLength(lost)
    }
    await ipvs.stopDaemon({ role: 'master' })
    expect(rows(await director())).toEqual([])
  })
})

describe('answers that do not return', () => {
  test('nat: the destination has no default route', async () => {
    const ports = await table()
    const found = await broken({ ports: [ports.nat], hurt: on.backend('route del default'), mend: on.backend(`route add default via ${workshop.directorAddress[4]}`) })
    expect(found).toMatchObject({ director: [`answers-nat, certain: ${own(ports.nat)}`], server: [`no-way-back, certain: ${VIP}`] })
    expect(found.findings[0].causes[0].mend).toEqual([`on the destination: ip route replace default via ${workshop.directorAddress[4]}`])
  })

  test('nat: the destination\'s default route leads elsewhere', async () => {
    const ports = await table()
    const found = await broken({
      ports: [ports.nat], hurt: on.backend('route replace default via 10.10.10.2'), mend: on.backend(`route replace default via ${workshop.directorAddress[4]}`),
    })
    expect(found).toMatchObject({ director: [`answers-nat, certain: ${own(ports.nat)}`], server: [`answers-lost, likely: ${backend.address[4]}`] })
    expect(found.findings[1].missing).toContain('via 10.10.10.2')
  })

  test('nat: a client on the destinations\' own network is answered directly', async () => {
    const ports = await table()
    const found = await broken({
      ports: [ports.nat],
      from: '10.10.10.200',
      hurt: () => workshop.client.namespace.ip('addr add 10.10.10.200/24 dev eth0'),
      mend: () => workshop.client.namespace.ip('addr del 10.10.10.200/24 dev eth0'),
    })
    expect(found.director).toEqual([`nat-one-armed, certain: ${own(ports.nat)}`])
    expect(found.findings[0].client).toContain('10.10.10.200')
  })

  test('direct routing: the destination does not have the virtual address', async () => {
    const ports = await table()
    const found = await broken({ ports: [ports.dr], vips: [VIP], hurt: on.backend(`addr del ${VIP}/32 dev lo`), mend: on.backend(`addr add ${VIP}/32 dev lo`) })
    expect(found).toMatchObject({ director: [`answers-direct, likely: ${own(ports.dr)}`], server: [expect.stringMatching(`^vip-missing, (certain|likely): ${VIP}$`)] })
    expect(found.findings[0].causes[0].mend[0]).toBe(`on the destination: ip addr add ${VIP}/32 dev lo`)
  })

  test('direct routing: the destination does not have the virtual address, and forwards', async () => {
    const ports = await table()
    const found = await broken({
      ports: [ports.dr, ports.dr], vips: [VIP],
      hurt: async () => {
        await set.backend({ 'net/ipv4/ip_forward': 1 })()
        await on.backend(`addr del ${VIP}/32 dev lo`)()
      },
      mend: async () => {
        await on.backend(`addr add ${VIP}/32 dev lo`)()
        await set.backend({ 'net/ipv4/ip_forward': 0 })()
        // Forwarding changed this too.
        await set.backend({ 'net/ipv4/conf/all/accept_redirects': 0 })()
      },
    })
    expect(found).toMatchObject({ director: [`destination-sends-back, likely: ${own(ports.dr)}`], server: [`vip-missing, certain: ${VIP}`] })
  })

  test('tunnel: the reverse-path filter is strict on all, or at the tunnel\'s end, wherever the address is', async () => {
    for (const name of ['all', 'tunl0']) {
      const ports = await table()
      const found = await broken({
        ports: [ports.tun], hurt: set.backend({ [`net/ipv4/conf/${name}/rp_filter`]: 1 }), mend: set.backend({ 'net/ipv4/conf/all/rp_filter': 0, 'net/ipv4/conf/tunl0/rp_filter': 0 }),
      })
      expect(found).toMatchObject({ director: [`answers-direct, likely: ${own(ports.tun)}`], server: [`rp-filter, likely: ${VIP}`] })
    }
    const found = await broken({
      hurt: async () => {
        await on.backend(`addr del ${VIP}/32 dev lo`, `addr add ${VIP}/32 dev tunl0`)()
        await set.backend({ 'net/ipv4/conf/tunl0/rp_filter': 1 })()
      },
      mend: set.backend({ 'net/ipv4/conf/tunl0/rp_filter': 0 }),
    })
    expect(found.server).toEqual([`rp-filter, certain: ${VIP}`])
    const loose = await broken({
      hurt: set.backend({ 'net/ipv4/conf/tunl0/rp_filter': 2 }),
      mend: set.backend({ 'net/ipv4/conf/tunl0/rp_filter': 0 }),
    })
    expect(loose.server).toEqual([])
    const down = await broken({ hurt: on.backend('link set tunl0 down'), mend: on.backend('link set tunl0 up') })
    expect(down.server).toEqual([`vip-link-down, certain: ${VIP}`])
    await on.backend(`addr del ${VIP}/32 dev tunl0`, `addr add ${VIP}/32 dev lo`)()
  })

  test('tunnel: its end is down; the client is refused', async () => {
    const ports = await table()
    const links = ['tunl0', 'sit0', 'tunnel0', 'tunnel4', 'tunnel6']
    const found = await broken({
      ports: [ports.tun], hurt: on.backend(...links.map((name) => `link set ${name} down`)), mend: on.backend(...links.map((name) => `link set ${name} up`)),
    })
    expect(found.server).toEqual([`tunnel-end-down, likely: ${VIP}`])
    expect(new Set(found.clients)).toContain('ECONNREFUSED')
  })
})

describe('a real server', () => {
  test('that has the virtual address where it answers ARP for it', async () => {
    const found = await broken({
      vips: [VIP], hurt: on.backend(`addr del ${VIP}/32 dev lo`, `addr add ${VIP}/32 dev eth0`), mend: on.backend(`addr del ${VIP}/32 dev eth0`, `addr add ${VIP}/32 dev lo`),
    })
    expect(found.server).toEqual([`vip-asked-by-arp, certain: ${VIP}`])
  })

  test('whose interface is in the virtual address\'s network is certain to be asked', async () => {
    const found = await broken({
      hurt: async () => {
        await on.backend('addr add 10.10.20.77/24 dev eth0')()
        await set.backend({ 'net/ipv4/conf/all/arp_ignore': 0, 'net/ipv4/conf/all/arp_announce': 0 })()
      },
      mend: async () => {
        await on.backend('addr del 10.10.20.77/24 dev eth0')()
        await set.backend({ 'net/ipv4/conf/all/arp_ignore': 1, 'net/ipv4/conf/all/arp_announce': 2 })()
      },
    })
    expect(found.server).toEqual([`arp-announce, likely: ${VIP}`, `arp-ignore, certain: ${VIP}`])
  })
})

test('two things at a time are both found', async () => {
  const ports = await table()
  const found = await broken({
    ports: [ports.nat, ports.dr],
    hurt: async () => {
      await set.director({ 'net/ipv4/ip_forward': 0 })()
      await on.backend(`addr del ${VIP}/32 dev lo`)()
    },
    mend: async () => {
      await set.director({ 'net/ipv4/ip_forward': 1, 'net/ipv4/conf/all/send_redirects': 0 })()
      await on.backend(`addr add ${VIP}/32 dev lo`)()
    },
  })
  expect(found.director).toEqual([`answers-direct, likely: ${own(ports.dr)}`, `ip-forward, certain: ${own(ports.nat)}`])
})

test('only the virtual addresses that were named are looked at', async () => {
  const port = await single('10.55.0.9', 'nat', '10.41.0.1')
  expect(rows(await director([VIP]))).toEqual([])
  expect(rows(await director(['10.41.0.1']))).toEqual([`no-route, certain: 10.55.0.9:${port}`, `vip-not-here, certain: port ${port}`])
})

test('bad input is refused, and an examination can be ended', async () => {
  await expect(director(['10.0.0'])).rejects.toMatchObject({ field: 'options.vips[0]' })
  await expect(examineRealServer({ vip: VIP } as never)).rejects.toMatchObject({ field: 'options.vip' })
  await expect(examineDirector({} as never)).rejects.toMatchObject({ field: 'ipvs' })
  await expect(examineRealServer({ netns: 'nowhere' })).rejects.toMatchObject({ code: 'ENOENT', reason: 'namespace' })
  await expect(examineDirector(ipvs, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough')
  await expect(examineRealServer({ signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ name: 'TimeoutError' })
})

describe('ipvs doctor', () => {
  const command = (...args: string[]) => workshop.director.namespace.run(process.execPath, [ipvsCommand, 'doctor', ...args])

  test('says it for people and for programs, and by its exit status', async () => {
    const ports = await table()
    expect(await command()).toEqual({ status: 0, stdout: 'Nothing is missing, as far as can be seen from here.\n', stderr: '' })
    await set.director({ 'net/ipv4/ip_forward': 0 })()
    const expected = [
      'fault, certain: this machine does not forward packets, so the answers of destinations with `nat` end here [ip-forward]',
      `  breaks  tcp ${VIP}:${ports.nat} → ${own(ports.nat)}`, '  client  a timeout', '  mend    sysctl -w net.ipv4.ip_forward=1', '',
    ]
    expect(await command()).toEqual({ status: 1, stdout: expected.join('\n'), stderr: '' })
    const { stdout, ...rest } = await command('--json', '--netns', workshop.director.namespace.path, '--vip', VIP)
    expect(rest).toEqual({ status: 1, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({
      on: 'director',
      notLooked: [],
      findings: [{ row: 'ip-forward', breaks: [{ service: { port: ports.nat } }] }],
    })
    await set.director({ 'net/ipv4/ip_forward': 1, 'net/ipv4/conf/all/send_redirects': 0 })()
    await ipvs.startDaemon({ role: 'master', interface: 'br0' })
    await ipvs.sysctl.set('sync_threshold', [3, 50])
    expect(await command()).toMatchObject({ status: 4, stdout: expect.stringContaining('warning, certain: ') as string })
    await ipvs.stopDaemon({ role: 'master' })
    expect(
      await command('--on', 'real-server', '--netns', backend.host.namespace.path, '--vip', VIP, '--vip', workshop.virtual[6]),
    ).toMatchObject({ status: 0, stderr: '' })
  })

  test('needs no CAP_SYS_ADMIN in its own namespace, and says what was not looked at without CAP_NET_RAW', async () => {
    await table()
    const { status, stdout } = await workshop.director.namespace.run('setpriv', [
      '--bounding-set=-net_raw,-sys_admin',
      '--inh-caps=-net_raw,-sys_admin',
      process.execPath,
      ipvsCommand,
      'doctor',
    ])
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: 'Nothing is missing, as far as can be seen from here.\n'
        + `not looked: who answers ARP for ${VIP} (the question needs a packet socket, which needs CAP_NET_RAW)\n`,
    })
  })

  test('says what is wrong with its command line, or out of reach', async () => {
    for (const [args, words] of [
      [['--on', 'moon'], "--on 'moon'; expected director or real-server"],
      [['--vip', '10.0.0'], "--vip '10.0.0'; expected an IPv4 or IPv6 address"],
      [['--what'], "Unknown option '--what'"],
      [['more'], "Unexpected argument 'more'"],
      [['--vip'], "'--vip <value>' argument missing"],
    ] as const) {
      expect(await command(...args), args.join(' ')).toMatchObject({
        status: 2,
        stdout: '',
        stderr: expect.stringContaining(words) as string,
      })
    }
    expect(await command('--netns', 'nowhere')).toMatchObject({
      status: 3,
      stdout: '',
      stderr: expect.stringContaining("network namespace 'nowhere'") as string,
    })
    expect(await command('--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('Usage: ipvs doctor') as string })
  })
})
