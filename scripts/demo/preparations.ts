/** What the doctor is shown: each preparation is taken away, found, and mended. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Finding, Report } from 'ipvs/doctor'
import { ADDRESSES, type TwoDirectors } from '../network/two-directors.js'
import { checkout } from '../setup/checkout.js'

/** Whom the doctor examines: the director that has the addresses, and a real server. */
type Side = 'd2' | 'alpha'

/** A service with one destination on alpha, on a port that nothing was sent to before. PORT stands for that, see {@link filled}. */
interface Service {
  rules: string
  vip: string
  /** Where alpha serves it. */
  at: string[]
}

const service = (vip: string, destination: string, at: string[]): Service => ({
  rules: `ipvs -A -t ${vip}:PORT -s rr; ipvs -a -t ${vip}:PORT -r ${destination}`, vip, at,
})

const { nat: NAT, dr: DR } = ADDRESSES
const translated = service(NAT, '10.1.0.11:PORT -m', ['10.1.0.11'])
const direct = service(DR, '10.0.0.21:PORT -g', [DR])
const tunnelled = service(DR, '10.1.0.11:PORT -i', [DR])

/** A preparation: what takes it away, the rows that find that, and what brings it back. */
export interface Preparation {
  words: string
  on: Side
  breaks: string
  mends: string
  /** The row that finds it, on each side that can see it. */
  row: Partial<Record<Side, string>>
  /** Clients come for this service all the time: it shows by the traffic only. */
  service?: Service
  /** What is prepared first, on alpha, and put back in the end. */
  first?: string
  last?: string
}

const spare = `ipvs -A -t ${NAT}:90 -s rr`
const conf = '/proc/sys/net/ipv4/conf'

