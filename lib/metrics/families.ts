import { familyOf, hasMark } from '../model/keys.js'
import { COUNTERS, type Counter } from '../model/statistics.js'
import type { ListedDestination, ListedTableService, ServiceKey } from '../model/types.js'
import type { Totals } from '../proc/types.js'

/** A metric: its name, help text and type, and the function that reads its value. */
export interface Family<Sample> {
  name: string
  help: string
  type: 'counter' | 'gauge'
  value: (sample: Sample) => number
}

/** A metric without the beginning of its name. */
export interface Description<Sample> {
  name: string
  help: string
  value: (sample: Sample) => number
  /** Set if node_exporter has this metric under the same name. */
  standard?: true
}

const SERVICE_PART = ['local_address', 'local_port', 'proto', 'local_mark'] as const

/** Labels of destination metrics, in the order in which they are written. */
export const BACKEND_LABELS = ['local_address', 'local_port', 'remote_address', 'remote_port', 'proto', 'local_mark'] as const
export const SERVICE_LABELS = [...SERVICE_PART, 'family'] as const

/** A label of destination metrics. */
export type BackendLabel = (typeof BACKEND_LABELS)[number]

/** A service's label values by name, written as in `/proc/net/ip_vs`, which is node_exporter's source. */
export function serviceLabels(key: ServiceKey): Record<(typeof SERVICE_LABELS)[number], string> {
  if (hasMark(key)) {
    const mark = key.fwmark.toString(16).toUpperCase().padStart(8, '0')
    return { local_address: '', local_port: '0', proto: 'FWM', local_mark: mark, family: String(key.family) }
  }
  const { address, port, protocol } = key
  const proto = String(protocol).toUpperCase()
  return { local_address: address, local_port: String(port), proto, local_mark: '', family: String(familyOf(key)) }
}

const NAMES: Record<Counter, string> = {
  connections: 'connections',
  inPackets: 'incoming_packets',
  outPackets: 'outgoing_packets',
  inBytes: 'incoming_bytes',
  outBytes: 'outgoing_bytes',
}
/** The counters, each with its name in metrics. */
const COUNTED = COUNTERS.map((counter) => [NAMES[counter], counter] as const)

const TOTALS: Description<Totals>[] = [
  {
    name: 'connections_total', help: 'The total number of connections made.', standard: true,
    value: ({ stats }) => Number(stats.connections),
  },
  {
    name: 'incoming_packets_total', help: 'The total number of incoming packets.', standard: true,
    value: ({ stats }) => Number(stats.inPackets),
  },
  {
    name: 'outgoing_packets_total', help: 'The total number of outgoing packets.', standard: true,
    value: ({ stats }) => Number(stats.outPackets),
  },
  { name: 'incoming_bytes_total', help: 'The total amount of incoming data.', standard: true, value: ({ stats }) => Number(stats.inBytes) },
  {
    name: 'outgoing_bytes_total', help: 'The total amount of outgoing data.', standard: true,
    value: ({ stats }) => Number(stats.outBytes),
  },
  ...COUNTED.map(([name, counter]): Description<Totals> =>
    ({
      name: `${name}_per_second`,
      help: `The kernel's moving average of ${name.replace('_', ' ')} per second.`,
      value: ({ rates }) => rates[counter],
    })),
]

const connectionsOf = ({ activeConnections, inactiveConnections, persistentConnections }: ListedDestination): number =>
  activeConnections + inactiveConnections + persistentConnections

const BACKENDS: Description<ListedDestination>[] = [
  {
    name: 'backend_connections_active', help: 'The current active connections by local and remote address.', standard: true,
    value: ({ activeConnections }) => activeConnections,
  },
  {
    name: 'backend_connections_inactive', help: 'The current inactive connections by local and remote address.', standard: true,
    value: ({ inactiveConnections }) => inactiveConnections,
  },
  {
    name: 'backend_weight', help: 'The current backend weight by local and remote address.', standard: true,
    value: ({ weight }) => weight,
  },
  {
    name: 'backend_connections_persistent', help: 'The current persistence templates by local and remote address.',
    value: ({ persistentConnections }) => persistentConnections,
  },
  {
    name: 'backend_upper_threshold', help: 'Connections from which on a backend gets no new ones, 0 for no limit.',
    value: ({ upperThreshold }) => upperThreshold,
  },
  {
    name: 'backend_lower_threshold',
    help: 'Connections below which a backend gets new ones again, 0 for three quarters of the upper threshold.',
    value: ({ lowerThreshold }) => lowerThreshold,
  },
  {
    name: 'backend_draining', help: 'Backends at weight 0 that still have connections.',
    value: (destination) => destination.weight === 0 && connectionsOf(destination) > 0 ? 1 : 0,
  },
  ...COUNTED.map(([name, counter]): Description<ListedDestination> =>
    ({
      name: `backend_${name}_per_second`,
      help: `The kernel's moving average of ${name.replace('_', ' ')} per second, by local and remote address.`,
      value: ({ rates }) => rates[counter],
    })),
  ...COUNTED.map(([name, counter]): Description<ListedDestination> =>
    ({
      name: `backend_${name}_total`,
      help: `The ${name.replace('_', ' ')} of a backend since it was added or zeroed.`,
      value: ({ stats }) => Number(stats[counter]),
    })),
]

const SERVICES: Description<ListedTableService>[] = [
  { name: 'service_backends', help: 'The backends of a service.', value: ({ destinations }) => destinations.length },
  {
    name: 'service_backends_available', help: 'The backends of a service with a weight above 0.',
    value: ({ destinations }) => destinations.reduce((sum, { weight }) => weight > 0 ? sum + 1 : sum, 0),
  },
  ...COUNTED.map(([name, counter]): Description<ListedTableService> =>
    ({
      name: `service_${name}_per_second`,
      help: `The kernel's moving average of ${name.replace('_', ' ')} per second.`,
      value: ({ rates }) => rates[counter],
    })),
  ...COUNTED.map(([name, counter]): Description<ListedTableService> =>
    ({
      name: `service_${name}_total`,
      help: `The ${name.replace('_', ' ')} of a service since it was added or zeroed.`,
      value: ({ stats }) => Number(stats[counter]),
    })),
]

/** The metrics of a namespace, of destinations and of services. */
export interface Families {
  totals: Family<Totals>[]
  backends: Family<ListedDestination>[]
  services: Family<ListedTableService>[]
}

export const named = <Sample>(prefix: string, descriptions: readonly Description<Sample>[]): Family<Sample>[] => descriptions
  .map(({ name, help, value }) => ({ name: prefix + name, help, type: name.endsWith('_total') ? 'counter' : 'gauge', value }))

/** @param extras whether to include the metrics that node_exporter lacks */
export function familiesOf(prefix: string, extras: boolean): Families {
  const wanted = <Sample>(descriptions: Description<Sample>[]): Family<Sample>[] =>
    named(prefix, descriptions.filter(({ standard }) => extras || standard === true))
  return { totals: wanted(TOTALS), backends: wanted(BACKENDS), services: wanted(SERVICES) }
}
