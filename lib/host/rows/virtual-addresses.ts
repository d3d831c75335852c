import { familyOfAddress, keyOf } from '../../model/keys.js'
import type { DirectorSight } from '../director-sight.js'
import { grouped, type Found, type Row } from '../row.js'
import { wholeLength } from '../subnet.js'
import { addressOf } from '../traffic.js'
import type { Broken } from '../types.js'

/** The virtual addresses, each with the services that it has. */
function virtualAddresses(sight: DirectorSight): [address: string, breaks: Broken[]][] {
  const services = sight.services.filter((service) => addressOf(service) !== undefined)
  return [...grouped(services, (service) => addressOf(service)!)].map(([address, those]) => [
    address,
    those.map((service) => ({ service: keyOf(service) })),
  ])
}

/** The destinations that have one of these hardware addresses, as far as this machine knows. */
async function ownersOf(sight: DirectorSight, address: string, hardware: readonly string[]): Promise<Broken[]> {
  const owners: Broken[] = []
  for (const { service, destination, breaks } of sight.watched) {
    if (addressOf(service) !== address) continue
    const { interface: device } = await sight.machine.route(destination.address)
    const link = sight.machine.link(device)
    const neighbour = link && await sight.machine.neighbour(destination.address, link)
    if (neighbour?.hardwareAddress && hardware.includes(neighbour.hardwareAddress)) owners.push(breaks)
  }
  return owners
}

/** Whether the director, and nobody else, has the virtual addresses. */
export const virtualAddressRows: readonly Row<DirectorSight>[] = [
  {
    name: 'vip-not-here',
    on: 'director',
    severity: 'fault',
    certainty: 'certain',
    missing: 'this machine does not have the virtual address',
    client: 'a timeout, or that the host is unreachable',
    sign:
      'the route to the address is not `local`, and nobody on its link answers for it. Where another machine does, that is the director now, ' +
      'and nothing is wrong here',
    async look(sight) {
      const found: Found[] = []
      for (const [address, breaks] of virtualAddresses(sight)) {
        const route = await sight.machine.route(address)
        if (route.type === 'local') continue
        const links = sight.machine.linksThatAsk(address)
        const others = links.length > 0 ? await sight.machine.whoElseHas(address) : undefined
        if (others !== undefined && others.length > 0) continue
        const device = links[0]?.name ?? (route.gateway === null ? route.interface : null) ?? 'lo'
        found.push({
          breaks,
          missing: `this machine does not have the virtual address ${address}${route.gateway === null ? '' : `: it would send packets for it on to ${route.gateway}`}`,
          // Another machine may have it, if nobody could be asked.
          certainty: others === undefined && links.length > 0 ? 'likely' : 'certain',
          mend: [`ip addr add ${address}/${wholeLength(address)} dev ${device}`],
        })
      }
      return found
    },
  },
  {
    name: 'vip-link',
    on: 'director',
    severity: 'fault',
    certainty: 'certain',
    missing: 'the interface with the virtual address is down',
    client: 'a timeout',
    sign: 'the address is on an Ethernet that is switched off or has no carrier; likely only, where it is there without its network (/32), which may be elsewhere',
    look(sight) {
      return virtualAddresses(sight).flatMap(([address, breaks]) => {
        const held = sight.machine.addresses.filter((own) => own.address === address)
        const links = held.map((own) => sight.machine.link(own.interface)!)
        // Clients reach an address on lo or on a dummy interface by another one.
        if (links.length === 0 || !links.every((link) => link.arp && !link.running)) return []
        const [{ name, up }] = links
        return [
          {
            breaks,
            certainty: held.every(({ prefixLength }) => prefixLength === wholeLength(address)) ? ('likely' as const) : ('certain' as const),
            missing: up
              ? `${name}, which has the virtual address ${address}, has no carrier: the cable is out, or its other end is down`
              : `${name}, which has the virtual address ${address}, is switched off`,
            mend: [up ? `ip link show ${name}` : `ip link set ${name} up`],
          },
        ]
      })
    },
  },
  {
    name: 'arp-answered-elsewhere',
    on: 'director',
    severity: 'fault',
    certainty: 'certain',
    missing: 'another machine answers ARP (IPv6: neighbour solicitations) for the virtual address, so clients may pass this one by',
    client: 'answers, but always of the same server, or of whichever machine answered last; nothing is balanced',
    sign:
      'an ARP question for the address (as `arping -D` asks it), or a neighbour solicitation, is answered by somebody else. Its hardware address tells which destination it is; ' +
      'where it is none of them, it may be a second director',
    async look(sight) {
      const found: Found[] = []
      for (const [address, services] of virtualAddresses(sight)) {
        if ((await sight.machine.route(address)).type !== 'local') continue
        const others = await sight.machine.whoElseHas(address)
        if (others === undefined || others.length === 0) continue
        const owners = await ownersOf(sight, address, others)
        const isIPv6 = familyOfAddress(address) === 6
        const asked = isIPv6 ? 'neighbour solicitations' : 'ARP'
        const silence = isIPv6
          ? `take it off the Ethernet: ip addr del ${address}/… dev …`
          : 'sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2'
        found.push({
          breaks: owners.length > 0 ? owners : services,
          missing: `${others.join(' and ')} ${others.length > 1 ? 'answer' : 'answers'} ${asked} for the virtual address ${address} too, so clients may pass this machine by`,
          mend:
            owners.length > 0
              ? [`on that destination: ${silence}`, `and the address on lo: ip addr add ${address}/${wholeLength(address)} dev lo`]
              : [
                  `on the machine with that hardware address: ip addr del ${address}/${wholeLength(address)} dev …, if it is a second director whose keepalived is gone`,
                  `or, if it is a real server: ${silence}`,
                ],
        })
      }
      return found
    },
  },
]
