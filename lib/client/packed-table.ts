import { serviceId } from '../model/keys.js'
import type {
  Daemon,
  DestinationKey,
  ListedDestination,
  ListedService,
  ListedTable,
  Service,
  ServiceKey,
  Timeouts,
} from '../model/types.js'
import { reply as layout } from '../wire/layout.js'
import { LISTED_DESTINATION_SIZE, readListedDestination } from '../wire/unpack/destination.js'
import { KeyIndex, repeatedDestinations, WHOLE_DESTINATIONS } from '../wire/unpack/key-index.js'
import { Reply, type ListingView, type View } from '../wire/unpack/reply.js'
import { LISTED_SERVICE_SIZE, readListedService, readService, readServiceKey } from '../wire/unpack/service.js'
import { Draft } from './draft.js'
import { readList } from './lists.js'
import { reads } from './operations.js'
import type { Queue } from './queue.js'
import { areDestinationsQuiet, isServiceQuiet } from './same-listing.js'
import { readTable, serviceAt, serviceCount, settingsOf } from './snapshot.js'

/** The destinations of a service, as the kernel listed them: packed, found by their numbers. */
export class PackedDestinations {
  readonly #reply: Reply
  readonly #at: number
  readonly #index: KeyIndex
  #repeated: Set<number> | undefined
  #entered = false
  /** Number of the destination that was found last, or -1. */
  #last = -1
  /** How many there are, repeated entries included. */
  readonly count: number

  constructor(reply: Reply, request: number, index: KeyIndex) {
    this.#reply = reply
    this.#at = reply.recordsOf(request)
    this.#index = index
    this.count = reply.recordCount(request)
    index.begin(reply, this.#at, this.count)
    if (this.count > WHOLE_DESTINATIONS) this.#enter()
  }

  #enter(): void {
    this.#entered = true
    for (let number = 0; number < this.count; number++) if (this.#index.add(number) >= 0) (this.#repeated ??= new Set()).add(number)
  }

  /** Whether this is the repetition of an entry. A list that was edited while it was read can have an entry twice. */
  isRepeated(number: number): boolean {
    return this.#repeated?.has(number) === true
  }

  /** Number of the destination that the draft is about, or -1. */
  find({ view, destinationAt }: Draft): number {
    return this.#find(view, destinationAt)
  }

  /** Number that a destination has in another look at the list, or -1. */
  numberIn(other: PackedDestinations, number: number): number {
    return other.#find(this.#reply, this.#place(number))
  }

  #place(number: number): number {
    return this.#at + number * LISTED_DESTINATION_SIZE
  }

  #find(view: View, at: number): number {
    let found = this.#beside(view, at)
    if (found < 0) {
      if (!this.#entered) this.#enter()
      found = this.#index.find(view, at)
    }
    if (found >= 0) this.#last = found
    return found
  }

