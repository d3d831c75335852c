import { parseAddress } from '../model/address.js'
import { hasMark } from '../model/keys.js'
import type { ListedTable, ServiceKey } from '../model/types.js'

const bytes = new Uint8Array(16)

/** Text that sorts as the numbers do: family, address, port. */
function endpointKey(address: string, port: number): string {
  const family = parseAddress(address, bytes, 0)
  return `${family} ${Buffer.from(bytes).toString('hex')} ${String(port).padStart(5, '0')}`
}

function serviceKey(service: ServiceKey): string {
  if (hasMark(service)) return `fwmark ${String(service.fwmark).padStart(10, '0')} ${service.family}`
  return `${service.protocol} ${endpointKey(service.address, service.port)}`
}

function sortedBy<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  const keyed = items.map((item) => ({ item, key: keyOf(item) }))
  return keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map(({ item }) => item)
}

/** The table in numerical order: firewall marks, then each protocol by address and port. */
export const inAddressOrder = (table: ListedTable): ListedTable => ({
  ...table,
  services: sortedBy(table.services, serviceKey).map((service) => ({
    ...service,
    destinations: sortedBy(service.destinations, ({ address, port }) => endpointKey(address, port)),
  })),
})
