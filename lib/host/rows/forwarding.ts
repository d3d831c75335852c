import { familyOf } from '../../model/keys.js'
import type { DirectorSight } from '../director-sight.js'
import type { Found, Row } from '../row.js'

const FORWARDING = { 4: 'ipv4/ip_forward', 6: 'ipv6/conf/all/forwarding' } as const

/** The destinations of 'nat' that packets really travel to: the machine's own need no forwarding. */
const translated = (sight: DirectorSight) =>
  sight.watched.filter(({ destination }) => destination.forward === 'nat' && !sight.isOwn(destination.address))

/** Whether the director passes packets on. */
export const forwarding: readonly Row<DirectorSight>[] = [{
  name: 'ip-forward',
  on: 'director',
  severity: 'fault',
  certainty: 'certain',
  missing: 'this machine does not forward packets, so the answers of destinations with `nat` end here',
  client: 'a timeout',
  sign: '`net.ipv4.ip_forward` (IPv6: `net.ipv6.conf.all.forwarding`) is 0, and there are destinations with `nat`; `dr` and `tun` do not need it',
  async look(sight) {
    const found: Found[] = []
    for (const family of [4, 6] as const) {
      const breaks = translated(sight).filter(({ service }) => familyOf(service) === family).map((one) => one.breaks)
      if (breaks.length === 0 || await sight.machine.setting(FORWARDING[family]) !== '0') continue
      found.push({ breaks, mend: [`sysctl -w net.${FORWARDING[family].replaceAll('/', '.')}=1`] })
    }
    return found
  },
}, {
  name: 'send-redirects',
  on: 'director',
  severity: 'warning',
  certainty: 'likely',
  missing: 'this machine tells destinations with `nat` of a shorter way to the clients (ICMP redirects), on which the answers pass it by',
  client: 'connections that hang or time out, once a destination follows the redirect',
  sign: 'destinations with `nat` are on an interface with `send_redirects` (`all` or its own), and `Icmp OutRedirects` is not 0',
  async look(sight) {
    // Not by how much it grew: the kernel tells each machine nine times, and then not again while it does not listen.
    if (sight.machine.counted('Icmp.OutRedirects') === 0) return []
    const found: Found[] = []
    for (const { destination, service, breaks } of translated(sight)) {
      if (familyOf(service) === 6) continue
      const { interface: device } = await sight.machine.route(destination.address)
      if (device === null) continue
      const names = ['all', device]
      const on = await Promise.all(names.map((name) => sight.machine.setting(`ipv4/conf/${name}/send_redirects`)))
      if (on.includes('1')) {
        found.push({ breaks: [breaks], mend: names.filter((_, i) => on[i] === '1').map((name) => `sysctl -w net.ipv4.conf.${name}.send_redirects=0`) })
      }
    }
    return found
  },
}, {
  name: 'nat-one-armed',
  on: 'director',
  severity: 'fault',
  certainty: 'certain',
  missing: 'clients are on the network of the destinations, which answer them directly instead of through this machine, as `nat` needs it',
  client: 'a timeout on that network; clients behind a router are served',
  sign: 'handshakes with clients of the destination\'s own network do not end, under `nat`',
  look(sight) {
    return translated(sight)
      .filter((one) => one.isTried && one.stuck.some((client) => sight.isNear(client, one.destination.address)))
      .map(({ breaks, stuck, destination }) => ({
        breaks: [breaks],
        client:
          `a timeout at ${[...new Set(stuck.filter((client) => sight.isNear(client, destination.address)))].slice(0, 3).join(', ')}; ` +
          'clients behind a router are served',
        mend: ['put the destinations on a network of their own, whose router is this machine; or use `dr` instead of `nat`'],
      }))
  },
}]