  /**
   * Looks at the neighbours of the destination that was found last, because a desired list is usually in the kernel's order, or in the
   * order of adding, which is the opposite. Returns -1 if it is neither. Also returns -1 if the list has repeated entries, of which only
   * the first may be found.
   */
  #beside(view: View, at: number): number {
    if (this.count === 0 || this.#repeated !== undefined) return -1
    const next = this.#last + 1 < this.count ? this.#last + 1 : 0
    if (this.#index.has(view, at, next)) return next
    const previous = this.#last > 0 ? this.#last - 1 : this.count - 1
    return this.#index.has(view, at, previous) ? previous : -1
  }

  /** Whether a destination is configured as the draft has it. */
  isConfiguredAs(draft: Draft, number: number): boolean {
    return draft.isDestinationAt(this.#reply, this.#place(number))
  }

  /** Copies a destination into the draft, as it is listed. */
  copy(number: number, draft: Draft): void {
    draft.copyDestination(this.#reply, this.#place(number))
  }

  /** Whether there is nothing to report about a destination since an earlier look at the list. */
  isQuiet(number: number, before: PackedDestinations, then: number): boolean {
    return areDestinationsQuiet(before.#reply, before.#place(then), this.#reply, this.#place(number), 1)
  }

  read(number: number): ListedDestination {
    return readListedDestination(this.#reply, this.#place(number))
  }
}

/** The answer of services whose destinations were not asked for. It has none. */
const NO_DESTINATIONS = new Reply(new ArrayBuffer(layout.headerSize + layout.entrySize))

/**
 * A table as the kernel listed it, still packed: objects are made only of what is asked for. Services and destinations are found by the
 * bytes of their keys, and compared by the bytes of their configuration.
 */
export class PackedTable {
  readonly #listing: ListingView
  readonly #first: number
  readonly #index = new KeyIndex('service')
  readonly #destinationIndex = new KeyIndex('destination')
  #keys: Draft | undefined
  /** The answer with a service's destinations, and the number of the request in it, both by the number of the service. */
  readonly #replies: Reply[] = []
  readonly #requests: number[] = []
  #numbers: Map<string, number> | undefined
  #opened: { service: number, destinations: PackedDestinations } | undefined
  /** Missing where they were not read. */
  timeouts!: Timeouts
  /** Missing where they were not read. */
  daemons!: Daemon[]
  /** Numbers of the services. */
  readonly services: number[] = []

  /** @param first where the records of the `count` listed services begin */
  constructor(listing: ListingView, first: number, count: number) {
    this.#listing = listing
    this.#first = first
    this.#index.begin(listing, first, count)
  }

  #at(service: number): number {
    return this.#first + service * LISTED_SERVICE_SIZE
  }

  /** Adds the next service, and the answer that lists its destinations. Leaves out a service that is listed a second time. */
  add(service: number, reply: Reply, request: number): void {
    if (this.#index.add(service) >= 0) return
    this.services.push(service)
    this.#replies[service] = reply
    this.#requests[service] = request
  }

  /** Number of the service that the draft is about, or -1. */
  find({ view, serviceAt }: Draft): number {
    return this.#index.find(view, serviceAt)
  }

  /**
   * Number that a service has in another look at the table, or -1. Looks in the same place first, because the kernel mostly lists services
   * in the same order.
   */
  numberIn(other: PackedTable, service: number): number {
    const at = this.#at(service)
    const same = other.#requests[service] !== undefined && other.#index.has(this.#listing, at, service)
    return same ? service : other.#index.find(this.#listing, at)
  }

  /** Whether there is nothing to report about a service and its destinations since an earlier look at the table. */
  isQuiet(service: number, before: PackedTable, then: number): boolean {
    if (!isServiceQuiet(before.#listing, before.#at(then), this.#listing, this.#at(service))) return false
    const [was, is] = [before.#replies[then], this.#replies[service]]
    const [asked, asks] = [before.#requests[then], this.#requests[service]]
    const count = is.recordCount(asks)
    return was.recordCount(asked) === count && areDestinationsQuiet(was, was.recordsOf(asked), is, is.recordsOf(asks), count)
  }

  /** Whether a service is configured as the draft has it. */
  isConfiguredAs(draft: Draft, service: number): boolean {
    return draft.isServiceAt(this.#listing, this.#at(service))
  }

  /** Copies a service into the draft, as it is listed. */
  copy(service: number, draft: Draft): void {
    draft.copyService(this.#listing, this.#at(service))
  }

  key(service: number): ServiceKey {
    return readServiceKey(this.#listing, this.#at(service))
  }

  service(service: number): Service {
    return readService(this.#listing, this.#at(service))
  }

  listedService(service: number): ListedService {
    return readListedService(this.#listing, this.#at(service))
  }

  /** Makes objects of the whole table, in one go. The list that {@link destinations} returned last stays valid. */
  unpack(): ListedTable {
    const services = this.services.map((service) => {
      const reply = this.#replies[service]
      const request = this.#requests[service]
      const destinations = readList(reads.destinations, reply, request, repeatedDestinations(reply, request))
      return Object.assign(this.listedService(service), { destinations })
    })
    return { services, timeouts: this.timeouts, daemons: this.daemons }
  }

  /** The destinations of a service. They are valid until those of another service are asked for. */
  destinations(service: number): PackedDestinations {
    if (this.#opened?.service !== service) {
      const destinations = new PackedDestinations(this.#replies[service], this.#requests[service], this.#destinationIndex)
      this.#opened = { service, destinations }
    }
    return this.#opened.destinations
  }

  /** The destination with this key; `undefined` if the service has no such destination. */
  readDestination(service: number, destination: DestinationKey): ListedDestination | undefined {
    const destinations = this.destinations(service)
    const keys = this.#keys ??= new Draft()
    keys.packDestinationKey(destination)
    const number = destinations.find(keys)
    return number < 0 ? undefined : destinations.read(number)
  }

  /**
   * Number of the service with this id, or -1. Also finds services whose key cannot be packed, because the kernel accepts protocols that it
   * does not balance.
   */
  numberOf(id: string): number {
    this.#numbers ??= new Map(this.services.map((service) => [serviceId(this.key(service)), service]))
    return this.#numbers.get(id) ?? -1
  }
}

/** How the table is read. */
export interface TableOptions {
  /** Whether the destinations are read too. True by default. Without them every service has none. */
  destinations?: boolean
  /** Ends the reading when it is aborted, with its reason as the error. Requests that were sent by then are answered; no more are sent. */
  signal?: AbortSignal
}

/** Reads the table. Its place among the handle's operations is that of the call. */
export async function readPackedTable(queue: Queue, { destinations = true, signal }: TableOptions = {}): Promise<PackedTable> {
  let packed: PackedTable | undefined
  for await (const { table, services, first, reply } of readTable(queue, false)) {
    signal?.throwIfAborted()
    packed ??= Object.assign(new PackedTable(table, serviceAt(table, 0), serviceCount(table)), settingsOf(table))
    if (!destinations) {
      for (let service = 0; service < serviceCount(table); service++) packed.add(service, NO_DESTINATIONS, 0)
      break
    }
    for (const service of services) packed.add(service, reply, service - first)
  }
  return packed!
}
