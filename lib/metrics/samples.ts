import type { ListedDestination, ListedService, ListedTable, ServiceKey } from '../model/types.js'

/** A destination, as metrics see it. */
export interface BackendSample extends ListedDestination {
  /** 1 at weight 0 with connections, otherwise 0. */
  draining: number
}

/** A service, as metrics see it. */
export type ServiceSample = Pick<ListedService, 'stats' | 'rates'> & { backends: number, available: number }

export interface Labelled<Sample> {
  labels: Record<string, string>
  sample: Sample
}

/** Labels of a service, in the words of `/proc/net/ip_vs`, where node_exporter has them from. */
function serviceLabels(key: ServiceKey): Record<string, string> {
  return 'fwmark' in key
    ? { local_address: '', local_port: '0', proto: 'FWM', local_mark: key.fwmark.toString(16).toUpperCase().padStart(8, '0'), family: String(key.family) }
    : { local_address: key.address, local_port: String(key.port), proto: String(key.protocol).toUpperCase(), local_mark: '', family: key.address.includes(':') ? '6' : '4' }
}

export function* backendSamples(table: ListedTable): Generator<Labelled<BackendSample>> {
  for (const service of table.services) {
    const labels = serviceLabels(service)
    for (const destination of service.destinations) {
      const connections = destination.activeConnections + destination.inactiveConnections + destination.persistentConnections
      yield {
        labels: { ...labels, remote_address: destination.address, remote_port: String(destination.port) },
        sample: { ...destination, draining: destination.weight === 0 && connections > 0 ? 1 : 0 },
      }
    }
  }
}

export function* serviceSamples(table: ListedTable): Generator<Labelled<ServiceSample>> {
  for (const service of table.services) {
    const { stats, rates, destinations } = service
    yield { labels: serviceLabels(service), sample: { stats, rates, backends: destinations.length, available: destinations.filter(({ weight }) => weight > 0).length } }
  }
}
