import { Ipvs, type AddressServiceKey, type DestinationInput, type ListedDestination, type ServiceInput, type ServiceKey } from 'ipvs'
import type { Backend } from '../../scripts/network/workshop.js'
import { Workshop } from '../../scripts/network/workshop.js'
import { Ipvsadm } from './ipvsadm.js'

export const families = [4, 6] as const
export const transports = ['tcp', 'udp'] as const
export const PORT = 80

/**
 * A workshop whose director is configured by this package, with ipvsadm as the witness. Every backend serves TCP and UDP on port 80 of all
 * its addresses.
 */
export class Stage {
  private lastPort = 1000

  private constructor(readonly workshop: Workshop, readonly ipvs: Ipvs, readonly ipvsadm: Ipvsadm) {}

  static async create(names: readonly string[]): Promise<Stage> {
    const workshop = await Workshop.create(names)
    const { director, backends, virtual } = workshop
    for (const { name, host, address } of backends) {
      for (const family of families) {
        for (const transport of transports) {
          await host.serve(transport, address[family], PORT, name)
          // A packet that arrives with the virtual address was not translated.
          await host.serve(transport, virtual[family], PORT, `${name}, untranslated`)
        }
      }
    }
    const { namespace } = director
    return new Stage(workshop, await Ipvs.open({ netns: namespace.name }), new Ipvsadm(namespace.path))
  }

  /** Key of the service at the virtual address. */
  virtual(transport: 'tcp' | 'udp', family: 4 | 6, port = PORT): AddressServiceKey {
    return { protocol: transport, address: this.workshop.virtual[family], port }
  }

  /**
   * Key of a service with a port of its own. Connections outlive their table, and the kernel counts them again for a destination that is
   * added again, so tests do not share a port.
   */
  fresh(transport: 'tcp' | 'udp', family: 4 | 6): AddressServiceKey {
    return this.virtual(transport, family, ++this.lastPort)
  }

  /** Replaces the table by one service, whose destinations are the backends as `destination` describes them. */
  async balance(service: ServiceInput, destination: (backend: Backend) => DestinationInput): Promise<void> {
    await this.ipvs.flush()
    await this.ipvs.addService(service)
    for (const backend of this.workshop.backends) await this.ipvs.addDestination(service, destination(backend))
  }

  /** Asks the service at the virtual address over a new connection each time. Returns the names of the backends that answered. */
  ask({ protocol, address, port }: AddressServiceKey, times: number, from?: string): Promise<string[]> {
    return this.workshop.client.ask({ transport: protocol as 'tcp' | 'udp', address, port, from }, times)
  }

  /** The destination of a service that stands for this backend. */
  async destination(service: ServiceKey, backend: Backend): Promise<ListedDestination> {
    const addresses = Object.values(backend.address)
    return (await this.ipvs.destinations(service)).find(({ address }) => addresses.includes(address))!
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ipvs.close()
    await this.workshop[Symbol.asyncDispose]()
  }
}

/** How often each name occurs. */
export function tally(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}
