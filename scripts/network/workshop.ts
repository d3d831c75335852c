import { Host } from './host.js'

/** The two address families, with every address of the workshop. */
const plan = {
  4: {
    virtual: '10.10.20.100', director: '10.10.10.254', gateway: '10.10.20.254',
    clients: ['10.10.20.1', '10.10.20.2', '10.10.20.3', '10.10.20.4'], backend: (number: number) => `10.10.10.${number}`,
    prefix: 24, whole: 32, clientNetwork: '10.10.20.0/24',
  },
  6: {
    virtual: 'fd00:20::100', director: 'fd00:10::254', gateway: 'fd00:20::254',
    clients: ['fd00:20::1', 'fd00:20::2', 'fd00:20::3', 'fd00:20::4'], backend: (number: number) => `fd00:10::${number}`,
    prefix: 64, whole: 128, clientNetwork: 'fd00:20::/64',
  },
} as const

const families = [4, 6] as const

/** Makes addresses usable at once, and disables redirects and reverse-path filtering. */
const common = {
  'net/ipv6/conf/all/accept_dad': 0, 'net/ipv6/conf/default/accept_dad': 0, 'net/ipv6/conf/default/dad_transmits': 0,
  'net/ipv4/conf/all/rp_filter': 0, 'net/ipv4/conf/default/rp_filter': 0,
  'net/ipv4/conf/all/accept_redirects': 0, 'net/ipv4/conf/default/accept_redirects': 0,
  'net/ipv6/conf/all/accept_redirects': 0, 'net/ipv6/conf/default/accept_redirects': 0,
}
const router = {
  'net/ipv4/ip_forward': 1, 'net/ipv6/conf/all/forwarding': 1,
  'net/ipv4/conf/all/send_redirects': 0, 'net/ipv4/conf/default/send_redirects': 0,
}
/** A backend has the virtual address too, but must not answer ARP for it. */
const silent = {
  'net/ipv4/conf/all/arp_ignore': 1, 'net/ipv4/conf/all/arp_announce': 2,
}

/** The commands that give a backend its addresses and its routes to the client. */
const reach = (family: 4 | 6, address: string): string[] => {
  const { prefix, whole, virtual, director, clientNetwork } = plan[family]
  return [
    `addr add ${address}/${prefix} dev eth0`,
    `route add default via ${director}`,
    `addr add ${virtual}/${whole} dev lo`,
    `route add ${clientNetwork} dev eth0 table 100`,
    `rule add from ${virtual} lookup 100`,
  ]
}

/** A backend (real server) of the workshop. */
export interface Backend {
  name: string
  host: Host
  /** Its own address, of each family. */
  address: Record<4 | 6, string>
}

/**
 * The network of the classic LVS workshop, in namespaces: a client, a director and backends on one segment, the client in a network of its
 * own.
 *
 *     client  10.10.20.1-4 ──┐
 *     director  .20.254, .20.100 (virtual), 10.10.10.254 ──┤ br0
 *     backends  10.10.10.1, .2, … and 10.10.20.100 on lo ──┘
 *
 * IPv6 is the same with fd00:20::/64 and fd00:10::/64. Answers find their way with every forwarding method: from a backend's own address
 * through the director, which translates it (NAT); from the virtual address directly to the client (DR, TUN).
 */
export class Workshop {
  private constructor(readonly client: Host, readonly director: Host, readonly backends: Backend[]) {}

  /** Each family's virtual address. */
  readonly virtual: Record<4 | 6, string> = { 4: plan[4].virtual, 6: plan[6].virtual }
  /** The client's source addresses. */
  readonly clients: Record<4 | 6, readonly string[]> = { 4: plan[4].clients, 6: plan[6].clients }
  /** The director's address on the backends' network. */
  readonly directorAddress: Record<4 | 6, string> = { 4: plan[4].director, 6: plan[6].director }

  /** @param names The backends' names. */
  static async create(names: readonly string[]): Promise<Workshop> {
    const [client, director, ...hosts] = await Promise.all(['client', 'director', ...names].map(name => Host.create(name)))
    const backends = hosts.map((host, index) => ({
      name: names[index], host, address: { 4: plan[4].backend(index + 1), 6: plan[6].backend(index + 1) },
    }))
    await Promise.all([
      client.sysctl(common),
      director.sysctl({ ...common, ...router }),
      ...backends.map(({ host }) => host.sysctl({ ...common, ...silent })),
    ])

    // Each host gets a veth pair, made in the director's namespace. One end stays there in the bridge, the other moves to the host.
    await director.namespace.ip(
      'link add br0 type bridge',
      'link set br0 up',
      ...[client, ...hosts].flatMap((host, index) => [
        `link add port${index} type veth peer name eth0 netns ${host.namespace.name}`,
        `link set port${index} master br0 up`,
      ]),
      ...families.flatMap(family => [
        `addr add ${plan[family].director}/${plan[family].prefix} dev br0`,
        `addr add ${plan[family].gateway}/${plan[family].prefix} dev br0`,
        `addr add ${plan[family].virtual}/${plan[family].whole} dev br0`,
      ]),
    )
    await Promise.all([
      client.namespace.ip(
        'link set eth0 up',
        ...families.flatMap(family => [
          ...plan[family].clients.map(address => `addr add ${address}/${plan[family].prefix} dev eth0`),
          `route add default via ${plan[family].gateway}`,
        ]),
      ),
      ...backends.map(async ({ host, address }) => {
        await host.namespace.ip('link set eth0 up', ...reach(4, address[4]))
        await host.namespace.ip6(...reach(6, address[6]))
      }),
    ])
    return new Workshop(client, director, backends)
  }

  /**
   * Makes the backends accept tunnelled packets (IPIP, GUE and GRE), with both address families inside and outside the tunnel.
   *
   * @param guePort The port for GUE.
   * @param greChecksums The names of backends that expect checksums in GRE packets. A receiver must be told.
   */
  async openTunnels({ guePort = 6080, greChecksums = [] }: { guePort?: number, greChecksums?: readonly string[] } = {}): Promise<void> {
    await Promise.all(this.backends.map(async ({ name, host, address }) => {
      const gre = greChecksums.includes(name) ? 'icsum' : ''
      await host.namespace.ip(
        'link set tunl0 up', 'link set sit0 up',
        `link add tunnel0 type ip6tnl mode any local ${address[6]}`, 'link set tunnel0 up',
        `link add tunnel4 type gre local ${address[4]} ${gre}`, 'link set tunnel4 up',
        `link add tunnel6 type ip6gre local ${address[6]} ${gre}`, 'link set tunnel6 up',
        `fou add port ${guePort} gue`,
      )
      await host.namespace.ip6(`fou add port ${guePort} gue`)
      // These devices were created before the workshop changed the defaults.
      await host.sysctl({ 'net/ipv4/conf/tunl0/rp_filter': 0, 'net/ipv4/conf/sit0/rp_filter': 0 })
    }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.client, this.director, ...this.backends.map(({ host }) => host)].map(host => host[Symbol.asyncDispose]()))
  }
}