export const PREPARATIONS: readonly Preparation[] = [
  {
    words: 'The director does not have the virtual address', on: 'd2', row: { d2: 'vip-not-here' },
    breaks: `ip addr del ${DR}/32 dev eth0`, mends: `ip addr add ${DR}/32 dev eth0`,
  },
  {
    words: 'The interface that has it is switched off', on: 'd2', row: { d2: 'vip-link' },
    breaks: 'ip link set eth0 down', mends: 'ip link set eth0 up',
  },
  {
    words: 'A service has no destination', on: 'd2', row: { d2: 'no-destination' },
    breaks: spare, mends: `ipvs -a -t ${NAT}:90 -r 10.1.0.11:90 -m`, last: `ipvs -D -t ${NAT}:90`,
  },
  {
    words: 'The link to the servers is switched off', on: 'd2', row: { d2: 'link-to-destination' },
    breaks: 'ip link set eth1 down', mends: 'ip link set eth1 up',
  },
  {
    words: 'There is no route to a destination', on: 'd2', row: { d2: 'no-route' },
    breaks: `${spare}; ipvs -a -t ${NAT}:90 -r 10.55.0.9:90 -m`, mends: 'ip route add 10.55.0.0/16 via 10.1.0.11',
    last: `ip route del 10.55.0.0/16; ipvs -D -t ${NAT}:90`,
  },
  {
    words: 'A destination of direct routing is behind a router', on: 'd2', row: { d2: 'dr-behind-router' },
    breaks: `ip route add 10.66.0.0/16 via 10.1.0.11; ${spare}; ipvs -a -t ${NAT}:90 -r 10.66.0.9:90 -g`,
    mends: `ipvs -e -t ${NAT}:90 -r 10.66.0.9:90 -i`, last: `ip route del 10.66.0.0/16; ipvs -D -t ${NAT}:90`,
  },
  {
    words: 'Nobody is at the address of a destination', on: 'alpha', row: { d2: 'nobody-there' }, service: service(DR, '10.0.0.99:PORT -g', [DR]),
    first: 'ip addr add 10.0.0.99/24 dev eth0',
    breaks: 'ip addr del 10.0.0.99/24 dev eth0', mends: 'ip addr add 10.0.0.99/24 dev eth0', last: 'ip addr del 10.0.0.99/24 dev eth0',
  },
  {
    words: 'The director does not forward', on: 'd2', row: { d2: 'ip-forward' },
    breaks: 'echo 0 > /proc/sys/net/ipv4/ip_forward', mends: 'echo 1 > /proc/sys/net/ipv4/ip_forward',
  },
  {
    words: 'NAT: the clients are on the network of the destinations', on: 'd2', row: { d2: 'nat-one-armed' },
    service: { rules: `ipvs -A -t ${NAT}:PORT -s rr`, vip: NAT, at: ['10.0.0.21', '10.1.0.11'] },
    breaks: `ipvs -a -t ${NAT}:PORT -r 10.0.0.21:PORT -m`,
    mends: `ipvs -d -t ${NAT}:PORT -r 10.0.0.21:PORT; ipvs -a -t ${NAT}:PORT -r 10.1.0.11:PORT -m`,
  },
  {
    words: 'NAT: the way back does not lead through the director', on: 'alpha', row: { d2: 'answers-nat', alpha: 'answers-lost' }, service: translated,
    breaks: 'ip route del default table 100', mends: `ip route add default via ${ADDRESSES.gateway} dev eth1 table 100`,
  },
  {
    words: 'NAT: there is no way back', on: 'alpha', row: { d2: 'answers-nat', alpha: 'no-way-back' }, service: translated,
    breaks: 'ip route replace unreachable default table 100',
    mends: `ip route del unreachable default table 100; ip route add default via ${ADDRESSES.gateway} dev eth1 table 100`,
  },
  {
    words: 'DR: the virtual address is missing on a real server', on: 'alpha', row: { d2: 'answers-direct', alpha: 'vip-missing' }, service: direct,
    breaks: `ip addr del ${DR}/32 dev lo`, mends: `ip addr add ${DR}/32 dev lo`,
  },
  {
    words: 'The same, and it forwards', on: 'alpha', row: { d2: 'destination-sends-back', alpha: 'vip-missing' }, service: direct,
    breaks: `echo 1 > /proc/sys/net/ipv4/ip_forward; ip addr del ${DR}/32 dev lo`,
    mends: `ip addr add ${DR}/32 dev lo; echo 0 > /proc/sys/net/ipv4/ip_forward`, last: `echo 0 > ${conf}/all/accept_redirects`,
  },
  {
    words: 'DR: a real server answers ARP for the virtual address', on: 'alpha', row: { d2: 'arp-answered-elsewhere', alpha: 'arp-ignore' },
    breaks: `echo 0 > ${conf}/all/arp_ignore`, mends: `echo 1 > ${conf}/all/arp_ignore`,
  },
  {
    words: 'DR: it names the virtual address in its ARP questions', on: 'alpha', row: { alpha: 'arp-announce' },
    breaks: `echo 0 > ${conf}/all/arp_announce`, mends: `echo 2 > ${conf}/all/arp_announce`,
  },
  {
    words: 'DR: it has the virtual address on an Ethernet', on: 'alpha', row: { d2: 'arp-answered-elsewhere', alpha: 'vip-asked-by-arp' },
    breaks: `ip addr add ${DR}/32 dev eth0; ip addr del ${DR}/32 dev lo`, mends: `ip addr add ${DR}/32 dev lo; ip addr del ${DR}/32 dev eth0`,
  },
  {
    words: 'DR: a real server drops what comes by another interface than answers go', on: 'alpha', row: { d2: 'answers-direct', alpha: 'rp-filter-drops' },
    service: service(DR, '10.1.0.11:PORT -g', [DR]), breaks: `echo 1 > ${conf}/eth1/rp_filter`, mends: `echo 0 > ${conf}/eth1/rp_filter`,
  },
  {
    words: 'TUN: the end of the tunnel is down', on: 'alpha', row: { d2: 'answers-direct', alpha: 'tunnel-end-down' }, service: tunnelled,
    first: `ip link set tunl0 up; echo 0 > ${conf}/tunl0/rp_filter`, breaks: 'ip link set tunl0 down', mends: 'ip link set tunl0 up',
  },
  {
    words: 'TUN: the end of the tunnel filters by reverse path', on: 'alpha', row: { d2: 'answers-direct', alpha: 'rp-filter' }, service: tunnelled,
    breaks: `echo 1 > ${conf}/tunl0/rp_filter`, mends: `echo 0 > ${conf}/tunl0/rp_filter`,
  },
  {
    words: 'TUN: the interface that has the virtual address is switched off', on: 'alpha', row: { alpha: 'vip-link-down' },
    first: `ip addr del ${DR}/32 dev lo; ip addr add ${DR}/32 dev tunl0`, breaks: 'ip link set tunl0 down', mends: 'ip link set tunl0 up',
    last: `ip addr del ${DR}/32 dev tunl0; ip addr add ${DR}/32 dev lo`,
  },
  {
    words: 'Connections are sent to the other director too seldom', on: 'd2', row: { d2: 'sync-fail-back' },
    breaks: 'echo "3 50" > /proc/sys/net/ipv4/vs/sync_threshold', mends: 'echo "3 0" > /proc/sys/net/ipv4/vs/sync_threshold',
  },
  {
    words: 'NAT: the director tells a server of a shorter way to the client (ICMP redirects)', on: 'd2', row: { d2: 'send-redirects' },
    service: service(NAT, '10.0.0.21:PORT -m', ['10.0.0.21']),
    first: 'ip route add default via 10.0.0.2 dev eth0 table 101; ip rule add from 10.0.0.21 lookup 101',
    breaks: `echo 1 > ${conf}/eth0/send_redirects`, mends: `echo 0 > ${conf}/eth0/send_redirects`,
    last: 'ip rule del from 10.0.0.21 lookup 101; ip route del default table 101',
  },
]

