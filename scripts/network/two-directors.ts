import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Host } from './host.js'
import { Namespace } from './namespace.js'
import { Program } from './program.js'

const checkout = dirname(createRequire(import.meta.url).resolve('ipvs/package.json'))
const command = join(checkout, 'dist/bin/ipvs.cjs')

/** The addresses of the network. */
export const ADDRESSES = { nat: '10.0.0.100', dr: '10.0.0.200', gateway: '10.1.0.254', client: '10.0.0.10' } as const
const ADDRESSES6 = { nat: 'fd00::100', dr: 'fd00::200', gateway: 'fd01::254', client: 'fd00::10' } as const

type Family = 4 | 6

/** Each family's addresses. The networks are the clients' (front) and the one behind the directors (back). */
const PLAN = {
  4: { addresses: ADDRESSES, front: '10.0.0.', back: '10.1.0.', prefix: 24, whole: 32 },
  6: { addresses: ADDRESSES6, front: 'fd00::', back: 'fd01::', prefix: 64, whole: 128 },
} as const
const PORT = 80
/** The port on which the real servers tell whether they are well. */
const HEALTH = 81

/** What of net.ipv4.vs loses no connection when a director dies and returns. */
export const SYNC_SETTINGS = { sync_threshold: '3 0', sync_refresh_period: '2' } as const

const COMMON = {
  'net/ipv4/conf/all/rp_filter': 0, 'net/ipv4/conf/default/rp_filter': 0,
  'net/ipv4/conf/all/accept_redirects': 0, 'net/ipv4/conf/default/accept_redirects': 0,
  'net/ipv6/conf/all/accept_redirects': 0, 'net/ipv6/conf/default/accept_redirects': 0,
  // IPv6 addresses can be used at once.
  'net/ipv6/conf/all/accept_dad': 0, 'net/ipv6/conf/default/accept_dad': 0, 'net/ipv6/conf/default/dad_transmits': 0,
}

/** What is told to keepalived besides. */
export interface TwoDirectorsOptions {
  /** Seconds between two advertisements. */
  advertisements?: number
  /** Whether the machine with the higher priority leaves the addresses to the other after its return. True by default. */
  nopreempt?: boolean
  /** Ports of the services. 80 by default, on which the servers answer with their names. */
  ports?: readonly number[]
  /** What the services, and what VRRP moves, are addressed by. 4 by default. */
  family?: Family
}

/** One of the two directors: a machine that can be cut off, and made anew. */
export class DirectorMachine implements AsyncDisposable {
  #namespace: Namespace
  keepalived: Program | undefined
  director: Program | undefined

  private constructor(
    readonly number: 1 | 2,
    readonly folder: string,
    private readonly bridge: Namespace,
    private readonly family: Family,
    namespace: Namespace,
  ) {
    this.#namespace = namespace
  }

  static async create(number: 1 | 2, folder: string, bridge: Namespace, family: Family): Promise<DirectorMachine> {
    const machine = new DirectorMachine(number, folder, bridge, family, await Namespace.create(`d${number}`))
    await machine.#connect()
    return machine
  }

  get name(): string {
    return `d${this.number}`
  }

  get namespace(): Namespace {
    return this.#namespace
  }

  get configuration(): string {
    return join(this.folder, `${this.name}.conf`)
  }

  get trackFile(): string {
    return join(this.folder, `${this.name}.track`)
  }

  get fifo(): string {
    return join(this.folder, `${this.name}.fifo`)
  }

