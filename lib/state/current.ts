import { leaveOut, readRecords } from '../client/listing.js'
import { reads } from '../client/operations.js'
import { pause, worked } from '../client/pause.js'
import type { Queue } from '../client/queue.js'
import { readTable, serviceAt, settingsOf } from '../client/snapshot.js'
import type { Daemon, Destination, DestinationInput, ListedDestination, ListedTable, Service, Timeouts } from '../model/types.js'
import { LISTED_DESTINATION_SIZE, readConfiguration } from '../wire/unpack/destination.js'
import { Reply } from '../wire/unpack/reply.js'
import { repeatedDestinations } from '../wire/unpack/repeats.js'
import { readService, readServiceKey } from '../wire/unpack/service.js'
import { surelyAsListed } from './compare.js'
import { isSpelled, serviceId } from './complete.js'
import type { DesiredState } from './desired.js'

/** The destinations of a service as the kernel lists them. */
export interface CurrentDestinations {
  readonly count: number
  /** All of them. Not where they are as desired. */
  read(): ListedDestination[]
  /** Whether these destinations are certainly valid and all that is there, as it is. False says nothing. */
  are(desired: readonly unknown[]): boolean
}

/** The table that a plan begins with. */
export interface CurrentTable {
  readonly services: Pick<readonly Service[], 'length' | 'at'>
  /** Destinations of the service with the same number. */
  readonly destinations: CurrentDestinations[]
  /** Which service of the table is which desired one, as far as that was seen while the table was read; -1 for none. */
  readonly matches?: {
    /** By the number of the desired service. */
    listed: Int32Array
    /** By the number of the listed service. */
    desired: readonly number[]
  }
  readonly timeouts: Timeouts
  readonly daemons: Daemon[]
}

const scratch: Destination = { address: '', port: 0, forward: 'nat', weight: 0, upperThreshold: 0, lowerThreshold: 0, tunnel: null }

/** Whether these destinations are certainly valid and the same as the packed ones from `at` on. */
function sameAsPacked(desired: readonly unknown[], reply: Reply, at: number, count: number): boolean {
  if (desired.length !== count) return false
  if (count === 0) return true
  const read = (index: number): Destination => readConfiguration(reply, at + index * LISTED_DESTINATION_SIZE, scratch)
  // The kernel lists the destinations of a service from the last that was added to the first.
  const first = desired[0] as DestinationInput | null | undefined
  const backwards = first?.address !== read(0).address || first.port !== scratch.port
  for (let i = 0; i < count; i++) {
    const destination = desired[i]
    if (typeof destination !== 'object' || destination === null) return false
    const { address, port } = destination as DestinationInput
    const listed = read(backwards ? count - 1 - i : i)
    if (address !== listed.address || port !== listed.port || !surelyAsListed(destination as DestinationInput, listed)) return false
  }
  return true
}

/** Destinations of which nothing was kept but that they are as desired. */
class SameDestinations implements CurrentDestinations {
  constructor(readonly desired: readonly unknown[]) {}

  get count(): number {
    return this.desired.length
  }

  are(desired: readonly unknown[]): boolean {
    return desired === this.desired
  }

  read(): never {
    throw new Error('destinations that are as desired are not kept')
  }
}

/** Records that are kept beyond the answer that they came in, whose place is used again. */
class Copies {
  #chunk = new Reply(new ArrayBuffer(0))
  #used = 0

  /** Copies so many bytes; returns what they are in now, and where. */
  keep(reply: Reply, at: number, length: number): { chunk: Reply, at: number } {
    if (this.#used + length > this.#chunk.buffer.byteLength) {
      this.#chunk = new Reply(new ArrayBuffer(Math.max(length, CHUNK)))
      this.#used = 0
    }
    const place = { chunk: this.#chunk, at: this.#used }
    this.#chunk.u8.set(reply.u8.subarray(at, at + length), this.#used)
    this.#used += length
    return place
  }
}

const CHUNK = 256 * 1024

/** Destinations that stay packed until somebody asks for them. */
class PackedDestinations implements CurrentDestinations {
  readonly #place: { chunk: Reply, at: number }
  readonly #repeated: Set<number> | undefined
  #read: ListedDestination[] | undefined

  constructor(copies: Copies, reply: Reply, request: number, readonly count: number) {
    this.#place = copies.keep(reply, reply.recordsOf(request), count * LISTED_DESTINATION_SIZE)
    this.#repeated = repeatedDestinations(reply, request)
  }

  read(): ListedDestination[] {
    if (this.#read === undefined) {
      this.#read = []
      readRecords(reads.destinations, this.#place.chunk, this.#place.at, this.count, this.#read)
      leaveOut(this.#read, this.#repeated)
    }
    return this.#read
  }

  are(desired: readonly unknown[]): boolean {
    return sameAsPacked(desired, this.#place.chunk, this.#place.at, this.count)
  }
}

/** Listed services that are read each time one is asked for. */
class PackedServices {
  /** The answer that has them. */
  table: Reply | undefined
  /** Their numbers in the listing. */
  readonly #numbers: number[] = []

  get length(): number {
    return this.#numbers.length
  }

  push(number: number): void {
    this.#numbers.push(number)
  }

  at(index: number): Service | undefined {
    const number = this.#numbers[index]
    return number === undefined ? undefined : readService(this.table!, serviceAt(this.table!, number))
  }
}

/** Numbers of the desired services, by what tells them apart as they are spelled; -1 for those that are there twice, which are going to be refused. */
async function numbersOf(desired: DesiredState): Promise<Map<string, number>> {
  const numbers = new Map<string, number>()
  for (let i = 0; i < desired.services.length; i++) {
    const service: unknown = desired.services[i]
    if (isSpelled(service)) {
      const id = serviceId(service)
      numbers.set(id, numbers.has(id) ? -1 : i)
    }
    if (worked()) await pause()
  }
  return numbers
}

/**
 * Reads the table for a plan. Most of a table is mostly as desired: that is seen while it comes, and nothing of it is kept. Nothing is made of it but the answers'
 * bytes, whose place is used again, so that the garbage collector, which would hold the event loop the longer the more there is, never hears of it.
 */
export async function currentTable(queue: Queue, desired: DesiredState): Promise<CurrentTable> {
  const matches = { listed: new Int32Array(desired.services.length).fill(-1), desired: [] as number[] }
  const destinations: CurrentDestinations[] = []
  const copies = new Copies()
  const services = new PackedServices()
  let numbers: Map<string, number> | undefined
  for await (const { table, services: listed, first, reply } of readTable(queue, true)) {
    services.table = table
    numbers ??= await numbersOf(desired)
    for (const service of listed) {
      const request = service - first
      const number = numbers.get(serviceId(readServiceKey(table, serviceAt(table, service)))) ?? -1
      const list = desired.destinations[number]
      if (number >= 0) matches.listed[number] = services.length
      matches.desired.push(number)
      services.push(service)
      const count = reply.recordCount(request)
      destinations.push(Array.isArray(list) && sameAsPacked(list, reply, reply.recordsOf(request), count) ? new SameDestinations(list) : new PackedDestinations(copies, reply, request, count))
      if (worked(1 + count)) await pause()
    }
  }
  return { services, destinations, matches, ...settingsOf(services.table!) }
}

/** The same of a table that was read in full. */
export const currentOf = ({ services, timeouts, daemons }: ListedTable): CurrentTable => ({
  services,
  destinations: services.map(({ destinations }) => ({ count: destinations.length, read: () => destinations, are: () => false })),
  timeouts,
  daemons,
})