/** Lines of a shell with the port in its places. */
export const filled = (lines: string, port: number): string => lines.replaceAll('PORT', String(port))

/** Every row that the doctor has, as docs/doctor.md names them. */
export const rowNames = async (): Promise<string[]> =>
  [...(await readFile(join(checkout, 'docs/doctor.md'), 'utf8')).matchAll(/^\| `([\w-]+)` \|/gm)].map(([, name]) => name)

/** Milliseconds from one client to the next. */
const BETWEEN_CLIENTS = 300
const command = join(checkout, 'dist/bin/ipvs.cjs')

/** Something that was found, and where. */
interface Seen { side: string, finding: Finding }

/** The machines of the demo, examined while something is missing. */
export class Preparations {
  constructor(private readonly scene: TwoDirectors) {}

  /** Runs lines of a shell, in which `ipvs` is the command. */
  async #shell(side: Side, lines: string): Promise<void> {
    const { namespace } = side === 'd2' ? this.scene.directors[1] : this.scene.servers[0].host
    await namespace.must('sh', ['-ec', `ipvs() { ${process.execPath} ${command} "$@"; }\n${lines}`])
  }

  async #examine(name: string, namespace: { run: TwoDirectors['client']['namespace']['run'] }, ...args: string[]): Promise<Seen[]> {
    const { stdout, stderr } = await namespace.run(process.execPath, [command, 'doctor', ...args, '--json'])
    if (stdout === '') throw new Error(stderr)
    const { findings, notLooked } = JSON.parse(stdout) as Report
    if (notLooked.length > 0) throw new Error(`${name} did not look: ${JSON.stringify(notLooked)}`)
    return findings.map((finding) => ({ side: name, finding }))
  }

  #director(index: 0 | 1): Promise<Seen[]> {
    const { name, namespace } = this.scene.directors[index]
    return this.#examine(name, namespace)
  }

  #server(index: 0 | 1): Promise<Seen[]> {
    const { name, host } = this.scene.servers[index]
    return this.#examine(name, host.namespace, '--on', 'real-server', '--vip', DR)
  }

  /** What is found on both directors and both real servers. */
  async everywhere(): Promise<{ side: string, findings: Finding[] }[]> {
    const { directors, servers } = this.scene
    const found = await Promise.all([this.#director(0), this.#director(1), this.#server(0), this.#server(1)])
    return [...directors, ...servers].map(({ name }, index) => ({ side: name, findings: found[index].map(({ finding }) => finding) }))
  }

  /**
   * Takes a preparation away, looks, mends it and looks again, while clients come to a port that nothing was sent to before, from an
   * address without another connection: those of a client that is reached may hide that others of it are not.
   *
   * @returns what its rows found, the names of others that were found besides, and of those that are found when it is mended
   */
  async takeAway(preparation: Preparation, port: number, from: string): Promise<{ found: Seen[], besides: string[], left: string[] }> {
    const { on, breaks, mends, row, service: served, first = '', last = '' } = preparation
    const { client, servers: [{ name, host }] } = this.scene
    const look = async (): Promise<Seen[]> => (await Promise.all([this.#director(1), this.#server(0)])).flat()
    if (first !== '') await this.#shell('alpha', first)
    for (const address of served?.at ?? []) await host.serve('tcp', address, port, name)
    if (served !== undefined) await this.#shell('d2', filled(served.rules, port))
    await this.#shell(on, filled(breaks, port))
    await client.namespace.ip(`addr add ${from}/24 dev eth0`)
    const stop = served && await client.keepAsking({ address: served.vip, port, from }, BETWEEN_CLIENTS)
    const broken = await look()
    await this.#shell(on, filled(mends, port))
    const left = await look()
    await stop?.()
    await client.namespace.ip(`addr del ${from}/24 dev eth0`)
    if (served !== undefined) await this.#shell('d2', `ipvs -D -t ${served.vip}:${port}`)
    if (last !== '') await this.#shell(first === '' ? on : 'alpha', last)
    const isExpected = ({ side, finding }: Seen): boolean => row[side as Side] === finding.row
    return {
      found: broken.filter(isExpected),
      besides: [...new Set(broken.filter((one) => !isExpected(one)).map(({ side, finding }) => `${finding.row} on ${side}`))],
      left: left.map(({ side, finding }) => `${finding.row} on ${side}`),
    }
  }
}
