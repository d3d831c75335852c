import type { IpvsError } from '../model/errors.js'
import { failureOf } from './failure.js'
import { readList, readListInPieces, Rereading } from './lists.js'
import { bits, commands, index } from '../wire/layout.js'
import { reads } from './operations.js'
import type { Requests } from '../wire/pack/requests.js'
import { SERVICE_KEY_SIZE } from '../wire/pack/service.js'
import { pause, worked } from './pause.js'
import { PIECE_DUMPS } from './piece.js'
import { reading, type Queue } from './queue.js'
import type { ListedTable, ListedTableService } from '../model/types.js'
import { LISTED_SERVICE_SIZE, readListedService } from '../wire/unpack/service.js'
import { repeatedDestinations } from '../wire/unpack/key-index.js'
import { DONE, returnSpace, takeSpace, type Reply } from '../wire/unpack/reply.js'

const PRESENT = index('service', 'present', 'u32')
const KEY_BITS = bits('service', 'family', 'protocol', 'port', 'fwmark', 'address')

/** Numbers of the first requests' answers. */
const SERVICES = 0
const TIMEOUTS = 1
const DAEMONS = 2

/** Requests everything but the destinations. */
function packTable(requests: Requests): void {
  reads.services.pack(requests)
  reads.timeouts.pack(requests)
  reads.daemons.pack(requests)
}

/** Requests the destinations of some listed services. Their keys are the leading parts of their records, as the kernel sent them. */
function packDumps(requests: Requests, table: Reply, from: number, to: number): void {
  const services = table.recordsOf(SERVICES)
  for (let i = from; i < to; i++) {
    const at = requests.reserve(SERVICE_KEY_SIZE)
    const service = services + i * LISTED_SERVICE_SIZE
    requests.u8.set(table.u8.subarray(service, service + SERVICE_KEY_SIZE), at)
    requests.u32[(at >> 2) + PRESENT] &= KEY_BITS
    requests.commit(commands.getDest, SERVICE_KEY_SIZE, true)
  }
}

/**
 * Makes a listed service with its destinations. (A spread would give every service a hidden class of its own, and slow down each use of
 * it.)
 */
function readService(table: Reply, index: number, destinations: ListedTableService['destinations']): ListedTableService {
  const service = readListedService(table, serviceAt(table, index)) as ListedTableService
  service.destinations = destinations
  return service
}

function firstFailure(reply: Reply, requests: Requests): IpvsError | undefined {
  for (let i = 0; i < requests.count; i++) {
    if (reply.outcome(i) !== DONE) return failureOf(reply, requests, i, 'snapshot', () => ({ type: 'snapshot' }))
  }
  return undefined
}

/** `snapshot` of `IpvsSync`. */
export function snapshotSync(requests: Requests, execute: (requests: Requests) => Reply | undefined): ListedTable {
  const ask = (): Reply => {
    const reply = execute(requests)!
    const error = firstFailure(reply, requests)
    if (error !== undefined) throw error
    requests.clear()
    return reply
  }
  const rereading = new Rereading(reads.services)
  let table: Reply
  do {
    packTable(requests)
    table = ask()
  } while (rereading.isDue(table, SERVICES))
  const services: ListedTableService[] = []
  const count = table.recordCount(SERVICES)
  for (let from = 0; from < count; from += PIECE_DUMPS) {
    const to = Math.min(from + PIECE_DUMPS, count)
    packDumps(requests, table, from, to)
    const reply = ask()
    for (let i = from; i < to; i++) {
      if (rereading.repeated?.has(i)) continue
      services.push(readService(table, i, readList(reads.destinations, reply, i - from, repeatedDestinations(reply, i - from))))
    }
  }
  return { services, ...settingsOf(table) }
}

/** How many lots of dumps are requested before the first of them is read. */
const AHEAD = 3

/** Some services of the table, and the answer that has their destinations. */
export interface Lot {
  /** The answer with the services, the timeouts and the daemons: the same for all lots. */
  readonly table: Reply
  /** Numbers of services in that answer. */
  readonly services: readonly number[]
  /** Number of the service that the answer's first request is about. The further requests are about those after it. */
  readonly first: number
  readonly reply: Reply
}

/** Numbers of services, without those that are listed a second time. */
function* numbers(from: number, to: number, repeated: Set<number> | undefined): Generator<number> {
  for (let i = from; i < to; i++) if (repeated?.has(i) !== true) yield i
}

/**
 * Reads the table, a lot of services at a time. The first lot has no services. The place of the reading among the handle's operations is
 * that of the first call of `next()`.
 *
 * @param lent whether the caller has finished with a lot's answer when it asks for the next one. The answer's memory is then used again
 */
export async function* readTable(queue: Queue, lent: boolean): AsyncGenerator<Lot, void> {
  const { ask, leave } = reading(queue, firstFailure)
  try {
    const rereading = new Rereading(reads.services)
    let table: Reply
    do table = await ask(packTable)
    while (rereading.isDue(table, SERVICES))
    yield { table, services: [], first: 0, reply: table }
    const count = table.recordCount(SERVICES)
    const dumps = (from: number): Promise<Reply> => {
      const to = Math.min(from + PIECE_DUMPS, count)
      const reply = ask((requests) => packDumps(requests, table, from, to), lent ? takeSpace() : undefined)
      // Prevents an unhandled rejection if an earlier lot ends the snapshot.
      reply.catch(() => {})
      return reply
    }
    const asked: Promise<Reply>[] = []
    let next = 0
    for (let first = 0; first < count; first += PIECE_DUMPS) {
      for (; next < count && asked.length < AHEAD; next += PIECE_DUMPS) asked.push(dumps(next))
      const reply = await asked.shift()!
      yield { table, services: [...numbers(first, Math.min(first + PIECE_DUMPS, count), rereading.repeated)], first, reply }
      if (lent) returnSpace(reply.buffer)
    }
  } finally {
    leave()
  }
}

/** The rest of a table: timeouts and sync daemons. */
export const settingsOf = (table: Reply): Pick<ListedTable, 'timeouts' | 'daemons'> =>
  ({ timeouts: reads.timeouts.read(table, table.recordsOf(TIMEOUTS)), daemons: readList(reads.daemons, table, DAEMONS) })

/** Where the service with this number is in the table's answer. */
export const serviceAt = (table: Reply, service: number): number => table.recordsOf(SERVICES) + service * LISTED_SERVICE_SIZE

/** How many services there are in the table's answer. */
export const serviceCount = (table: Reply): number => table.recordCount(SERVICES)

/** The promise API's `snapshot`. */
export async function snapshot(queue: Queue): Promise<ListedTable> {
  const services: ListedTableService[] = []
  let settings: Pick<ListedTable, 'timeouts' | 'daemons'> | undefined
  for await (const { table, services: listed, first, reply } of readTable(queue, true)) {
    settings ??= settingsOf(table)
    for (const service of listed) {
      const request = service - first
      const destinations = readListInPieces(reads.destinations, reply, request, repeatedDestinations(reply, request))
      services.push(readService(table, service, Array.isArray(destinations) ? destinations : await destinations))
      if (worked()) await pause()
    }
  }
  return { services, ...settings! }
}
