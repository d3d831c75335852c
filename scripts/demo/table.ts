import type { ForwardingMethod, Info, ListedDestination, ListedTableService, ServiceKey } from 'ipvs'

const METHODS: Record<ForwardingMethod, string> = { nat: 'Masq', dr: 'Route', tun: 'Tunnel', local: 'Local', bypass: 'Bypass' }

const endpoint = (address: string, port: number): string => `${address.includes(':') ? `[${address}]` : address}:${port}`

const named = (key: ServiceKey): string =>
  'fwmark' in key ? `FWM  ${key.fwmark}${key.family === 6 ? ' IPv6' : ''}` : `${key.protocol.toUpperCase().padEnd(4)} ${endpoint(key.address, key.port)}`

const row = ({ address, port, forward, weight, activeConnections, inactiveConnections }: ListedDestination): string =>
  `  -> ${endpoint(address, port).padEnd(29)}${METHODS[forward].padEnd(8)}${String(weight).padEnd(7)}${String(activeConnections).padEnd(11)}${inactiveConnections}`

/** The table, formatted like `ipvsadm -Ln`. */
export const formatTable = (info: Info, services: readonly ListedTableService[]): string[] => [
  `IP Virtual Server version ${info.version} (size=${info.connectionTableSize})`,
  'Prot LocalAddress:Port Scheduler Flags',
  '  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn',
  ...services.flatMap(service => [`${named(service)} ${service.scheduler}`, ...service.destinations.map(row)]),
]

/** The counters, formatted like `ipvsadm -Ln --stats`. */
export const formatCounters = (services: readonly ListedTableService[]): string[] => [
  `${''.padEnd(33)}   Conns   InPkts  OutPkts  InBytes OutBytes`,
  ...services.flatMap(service => [service, ...service.destinations]).map(one =>
    `${('forward' in one ? `  -> ${endpoint(one.address, one.port)}` : named(one)).padEnd(32)}`
    + [
      one.stats.connections, one.stats.inPackets, one.stats.outPackets, one.stats.inBytes, one.stats.outBytes,
    ].map(count => String(count).padStart(9)).join('')),
]
