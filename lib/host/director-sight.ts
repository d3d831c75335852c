import type { Daemon, ListedTableService } from '../model/types.js'
import type { Machine } from './machine.js'
import { contains } from './subnet.js'
import type { Watched } from './traffic.js'

/** What the rows for a director look at. */
export class DirectorSight {
  constructor(
    readonly machine: Machine,
    readonly daemons: readonly Daemon[],
    /** The services that are looked at. */
    readonly services: readonly ListedTableService[],
    readonly watched: readonly Watched[],
    /** Reads a setting under net.ipv4.vs; `undefined` where this kernel has none. */
    readonly ipvsSetting: (name: 'conntrack' | 'sync_threshold' | 'sync_refresh_period') => Promise<string | undefined>,
  ) {}

  /** Whether this machine has an address itself. */
  isOwn(address: string): boolean {
    return this.machine.addresses.some((own) => own.address === address)
  }

  /** Whether two other machines reach each other without this one, because they are in one of its networks. */
  isNear(one: string, other: string): boolean {
    return this.machine.neighbourhood(one).some((network) => contains(network, other))
  }
}
