import { lookupService } from 'node:dns/promises'
import type { Table } from '../model/types.js'
import type { Names } from '../rules/names.js'
import { loadServices } from '../rules/services-database.js'

/** The names of addresses, by getnameinfo(3), and of ports, from `/etc/services`. Looks up all addresses at the same time, each once. */
export async function namesOf(addresses: Iterable<string>): Promise<Names> {
  const services = await loadServices()
  const hosts = new Map<string, string>()
  await Promise.all([...new Set(addresses)].map(async (address) => {
    try {
      // The port does not matter. Its name is not used, because it is always TCP's.
      const { hostname } = await lookupService(address, 0)
      if (hostname !== address) hosts.set(address, hostname)
    } catch {
      // There is no name, or no answer. The address is printed.
    }
  }))
  return { host: (address) => hosts.get(address), service: (port, protocol) => services.name(port, protocol) }
}

/** All addresses of a table. */
export function* addressesOf({ services }: Table): Generator<string> {
  for (const service of services) {
    if ('address' in service) yield service.address
    for (const { address } of service.destinations) yield address
  }
}
