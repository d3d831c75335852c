import { familyOfAddress } from '../../model/keys.js'
import type { Link } from '../../network/index.js'
import { contains, wholeLength } from '../subnet.js'
import { grouped, type Found, type Row } from '../row.js'
import type { ServerSight } from '../server-sight.js'

/** Kinds of links whose packets come out of a tunnel. */
const TUNNELS = new Set(['ipip', 'sit', 'ip6tnl', 'gre', 'ip6gre'])

/** The links that have an address. */
const holders = ({ machine }: ServerSight, address: string): Link[] =>
  machine.addresses.filter((own) => own.address === address).map((own) => machine.link(own.interface)!)

const isTunnel = ({ kind }: Link): boolean => kind !== null && TUNNELS.has(kind)

const settingOf = async ({ machine }: ServerSight, link: Link, name: string): Promise<number> => {
  const values = await Promise.all(['all', link.name].map((place) => machine.setting(`ipv4/conf/${place}/${name}`)))
  return Math.max(...values.map((value) => Number(value ?? 0)))
}

/** Links on which somebody may ask by ARP for the address. Sure where this machine has another address of its network there. */
function askedLinks(sight: ServerSight, address: string): { link: Link, sure: boolean }[] {
  const inTunnel = holders(sight, address).every(isTunnel)
  return sight.machine.links.filter(({ arp, running }) => arp && running).flatMap((link) => {
    const sure = sight.machine.addresses.some((own) => own.interface === link.name && contains(own, address))
    // What comes through a tunnel comes from afar: nobody on this link needs to ask for the address.
    return sure || !inTunnel ? [{ link, sure }] : []
  })
}

/** The ends of tunnels that packets for the address come out of. Sure where the address is on one. */
function tunnelEnds(sight: ServerSight, address: string): { link: Link, sure: boolean }[] {
  const own = holders(sight, address)
  const tunnels = own.filter((link) => isTunnel(link) && link.up)
  if (tunnels.length > 0 || own.length === 0) return tunnels.map((link) => ({ link, sure: true }))
  return sight.machine.links.filter(({ name, up }) => name === 'tunl0' && up).map((link) => ({ link, sure: false }))
}

const ipv4 = (sight: ServerSight): string[] => sight.vips.filter((address) => familyOfAddress(address) === 4)
const ipv6 = (sight: ServerSight): string[] => sight.vips.filter((address) => familyOfAddress(address) === 6)
const here = (sight: ServerSight, addresses: readonly string[]): string[] =>
  addresses.filter((address) => holders(sight, address).length > 0)

async function arpSetting(
  sight: ServerSight,
  name: string,
  isMissing: (value: number, link: Link, address: string) => boolean,
  mend: (address: string, link: Link) => string[],
): Promise<Found[]> {
  const found: Found[] = []
  for (const address of here(sight, ipv4(sight))) {
    for (const { link, sure } of askedLinks(sight, address)) {
      if (!isMissing(await settingOf(sight, link, name), link, address)) continue
      found.push({ breaks: [{ address }], certainty: sure ? 'certain' : 'likely', mend: mend(address, link) })
    }
  }
  return found
}

