import type {
  Daemon, Destination, Info, ListedDestination, ListedService, ListedTableService, ServiceKey, Timeouts, Tunnel,
} from '../model/types.js'
import { familyOf, hasMark } from '../model/keys.js'
import { COUNTERS, type Counter } from '../model/statistics.js'
import { asPrinted } from '../rules/address-text.js'
import type { Names } from '../rules/names.js'
import { spellEndpoint, spellMask } from '../rules/spelling.js'

/** The columns of a listing. */
export type ListingView = 'plain' | 'stats' | 'rate' | 'thresholds' | 'persistent-conn' | 'tun-info'

export interface ListingFormat {
  view: ListingView
  /** Large numbers in full (`--exact`), not in thousands, millions and so on. */
  exact?: boolean
  /** Names for addresses and ports (without `-n`). */
  names?: Names
}

/** The first line of a listing of the whole table. */
export const versionLine = ({ version, connectionTableSize }: Info): string =>
  `IP Virtual Server version ${version} (size=${connectionTableSize})\n`

/** Services with their destinations as `ipvsadm -L` prints them, to the byte, in the order given. */
export function formatListing(services: readonly ListedTableService[], format: ListingFormat): string {
  const lines = [titles[format.view]]
  for (const service of services) {
    lines.push(serviceLine(service, format))
    for (const destination of service.destinations) lines.push(destinationLine(service, destination, format))
  }
  return lines.map((line) => `${line}\n`).join('')
}

const underTitle = '\n  -> RemoteAddress:Port'

/** Titles of columns of the given widths; negative ones are aligned to the left. */
function title(columns: string[], widths: number[]): string {
  const aligned = columns.map((column, index) => (widths[index] < 0 ? column.padEnd(-widths[index]) : column.padStart(widths[index])))
  return ['Prot LocalAddress:Port'.padEnd(33), ...aligned].join(' ') + underTitle
}

const titles: Record<ListingView, string> = {
  stats: title(['Conns', 'InPkts', 'OutPkts', 'InBytes', 'OutBytes'], [8, 8, 8, 8, 8]),
  rate: title(['CPS', 'InPPS', 'OutPPS', 'InBPS', 'OutBPS'], [8, 8, 8, 8, 8]),
  thresholds: title(['Uthreshold', 'Lthreshold', 'ActiveConn', 'InActConn'], [-10, -10, -10, -10]),
  'persistent-conn': title(['Weight', 'PersistConn', 'ActiveConn', 'InActConn'], [-9, -11, -10, -10]),
  'tun-info': `Prot LocalAddress:Port Scheduler Flags${underTitle}           Forward TunnelInfo    Weight ActiveConn InActConn`,
  plain: `Prot LocalAddress:Port Scheduler Flags${underTitle}           Forward Weight ActiveConn InActConn`,
}

/** ipvsadm cuts longer addresses and ports. It has less room for IPv4 than for IPv6. */
const endpointRoom = 59
const serviceRoom = 33
const destinationRoom = 28

function serviceName(service: ServiceKey, names?: Names): string {
  if (hasMark(service)) return `FWM  ${service.fwmark}${service.family === 6 ? ' IPv6' : ''}`
  const { protocol, address, port } = service
  const known = typeof protocol === 'string' ? protocol.toUpperCase() : '?'
  const name = `${known.padEnd(4)} ${spellEndpoint(address, port, protocol, names).slice(0, endpointRoom)}`
  return familyOf(service) === 6 ? name : name.slice(0, serviceRoom)
}

function serviceLine(service: ListedService, { view, exact, names }: ListingFormat): string {
  const name = serviceName(service, names)
  if (view === 'stats') return name.padEnd(33) + counters(service.stats, exact)
  if (view === 'rate') return name.padEnd(33) + counters(service.rates, exact)
  const words = [name, service.scheduler]
  const { schedulerFlags, persistence, persistenceEngine } = service
  if (schedulerFlags.length > 0) words.push(`(${schedulerFlags.join(',')})`)
  if (persistence) {
    words.push(`persistent ${persistence.timeout}`)
    const mask = spellMask(persistence, familyOf(service))
    if (mask !== undefined) words.push(`mask ${mask}`)
    if (persistenceEngine) words.push(`pe ${persistenceEngine}`)
  }
  if (service.onePacket) words.push('ops')
  return words.join(' ')
}