  async #connect(): Promise<void> {
    const { name, number, bridge, namespace } = this
    const { front, back, prefix } = PLAN[this.family]
    const settings = {
      ...COMMON, 'net/ipv4/ip_forward': 1, 'net/ipv6/conf/all/forwarding': 1,
      'net/ipv4/conf/all/send_redirects': 0, 'net/ipv4/conf/default/send_redirects': 0,
    }
    // First, because an interface takes what is the default when it is made.
    for (const [file, value] of Object.entries(settings)) await namespace.must('sh', ['-c', `echo ${value} > /proc/sys/${file}`])
    // A machine has the same hardware addresses after its return.
    await bridge.ip(...['front', 'back'].flatMap((side, index) => [
      `link add ${name}-${side} type veth peer name eth${index} address 02:00:00:00:0${index}:0${number} netns ${namespace.name}`,
      `link set ${name}-${side} master ${side} up`,
    ]))
    await namespace.ip(
      'link set eth0 up', 'link set eth1 up', `addr add ${front}${number}/${prefix} dev eth0`, `addr add ${back}${number}/${prefix} dev eth1`,
    )
  }

  /** Writes settings of net.ipv4.vs, which are there once IPVS is in use. */
  async settings(values: Record<string, string>): Promise<void> {
    // Whoever lists the table has the module loaded.
    await this.namespace.must('ipvsadm', ['-Ln'])
    for (const [name, value] of Object.entries(values)) await this.namespace.must('sh', ['-c', `echo ${value} > /proc/sys/net/ipv4/vs/${name}`])
  }

  /** Starts keepalived, for VRRP alone. */
  async startKeepalived(): Promise<void> {
    this.keepalived = new Program(this.namespace, 'keepalived', [
      '-n', '-l', '-D', '--vrrp', '-f', this.configuration, '-p', this.#pidFile('keepalived'), '-r', this.#pidFile('vrrp'),
    ])
    await this.keepalived.printed(/entering (BACKUP|FAULT) state/i)
  }

  /** Starts `ipvs director`, and waits until it directs. */
  async startDirector(...options: string[]): Promise<void> {
    const args = ['director', '--keepalived', this.configuration, '--sync', 'eth1', '--track-file', this.trackFile, ...options]
    this.director = new Program(this.namespace, process.execPath, [command, ...args])
    await this.director.printed(/directs \d+ services?/)
  }

  /** Runs `ipvs` inside. */
  async ipvs(...args: string[]): Promise<{ status: number | null, stdout: string, stderr: string }> {
    return this.namespace.run(process.execPath, [command, ...args])
  }

  #pidFile(what: 'keepalived' | 'vrrp'): string {
    return join(this.folder, `${this.name}-${what}.pid`)
  }

  /**
   * Kills keepalived (kill -9): its first process, the one that does VRRP, or both. After both nobody starts it again, or takes the
   * addresses away.
   */
  async killKeepalived(which: 'parent' | 'child' | 'both' = 'both'): Promise<void> {
    const { keepalived } = this
    if (keepalived === undefined) return
    const child = Number(await readFile(this.#pidFile('vrrp'), 'utf8'))
    if (which === 'child') return void process.kill(child, 'SIGKILL')
    // The child gets a SIGTERM when its parent dies. It is not to act upon that where it is to die as well.
    if (which === 'both') process.kill(child, 'SIGSTOP')
    process.kill(keepalived.pid, 'SIGKILL')
    if (which === 'both') process.kill(child, 'SIGKILL')
    await keepalived.end('SIGKILL')
    this.keepalived = undefined
  }

  async stopKeepalived(): Promise<void> {
    await this.keepalived?.end()
    this.keepalived = undefined
  }

  /** Cuts the links off, or joins them again. */
  async link(to: 'down' | 'up', ...sides: ('front' | 'back')[]): Promise<void> {
    await this.bridge.ip(...(sides.length === 0 ? ['front', 'back'] : sides).map((side) => `link set ${this.name}-${side} ${to}`))
  }

  /** The machine dies: its links at once, then everything on it. */
  async die(): Promise<void> {
    await this.link('down')
    await this.#end()
    await this.bridge.ip(`link del ${this.name}-front`, `link del ${this.name}-back`)
    await this.#namespace[Symbol.asyncDispose]()
  }

  /** It is there again, with nothing in its tables. */
  async bear(): Promise<void> {
    this.#namespace = await Namespace.create(this.name)
    await this.#connect()
  }

  /** Whether it has an address. */
  async holds(address: string): Promise<boolean> {
    const { stdout } = await this.namespace.run('ip', ['-o', 'addr', 'show'])
    return stdout.includes(` ${address}/`)
  }

  /** How many real servers its table has. */
  async destinations(): Promise<number> {
    return (await this.namespace.must('ipvsadm', ['-Sn'])).split('\n').filter((line) => line.startsWith('-a')).length
  }

  /** Client ports of the connections that it knows, of whatever origin. */
  async clientPorts(): Promise<Set<number>> {
    const text = await this.namespace.must('cat', ['/proc/net/ip_vs_conn'])
    return new Set(text.trimEnd().split('\n').slice(1).map((line) => parseInt(line.split(/\s+/)[2], 16)))
  }

  /** Messages of connection sync, which is all that goes by UDP here. */
  async syncMessages(): Promise<{ sent: number, received: number }> {
    const [names, numbers] = (await this.namespace.must('cat', ['/proc/net/snmp'])).split('\n')
      .filter((line) => line.startsWith('Udp:')).map((line) => line.split(' '))
    const [sent, received] = ['OutDatagrams', 'InDatagrams'].map((name) => Number(numbers[names.indexOf(name)]))
    return { sent, received }
  }

  async #end(): Promise<void> {
    for (const program of [this.director, this.keepalived]) await program?.end(program === this.keepalived ? 'SIGTERM' : 'SIGKILL')
    this.director = undefined
    this.keepalived = undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end()
    await this.#namespace[Symbol.asyncDispose]()
  }
}