/** What a real server must be prepared with. */
export const serverRows: readonly Row<ServerSight>[] = [
  {
    name: 'vip-missing',
    on: 'real-server',
    severity: 'fault',
    certainty: 'likely',
    missing: 'this machine does not have the virtual address, which `dr` and `tun` need (`nat` does not)',
    client: 'a timeout',
    sign: 'the address was given with --vip, and the route to it is not `local`; certain where `Ip InAddrErrors` or `Ip ForwDatagrams` (IPv6: `Ip6InAddrErrors`, `Ip6OutForwDatagrams`) grew within two seconds',
    async look(sight) {
      const found: Found[] = []
      if (!sight.given) return found
      for (const address of sight.vips) {
        const isOnDownLink = holders(sight, address).some(({ up }) => !up)
        if (isOnDownLink || (await sight.machine.route(address)).type === 'local') continue
        const isIPv6 = familyOfAddress(address) === 6
        const forwards = sight.machine.grown(isIPv6 ? 'Ip6.OutForwDatagrams' : 'Ip.ForwDatagrams') > 0
        found.push({
          breaks: [{ address }],
          certainty: forwards || sight.machine.grown(isIPv6 ? 'Ip6.InAddrErrors' : 'Ip.InAddrErrors') > 0 ? 'certain' : 'likely',
          missing:
            `this machine does not have the virtual address ${address}, which \`dr\` and \`tun\` need (\`nat\` does not)` +
            (forwards ? '; it forwards what comes for it' : ''),
          client: forwards ? 'that the host is unreachable, or a timeout: the packets go back to the director' : 'a timeout',
          mend: [`ip addr add ${address}/${wholeLength(address)} dev lo`],
        })
      }
      return found
    },
  },
  {
    name: 'vip-link-down',
    on: 'real-server',
    severity: 'fault',
    certainty: 'certain',
    missing: 'the interface with the virtual address is switched off',
    client: 'that the connection is refused, where it is the end of the tunnel; otherwise a timeout',
    sign: 'the address is on an interface that is not up (tunl0, for `tun`)',
    look: (sight) =>
      sight.vips.flatMap((address) => {
        const links = holders(sight, address)
        if (links.length === 0 || links.some(({ up }) => up)) return []
        return [
          {
            breaks: [{ address }],
            missing: `${links[0].name}, which has the virtual address ${address}, is switched off`,
            client: isTunnel(links[0]) ? 'that the connection is refused, at once' : 'a timeout',
            mend: [`ip link set ${links[0].name} up`],
          },
        ]
      }),
  },
  {
    name: 'tunnel-end-down',
    on: 'real-server',
    severity: 'fault',
    certainty: 'likely',
    missing: 'tunnelled packets come, and nothing here takes them out of the tunnel',
    client: 'that the connection is refused, at once',
    sign: 'there are interfaces for tunnels, and all are switched off; `Icmp OutDestUnreachs` grew by more than `Udp NoPorts` within two seconds',
    look(sight) {
      const tunnels = sight.machine.links.filter(isTunnel)
      const unexplained = sight.machine.grown('Icmp.OutDestUnreachs') - sight.machine.grown('Udp.NoPorts')
      if (unexplained <= 0 || tunnels.length === 0 || tunnels.some(({ up }) => up)) return []
      return [{ breaks: ipv4(sight).map((address) => ({ address })), mend: [`ip link set ${tunnels[0].name} up`] }]
    },
  },
  {
    name: 'rp-filter',
    on: 'real-server',
    severity: 'fault',
    certainty: 'certain',
    missing: 'what comes out of the tunnel is dropped, because the way back to the client is another one (strict reverse-path filter)',
    client: 'a timeout',
    sign:
      '`rp_filter` is 1 on an interface for tunnels that has the virtual address, or on `all`: the larger of the two counts. 2 (loose) works. ' +
      'Likely only, where the address is on lo and tunl0 is up',
    async look(sight) {
      const found: Found[] = []
      for (const address of ipv4(sight)) {
        for (const { link, sure } of tunnelEnds(sight, address)) {
          if ((await settingOf(sight, link, 'rp_filter')) !== 1) continue
          found.push({
            breaks: [{ address }],
            certainty: sure ? 'certain' : 'likely',
            missing: `what comes out of the tunnel at ${link.name} is dropped, because the way back to the client is another one (strict reverse-path filter)`,
            mend: [`sysctl -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.${link.name}.rp_filter=0`],
          })
        }
      }
      return found
    },
  },
  {
    name: 'rp-filter-drops',
    on: 'real-server',
    severity: 'fault',
    certainty: 'likely',
    missing: 'packets are dropped because the way back to their sender is another one (strict reverse-path filter)',
    client: 'a timeout',
    sign: '`TcpExt IPReversePathFilter` grew within two seconds, and no row above says why',
    async look(sight) {
      if (sight.machine.grown('TcpExt.IPReversePathFilter') === 0) return []
      const strict: string[] = []
      for (const link of sight.machine.links.filter(({ up, loopback }) => up && !loopback)) {
        if ((await settingOf(sight, link, 'rp_filter')) === 1) strict.push(link.name)
      }
      const isKnown = ipv4(sight).some((address) => tunnelEnds(sight, address).some(({ link }) => strict.includes(link.name)))
      if (strict.length === 0 || isKnown) return []
      return [
        {
          breaks: ipv4(sight).map((address) => ({ address })),
          mend: [`sysctl -w ${['all', ...strict].map((name) => `net.ipv4.conf.${name}.rp_filter=2`).join(' ')}`],
        },
      ]
    },
  },
  {
    name: 'vip-asked-by-arp',
    on: 'real-server',
    severity: 'fault',
    certainty: 'certain',
    missing: 'the virtual address is on an interface that answers ARP (IPv6: neighbour solicitations) for it whatever `arp_ignore` says: it belongs on lo',
    client: 'answers, but always of this server: the director is passed by',
    sign: 'an address that was given with --vip is on an Ethernet; for IPv4, `arp_ignore` is not 8 there',
    look: async (sight) => {
      if (!sight.given) return []
      const onLo = (address: string, link: Link): string[] => {
        const whole = `${address}/${wholeLength(address)}`
        return [`ip addr add ${whole} dev lo`, `ip addr del ${whole} dev ${link.name}`]
      }
      return [
        ...(await arpSetting(sight, 'arp_ignore', (value, link, address) => value !== 8 && holders(sight, address).includes(link), onLo)),
        ...ipv6(sight).flatMap((address) =>
          holders(sight, address)
            .filter(({ arp, running }) => arp && running)
            .map((link) => ({ breaks: [{ address }], mend: onLo(address, link) })),
        ),
      ]
    },
  },
  {
    name: 'arp-ignore',
    on: 'real-server',
    severity: 'fault',
    certainty: 'certain',
    missing: 'this machine answers ARP for the virtual address',
    client: 'answers, but always of the same server, or of whichever machine answered ARP last: the director is passed by',
    sign: "`arp_ignore` is 0 on the interface and on `all`; likely only, where the interface has no address of the virtual address's network",
    look: (sight) =>
      arpSetting(
        sight,
        'arp_ignore',
        (value, link, address) => value === 0 && !holders(sight, address).includes(link),
        () => ['sysctl -w net.ipv4.conf.all.arp_ignore=1'],
      ),
  },
  {
    name: 'arp-announce',
    on: 'real-server',
    severity: 'fault',
    certainty: 'likely',
    missing: 'this machine names the virtual address as its own when it asks others by ARP, and they remember that',
    client: 'from time to time answers of this server alone: the director is passed by until the neighbours ask again',
    sign: '`arp_announce` is less than 2 on the interface and on `all`',
    look: async (sight) =>
      (
        await arpSetting(
          sight,
          'arp_announce',
          (value, link, address) => value < 2 && !holders(sight, address).includes(link),
          () => ['sysctl -w net.ipv4.conf.all.arp_announce=2'],
        )
      ).map((found) => ({ ...found, certainty: 'likely' as const })),
  },
  {
    name: 'no-way-back',
    on: 'real-server',
    severity: 'fault',
    certainty: 'certain',
    missing: 'this machine has no route to those whom it should answer',
    client: 'a timeout',
    sign: '`Ip OutNoRoutes` (IPv6: `Ip6OutNoRoutes`) grew within two seconds',
    look(sight) {
      const families = [
        { counter: 'Ip.OutNoRoutes', addresses: ipv4(sight), ip: 'ip' },
        { counter: 'Ip6.OutNoRoutes', addresses: ipv6(sight), ip: 'ip -6' },
      ]
      return families.filter(({ counter }) => sight.machine.grown(counter) > 0).map(({ addresses, ip }) => ({
        breaks: addresses.map((address) => ({ address })),
        mend: [`${ip} route replace default via ROUTER (for \`nat\`: via the director)`],
      }))
    },
  },
  {
    name: 'answers-lost',
    on: 'real-server',
    severity: 'fault',
    certainty: 'likely',
    missing: 'answers do not reach the clients: they take a way on which they are lost',
    client: 'a timeout',
    sign: 'handshakes wait in SYN_RECV although they were answered again meanwhile, and their clients have no other connection to the same address',
    async look({ machine, handshakes }) {
      const found: Found[] = []
      for (const [local, those] of grouped(handshakes, (handshake) => handshake.local)) {
        const { gateway, interface: device } = await machine.route(those[0].client, { from: local })
        const isOwn = machine.addresses.some((own) => own.address === those[0].client)
        if (device === null || isOwn) continue
        const way = gateway === null ? `directly by ${device}` : `via ${gateway}`
        found.push({
          breaks: [{ address: local }],
          missing: `answers from ${local} to ${those[0].client} go ${way} and do not arrive`,
          mend: [],
          causes: [
            { cause: 'with `nat`, answers must go through the director', mend: ['ip route replace default via DIRECTOR'] },
            {
              cause: 'with `dr` and `tun`, answers must not go through the director, which drops what comes from its own address',
              mend: ['ip route replace default via ROUTER'],
            },
            { cause: 'a firewall on the way drops them', mend: ['nft list ruleset'] },
          ],
        })
      }
      return found
    },
  },
]
