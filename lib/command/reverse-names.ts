import { lookupService } from 'node:dns/promises'
import type { Table } from '../model/types.js'
import type { Names } from '../rules/names.js'
import { loadServices } from '../rules/services-database.js'

/** Looks up the names of addresses, each once, all at the same time, as getnameinfo(3) does it; and of ports, in `/etc/services`. */
export async function namesOf(addresses: Iterable<string>): Promise<Names> {
  const services = await loadServices()
  const hosts = new Map<string, string>()
  await Promise.all([...new Set(addresses)].map(async (address) => {
    try {
      // The port plays no part; what comes back for it knows TCP only.
      const { hostname } = await lookupService(address, 0)
      if (hostname !== address) hosts.set(address, hostname)
    } catch {
      // It has no name, or nobody answers: the address stands.
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