function destinationLine(service: ServiceKey, destination: ListedDestination, { view, exact, names }: ListingFormat): string {
  const { address, port, weight, activeConnections, inactiveConnections } = destination
  const protocol = 'protocol' in service ? service.protocol : undefined
  const room = address.includes(':') ? endpointRoom : destinationRoom
  const start = `  -> ${spellEndpoint(address, port, protocol, names).slice(0, room).padEnd(28)}`
  const left = (value: number | string, width: number): string => ` ${String(value).padEnd(width)}`
  const connections = left(activeConnections, 10) + left(inactiveConnections, 10)
  switch (view) {
    case 'stats':
      return start + counters(destination.stats, exact)
    case 'rate': {
      const { rates } = destination
      const packets = (['connections', 'inPackets', 'outPackets'] as const).map((name) => ` ${String(rates[name]).padStart(8)}`).join('')
      return start + packets + largeNumber(rates.inBytes, exact) + largeNumber(rates.outBytes, exact)
    }
    case 'thresholds':
      return start + left(destination.upperThreshold, 10) + left(destination.lowerThreshold, 10) + connections
    case 'persistent-conn':
      return start + left(weight, 9) + left(destination.persistentConnections, 11) + connections
    case 'tun-info':
      return start + left(forwardingName(destination), 7) + left(tunnelInfo(destination), 13) + left(weight, 6) + connections
    case 'plain':
      return start + left(forwardingName(destination), 7) + left(weight, 6) + connections
  }
}

const forwardingNames: Partial<Record<Destination['forward'], string>> =
  { nat: 'Masq', local: 'Local', tun: 'Tunnel', dr: 'Route', bypass: 'Bypass' }

const forwardingName = ({ forward }: Destination): string => forwardingNames[forward] ?? String(forward)

const checksumMarks: Partial<Record<Tunnel['checksum'], string>> = { none: '-c', csum: '+c', remcsum: 'r+c' }

function tunnelInfo({ tunnel }: Destination): string {
  if (!tunnel) return 'n/a'
  const { type, port, checksum } = tunnel
  if (type === 'ipip') return type
  if (type !== 'gue' && type !== 'gre') return 'n/a'
  return [type, ...(type === 'gue' ? [port] : []), checksumMarks[checksum] ?? checksum].join(':')
}

const counters = (counted: Record<Counter, bigint | number>, exact?: boolean): string =>
  COUNTERS.map((name) => largeNumber(counted[name], exact)).join('')

/** The numbers from which ipvsadm uses a larger unit. */
const units = [
  { from: 100_000_000_000_000n, divisor: 1_000_000_000_000n, letter: 'T' },
  { from: 100_000_000_000n, divisor: 1_000_000_000n, letter: 'G' },
  { from: 1_000_000_000n, divisor: 1_000_000n, letter: 'M' },
  { from: 100_000_000n, divisor: 1000n, letter: 'K' },
]

function largeNumber(value: bigint | number, exact = false): string {
  if (exact) {
    const text = String(value)
    return text.padStart(text.length <= 8 ? 9 : text.length + 1)
  }
  const unit = units.find(({ from }) => value >= from)
  if (!unit) return String(value).padStart(9)
  return String(BigInt(value) / unit.divisor).padStart(8) + unit.letter
}

export const timeoutsLine = ({ tcp, tcpFin, udp }: Timeouts): string => `Timeout (tcp tcpfin udp): ${tcp} ${tcpFin} ${udp}\n`

/** Sync daemons as `ipvsadm -L --daemon` prints them. */
export function formatDaemons(daemons: readonly Daemon[]): string {
  return daemons.map(({ role, interface: name, syncId, maxLength, group, port, ttl }) => {
    const details = [`mcast=${name}`, `syncid=${syncId}`]
    if (maxLength) details.push(`maxlen=${maxLength}`)
    if (group) details.push(`group=${asPrinted(group)}`)
    if (port) details.push(`port=${port}`)
    if (ttl) details.push(`ttl=${ttl}`)
    return `${role} sync daemon (${details.join(', ')})\n`
  }).join('')
}
