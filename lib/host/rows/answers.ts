import type { DirectorSight } from '../director-sight.js'
import type { Found, Row } from '../row.js'
import type { Watched } from '../traffic.js'
import type { Cause } from '../types.js'
import { hangs } from './hanging.js'

/** So many packets for each connection that no handshake needs them: a packet goes round until its hops are used up. */
const ROUND_AND_ROUND = 20n

/** Either within the two seconds, or ever since, if all connections that there were hang now. */
function loops({ destination: { forward, stats }, stuck, inPackets }: Watched): boolean {
  const count = BigInt(stuck.length)
  return (
    forward !== 'nat' &&
    count > 0n &&
    (inPackets > ROUND_AND_ROUND * count || (stats.connections === count && stats.inPackets > ROUND_AND_ROUND * count))
  )
}

const address = (one: Watched): string => one.breaks.service && 'address' in one.breaks.service ? one.breaks.service.address : 'ADDRESS'

/** The address by which destinations reach this machine. */
const ownAddress = async (sight: DirectorSight, one: Watched): Promise<string> =>
  (await sight.machine.route(one.destination.address)).source ?? 'THIS MACHINE'

const there = (one: Watched): string => `on the destination: ipvs doctor --on real-server --vip ${address(one)}`

async function natCauses(sight: DirectorSight, one: Watched): Promise<Cause[]> {
  const own = await ownAddress(sight, one)
  return [
    {
      cause: "the destination's default route does not lead through this machine",
      mend: [`on the destination: ip route replace default via ${own}`],
    },
    {
      cause:
        'a firewall on this machine does not let the answers pass (hook forward), or drops them as invalid because net.ipv4.vs.conntrack is 0',
      mend: ['nft list ruleset; iptables -S FORWARD', 'sysctl -w net.ipv4.vs.conntrack=1, if rules look at the state of connections'],
    },
    { cause: 'a firewall on the destination drops the packets', mend: ['on the destination: ipvs doctor --on real-server'] },
  ]
}

const directCauses = (one: Watched): Cause[] => [
  {
    cause: 'the destination does not have the virtual address',
    mend: [`on the destination: ip addr add ${address(one)}/32 dev lo`, there(one)],
  },
  {
    cause: 'the server there does not listen at the virtual address (the client sees that the connection is refused)',
    mend: [`on the destination: ss -lnt | grep :${one.destination.port}`],
  },
  {
    cause: 'the answers do not find the way to the clients: they must not go through this machine',
    mend: ['on the destination: ip route get CLIENT'],
  },
  {
    cause: 'a firewall on this machine or on the destination drops packets as invalid because it sees one direction only',
    mend: ['nft list ruleset'],
  },
]

const tunnelCauses = (one: Watched): Cause[] => [
  {
    cause: "the tunnel's end on the destination filters by reverse path",
    mend: ['on the destination: sysctl -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.tunl0.rp_filter=0', there(one)],
  },
  {
    cause: "the tunnel's end on the destination is down (the client sees that the connection is refused)",
    mend: ['on the destination: ip link set tunl0 up'],
  },
  ...directCauses(one),
]

/** Whether answers come back: what the traffic tells of the destinations, whose inside the director cannot see. */
export const answerRows: readonly Row<DirectorSight>[] = [
  {
    name: 'answers-nat',
    on: 'director',
    severity: 'fault',
    certainty: 'certain',
    missing: 'answers of the destination do not return through this machine',
    client: 'a timeout',
    sign: '`nat`: packets went in and none came out, handshakes hang in SYN_RECV; nothing on this machine explains it',
    async look(sight) {
      const found: Found[] = []
      for (const one of sight.watched) {
        if (one.destination.forward !== 'nat' || !hangs(one) || one.outPackets > 0n) continue
        const far = one.stuck.filter((client) => !sight.isNear(client, one.destination.address))
        if (far.length === 0) continue
        found.push({
          breaks: [one.breaks],
          certainty: one.destination.stats.outPackets === 0n ? 'certain' : 'likely',
          causes: await natCauses(sight, one),
        })
      }
      return found
    },
  },
  {
    name: 'answers-direct',
    on: 'director',
    severity: 'fault',
    certainty: 'likely',
    missing: 'the destination does not answer the clients',
    client: "a timeout; or that the connection is refused, where the server does not listen or the tunnel's end is down",
    sign: '`dr`, `tun`: handshakes hang in SYN_RECV, and none got on within two seconds; nothing on this machine explains it',
    look: (sight) =>
      sight.watched
        .filter((one) => ['dr', 'tun'].includes(one.destination.forward) && hangs(one) && !loops(one))
        .map((one) => ({
          breaks: [one.breaks],
          causes: one.destination.forward === 'tun' ? tunnelCauses(one) : directCauses(one),
        })),
  },
  {
    name: 'destination-sends-back',
    on: 'director',
    severity: 'fault',
    certainty: 'likely',
    missing: 'the destination sends the packets back here: it does not have the virtual address, and forwards',
    client: 'that the host is unreachable, or a timeout',
    sign: '`dr`, `tun`: handshakes hang, and more than 20 packets came for each of them: they go round until their hops are used up',
    look: (sight) =>
      sight.watched
        .filter((one) => hangs(one) && loops(one))
        .map((one) => ({
          breaks: [one.breaks],
          mend: [`on the destination: ip addr add ${address(one)}/32 dev lo`, 'on the destination: sysctl -w net.ipv4.ip_forward=0'],
        })),
  },
]
