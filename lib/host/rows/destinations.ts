import { keyOf } from '../../model/keys.js'
import type { DirectorSight } from '../director-sight.js'
import type { Found, Row } from '../row.js'
import type { Watched } from '../traffic.js'
import { contains } from '../subnet.js'

const ON_THE_WIRE = new Set(['nat', 'dr', 'tun'])

/** The destinations that packets travel to. */
const distant = (sight: DirectorSight): Watched[] =>
  sight.watched.filter(({ destination }) => ON_THE_WIRE.has(destination.forward) && !sight.isOwn(destination.address))

/** The link that leads to an address by its own network, and is switched off or without carrier. */
const deadLink = (sight: DirectorSight, address: string) => {
  const networks = sight.machine.addresses.filter((own) => contains(own, address) && own.address !== address)
  const links = networks.map((own) => sight.machine.link(own.interface)!)
  return links.length > 0 && links.every((link) => !link.running) ? links[0] : undefined
}

async function eachDistant(sight: DirectorSight, look: (one: Watched) => Promise<Omit<Found, 'breaks'> | undefined>): Promise<Found[]> {
  const found: Found[] = []
  for (const one of distant(sight)) {
    const more = await look(one)
    if (more) found.push({ ...more, breaks: [one.breaks] })
  }
  return found
}

/** Whether services have destinations, and whether packets find the way to them. */
export const destinationRows: readonly Row<DirectorSight>[] = [
  {
    name: 'no-destination',
    on: 'director',
    severity: 'fault',
    certainty: 'certain',
    missing: 'the service has no destination that takes new connections',
    client: 'that the connection is refused, at once; connections that are open already hang',
    sign: 'the service has no destination, or all have weight 0',
    look(sight) {
      return sight.services
        .filter(({ destinations }) => destinations.every(({ weight }) => weight === 0))
        .map((service) => ({
          breaks: [{ service: keyOf(service) }],
          missing: service.destinations.length === 0 ? 'the service has no destination' : 'all destinations of the service have weight 0',
          mend: [service.destinations.length === 0 ? 'add a destination: ipvs -a …' : 'give a destination a weight: ipvs -e … -w 1'],
        }))
    },
  },
  {
    name: 'link-to-destination',
    on: 'director',
    severity: 'fault',
    certainty: 'certain',
    missing: 'the interface that leads to the destination is down',
    client: 'a timeout',
    sign: "an interface has an address of the destination's network, and is switched off or has no carrier (packets take the default route, if anything)",
    look: (sight) =>
      eachDistant(sight, ({ destination }) => {
        const link = deadLink(sight, destination.address)
        return Promise.resolve(
          link && {
            missing: link.up
              ? `${link.name}, which leads to the destination, has no carrier: the cable is out, or its other end is down`
              : `${link.name}, which leads to the destination, is switched off`,
            mend: [link.up ? `ip link show ${link.name}` : `ip link set ${link.name} up`],
          },
        )
      }),
  },
  {
    name: 'no-route',
    on: 'director',
    severity: 'fault',
    certainty: 'certain',
    missing: 'this machine has no route to the destination',
    client: 'a timeout, or that the host is unreachable',
    sign: 'the lookup of a route to the destination ends with `unreachable`, `prohibit` or `blackhole`',
    look: (sight) =>
      eachDistant(sight, async ({ destination: { address } }) => {
        const { type } = await sight.machine.route(address)
        return ['unreachable', 'prohibit', 'blackhole'].includes(type) && !deadLink(sight, address)
          ? { mend: [`ip route add ${address} via GATEWAY`] }
          : undefined
      }),
  },
  {
    name: 'dr-behind-router',
    on: 'director',
    severity: 'fault',
    certainty: 'certain',
    missing: 'the destination is behind a router, which `dr` cannot reach: it must be on a network of this machine',
    client: 'that the host is unreachable (the router sends the packets back here), or a timeout',
    sign: 'the route to a destination with `dr` has a gateway',
    look: (sight) =>
      eachDistant(sight, async ({ destination: { forward, address } }) => {
        const { gateway } = await sight.machine.route(address)
        return forward === 'dr' && gateway !== null && !deadLink(sight, address)
          ? {
              missing: `the destination is behind the router ${gateway}, which \`dr\` cannot reach: it must be on a network of this machine`,
              mend: ['use a tunnel: ipvs -e … -r … -i (and tunl0 with the virtual address on the destination)'],
            }
          : undefined
      }),
  },
  {
    name: 'nobody-there',
    on: 'director',
    severity: 'fault',
    certainty: 'certain',
    missing: "nobody answers at the destination's address, or at that of the router to it",
    client: 'a timeout, then that the host is unreachable',
    sign: 'the neighbour table has the next hop as FAILED or INCOMPLETE, and it does not answer when it is asked',
    look: (sight) =>
      eachDistant(sight, async ({ destination: { address } }) => {
        const { gateway, interface: device } = await sight.machine.route(address)
        const link = sight.machine.link(device)
        if (!link || deadLink(sight, address)) return undefined
        const hop = gateway ?? address
        const neighbour = await sight.machine.resolvedNeighbour(hop, link)
        if (neighbour?.state !== 'failed' && neighbour?.state !== 'incomplete') return undefined
        // The entry stays for a while after the machine has come back, until somebody sends something to it.
        const answers = await sight.machine.answersOn(link, hop)
        if (answers !== undefined && answers.length > 0) return undefined
        return {
          missing:
            hop === address
              ? `nobody answers at the destination's address on ${link.name}`
              : `the router ${hop} to the destination does not answer on ${link.name}`,
          certainty: answers === undefined ? 'likely' : 'certain',
          mend: [`start the machine, or correct its address; then: ip neigh show ${hop}`],
        }
      }),
  },
]
