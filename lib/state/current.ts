import { listAll } from '../listing.js'
import { reads } from '../operations.js'
import type { Queue } from '../queue.js'
import { readServiceAt, readTable } from '../snapshot.js'
import type { Daemon, Destination, DestinationInput, ListedDestination, ListedService, ListedTable, Timeouts } from '../types.js'
import { LISTED_DESTINATION_SIZE, readConfiguration } from '../unpack/destination.js'
import type { Reply } from '../unpack/reply.js'
import { repeatedDestinations } from '../unpack/repeats.js'
import { surelyAsListed } from './compare.js'

/** The destinations of a service as the kernel lists them. */
export interface CurrentDestinations {
  readonly count: number
  /** All of them. */
  read(): ListedDestination[]
  /** Whether these destinations are certainly valid and all that is there, as it is. False says nothing. */
  are(desired: readonly DestinationInput[]): boolean
}

/** The table that a plan begins with. */
export interface CurrentTable {
  readonly services: ListedService[]
  /** Destinations of the service with the same number. */
  readonly destinations: CurrentDestinations[]
  readonly timeouts: Timeouts
  readonly daemons: Daemon[]
}

/** Services that are unpacked between two turns of the event loop. */
const SLICE = 500

const scratch: Destination = { address: '', port: 0, forward: 'nat', weight: 0, upperThreshold: 0, lowerThreshold: 0, tunnel: null }

/**
 * Destinations that stay packed until somebody asks for them. Most of a table is mostly as desired: of that nothing is made but this, and the garbage
 * collector, which would hold the event loop the longer the more there is, never hears of the rest.
 */
class PackedDestinations implements CurrentDestinations {
  #read: ListedDestination[] | undefined

  constructor(readonly reply: Reply, readonly request: number) {}

  get count(): number {
    return this.reply.recordCount(this.request)
  }

  read(): ListedDestination[] {
    return this.#read ??= listAll(reads.destinations, this.reply, this.request, repeatedDestinations(this.reply, this.request))
  }

  #at(index: number): Destination {
    return readConfiguration(this.reply, this.reply.recordsOf(this.request) + index * LISTED_DESTINATION_SIZE, scratch)
  }

  are(desired: readonly DestinationInput[]): boolean {
    const { count } = this
    if (desired.length !== count) return false
    if (count === 0) return true
    // The kernel lists the destinations of a service from the last that was added to the first.
    const backwards = desired[0]?.address !== this.#at(0).address || desired[0].port !== scratch.port
    for (let i = 0; i < count; i++) {
      const destination: unknown = desired[i]
      if (typeof destination !== 'object' || destination === null) return false
      const { address, port } = destination as DestinationInput
      const listed = this.#at(backwards ? count - 1 - i : i)
      if (address !== listed.address || port !== listed.port || !surelyAsListed(destination as DestinationInput, listed)) return false
    }
    return true
  }
}

/** Reads the table for a plan. */
export async function currentTable(queue: Queue): Promise<CurrentTable> {
  const services: ListedService[] = []
  const destinations: CurrentDestinations[] = []
  const settings = await readTable(queue, false, (table, service, reply, request) => {
    services.push(readServiceAt(table, service))
    destinations.push(new PackedDestinations(reply, request))
    return services.length % SLICE === 0 ? new Promise(setImmediate) : undefined
  })
  return { services, destinations, ...settings }
}

/** The same of a table that was read in full. */
export const currentOf = ({ services, timeouts, daemons }: ListedTable): CurrentTable => ({
  services,
  destinations: services.map(({ destinations }) => ({ count: destinations.length, read: () => destinations, are: () => false })),
  timeouts,
  daemons,
})