/** A real server: 10.1.0.11 or .12 behind the directors (NAT), 10.0.0.21 or .22 on the clients' network (DR). */
interface Server {
  name: string
  host: Host
  nat: string
  dr: string
}

/**
 * The network of the course's last lesson, in namespaces: two directors, with the address of each service moved by VRRP.
 *
 *     client   10.0.0.10 ─────────────────────────┐ front
 *     d1, d2   10.0.0.1, .2; 10.0.0.100, .200 ────┤          back: 10.1.0.1, .2; 10.1.0.254 (the servers' gateway)
 *     alpha    10.0.0.21, 10.0.0.200 on lo (DR) ──┤          back: 10.1.0.11 (NAT)
 *     beta     10.0.0.22, 10.0.0.200 on lo (DR) ──┘          back: 10.1.0.12 (NAT)
 *
 * Or the same with fd00::/64 in front and fd01::/64 behind.
 */
export class TwoDirectors implements AsyncDisposable {
  private constructor(
    private readonly bridge: Namespace,
    readonly folder: string,
    readonly client: Host,
    readonly servers: readonly Server[],
    readonly directors: readonly [DirectorMachine, DirectorMachine],
    /** Those of the services (nat, dr), of the servers' way back, and the client's. */
    readonly addresses: Record<keyof typeof ADDRESSES, string>,
  ) {}

  static async create(options: TwoDirectorsOptions = {}): Promise<TwoDirectors> {
    const { family = 4 } = options
    const { addresses, prefix } = PLAN[family]
    const bridge = await Namespace.create('bridge')
    await bridge.ip(...['front', 'back'].flatMap((side) => [
      `link add name ${side} type bridge mcast_snooping 0 forward_delay 0`, `link set ${side} up`,
    ]))
    // keepalived trusts what is root's, up to the root.
    const folder = await mkdtemp('/run/two-directors-')
    const client = await Host.create('client')
    await client.sysctl(COMMON)
    await bridge.ip(`link add client type veth peer name eth0 netns ${client.namespace.name}`, 'link set client master front up')
    await client.namespace.ip('link set eth0 up', `addr add ${addresses.client}/${prefix} dev eth0`)
    const servers = await Promise.all(['alpha', 'beta'].map((name, index) => makeServer(bridge, family, name, index + 1)))
    const machineOf = (number: 1 | 2): Promise<DirectorMachine> => DirectorMachine.create(number, folder, bridge, family)
    const directors = [await machineOf(1), await machineOf(2)] as const
    for (const machine of directors) {
      await writeFile(machine.configuration, keepalivedConfiguration(machine, servers, options), { mode: 0o644 })
      await writeFile(machine.trackFile, '0\n')
    }
    return new TwoDirectors(bridge, folder, client, servers, directors, addresses)
  }

  /** What VRRP moves. */
  get vips(): string[] {
    const { nat, dr, gateway } = this.addresses
    return [nat, dr, gateway]
  }

  /** Which of the directors have an address. */
  async holders(address = this.addresses.nat): Promise<string[]> {
    const holders: string[] = []
    for (const machine of this.directors) if (await machine.holds(address)) holders.push(machine.name)
    return holders
  }

  /** Waits until these directors, and no others, have every address. */
  async heldBy(...names: string[]): Promise<void> {
    for (const end = performance.now() + 120_000; ;) {
      const all = await Promise.all(this.vips.map((address) => this.holders(address)))
      if (all.every((holders) => holders.join() === names.join())) return
      if (performance.now() > end) throw new Error(`the addresses are held by ${JSON.stringify(all)}, not by ${names.join()}`)
      await setTimeout(50)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const machine of this.directors) await machine[Symbol.asyncDispose]()
    await this.client[Symbol.asyncDispose]()
    for (const { host } of this.servers) await host[Symbol.asyncDispose]()
    await this.bridge[Symbol.asyncDispose]()
    await rm(this.folder, { recursive: true, force: true })
  }
}

async function makeServer(bridge: Namespace, family: Family, name: string, number: number): Promise<Server> {
  const host = await Host.create(name)
  const { addresses, front, back, prefix, whole } = PLAN[family]
  const server = { name, host, nat: `${back}1${number}`, dr: `${front}2${number}` }
  await host.sysctl({ ...COMMON, 'net/ipv4/conf/all/arp_ignore': 1, 'net/ipv4/conf/all/arp_announce': 2 })
  await bridge.ip(...['front', 'back'].flatMap((side, index) => [
    `link add ${name}-${side} type veth peer name eth${index} netns ${host.namespace.name}`, `link set ${name}-${side} master ${side} up`,
  ]))
  await host.namespace.ip(
    'link set eth0 up', 'link set eth1 up', `addr add ${server.dr}/${prefix} dev eth0`, `addr add ${server.nat}/${prefix} dev eth1`,
    `addr add ${addresses.dr}/${whole} dev lo`,
  )
  // What was asked through a director that translates goes back through it. The directors' own checks are answered directly: before
  // VRRP has given the gateway to one of them, they would take the servers for dead.
  const wayBack = [
    `route add ${back}${family === 6 ? '' : '0'}/${prefix} dev eth1 table 100`, `route add default via ${addresses.gateway} dev eth1 table 100`,
    `rule add from ${server.nat} lookup 100`,
  ]
  await (family === 6 ? host.namespace.ip6(...wayBack) : host.namespace.ip(...wayBack))
  for (const address of [server.nat, addresses.dr]) await host.serve('tcp', address, PORT, name)
  for (const address of [server.nat, server.dr]) await host.serve('tcp', address, HEALTH, name)
  return server
}

/** A keepalived.conf that both read: keepalived its half, and `ipvs director` the other. */
function keepalivedConfiguration(machine: DirectorMachine, servers: readonly Server[], options: TwoDirectorsOptions): string {
  const { advertisements = 1, nopreempt = true, ports = [PORT], family = 4 } = options
  const { addresses, prefix, whole } = PLAN[family]
  // VRRP of IPv6 demands that the first address is one of the link.
  const ofLink = (number: number): string[] => family === 6 ? [`fe80::${number}/64`] : []
  const instance = (name: string, device: string, id: number, moved: readonly string[]): string => `
vrrp_instance ${name} {
  state BACKUP${nopreempt ? '\n  nopreempt' : ''}
  interface ${device}
  virtual_router_id ${id}
  priority ${machine.number === 1 ? 150 : 100}
  advert_int ${advertisements}
  track_file {
    director weight 1
  }
  virtual_ipaddress {
    ${moved.map((address) => `${address} dev ${device}`).join('\n    ')}
  }
}
`
  const virtual = (address: string, port: number, kind: 'NAT' | 'DR', own: (server: Server) => string): string => `
virtual_server ${address} ${port} {
  delay_loop 2
  lb_algo rr
  lb_kind ${kind}
  protocol TCP
${servers.map((server) => `  real_server ${own(server)} ${port} {
    TCP_CHECK {
      connect_port ${HEALTH}
      connect_timeout 5
    }
  }`).join('\n')}
}
`
  return `global_defs {
  router_id ${machine.name}
  script_user root
  enable_script_security
  vrrp_version 3
  vrrp_notify_fifo ${machine.fifo}
  vrrp_garp_master_delay 1
}

vrrp_track_file director {
  file ${machine.trackFile}
  init_file -254
}

vrrp_sync_group lvs {
  group {
    front
    back
  }
}
${instance('front', 'eth0', 51, [...ofLink(51), `${addresses.nat}/${whole}`, `${addresses.dr}/${whole}`])}
${instance('back', 'eth1', 52, [...ofLink(52), `${addresses.gateway}/${prefix}`])}
${ports.map((port) => virtual(addresses.nat, port, 'NAT', ({ nat }) => nat) + virtual(addresses.dr, port, 'DR', ({ dr }) => dr)).join('')}`
}
