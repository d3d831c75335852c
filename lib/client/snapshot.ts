import { setImmediate as turn } from 'node:timers/promises'
import type { IpvsError } from '../model/errors.js'
import { failureOf } from './failure.js'
import { leaveOut, listAll, readRecords, SLICE } from './listing.js'
import { bits, commands, index } from '../wire/layout.js'
import { reads } from './operations.js'
import { takeBuffer } from '../wire/pack/buffers.js'
import type { Requests } from '../wire/pack/requests.js'
import { SERVICE_KEY_SIZE } from '../wire/pack/service.js'
import type { Piece, Queue } from './queue.js'
import type { ListedTable, ListedTableService } from '../model/types.js'
import { LISTED_SERVICE_SIZE, readListedService } from '../wire/unpack/service.js'
import { ATTEMPTS, repeatedDestinations, repeatedServices } from '../wire/unpack/repeats.js'
import type { Reply } from '../wire/unpack/reply.js'
import { returnSpace, takeSpace } from '../wire/unpack/spaces.js'

/** Dumps of destinations that are asked for together: while one lot is read, the kernel is at work on the next. */
const DUMPS = 128

const PRESENT = index('service', 'present', 'u32')
const KEY_BITS = bits('service', 'family', 'protocol', 'port', 'fwmark', 'address')

/** Numbers of the first requests' answers. */
const SERVICES = 0
const TIMEOUTS = 1
const DAEMONS = 2

/** Asks for everything but the destinations. */
function packTable(requests: Requests): void {
  reads.services.pack(requests)
  reads.timeouts.pack(requests)
  reads.daemons.pack(requests)
}

/** Asks for the destinations of some of the listed services. Their keys are the leading parts of their records, as the kernel sent them. */
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

/** A listed service with its destinations. (A spread would give every service a hidden class of its own, and each use of it a look-up.) */
function readService(table: Reply, index: number, destinations: ListedTableService['destinations']): ListedTableService {
  const service = readListedService(table, serviceAt(table, index)) as ListedTableService
  service.destinations = destinations
  return service
}

function firstFailure(reply: Reply, requests: Requests): IpvsError | undefined {
  for (let i = 0; i < requests.count; i++) {
    const error = failureOf(reply, requests, i, 'snapshot', () => ({ type: 'snapshot' }))
    if (error !== undefined) return error
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
  const askTable = (): Reply => {
    packTable(requests)
    return ask()
  }
  let table = askTable()
  let repeated = repeatedServices(table, SERVICES)
  for (let attempt = 0; repeated !== undefined && attempt < ATTEMPTS; attempt++) {
    table = askTable()
    repeated = repeatedServices(table, SERVICES)
  }
  const services: ListedTableService[] = []
  const count = table.recordCount(SERVICES)
  for (let from = 0; from < count; from += DUMPS) {
    const to = Math.min(from + DUMPS, count)
    packDumps(requests, table, from, to)
    const reply = ask()
    for (let i = from; i < to; i++) {
      if (repeated?.has(i)) continue
      services.push(readService(table, i, listAll(reads.destinations, reply, i - from, repeatedDestinations(reply, i - from))))
    }
  }
  return { services, timeouts: reads.timeouts.read(table, table.recordsOf(TIMEOUTS)), daemons: listAll(reads.daemons, table, DAEMONS) }
}

/** Lots of dumps that are asked for before the first of them is read. */
const AHEAD = 3

/** Is given the number of a listed service, and the answer that has its destinations; a promise that it returns is waited for. */
type Visit = (service: number, reply: Reply, request: number) => Promise<void> | undefined

/**
 * Reads the table, a lot of services at a time. Its place among the handle's operations is that of the call.
 *
 * @param lent whether the answers about destinations are not looked at any more when they have been visited
 * @param begin is given the answer to the listing of services, and makes what visits each of them
 * @returns what else the table has
 */
export function readTable(queue: Queue, lent: boolean, begin: (table: Reply) => Visit | Promise<Visit>): Promise<Pick<ListedTable, 'timeouts' | 'daemons'>> {
  return queue.during(async () => {
    const place = queue.lane()
    const ask = (pack: (requests: Requests) => void, space?: ArrayBuffer): Promise<Reply> => {
      const requests = takeBuffer()
      pack(requests)
      return new Promise((resolve, reject) => {
        const piece: Piece = {
          requests,
          sealed: true,
          space,
          settle(reply) {
            const error = firstFailure(reply!, piece.requests)
            if (error === undefined) resolve(reply!)
            else reject(error)
          },
          fail: reject,
        }
        place.push(piece)
      })
    }
    try {
      let table = await ask(packTable)
      let repeated = repeatedServices(table, SERVICES)
      for (let attempt = 0; repeated !== undefined && attempt < ATTEMPTS; attempt++) {
        table = await ask(packTable)
        repeated = repeatedServices(table, SERVICES)
      }
      const visit = await begin(table)
      const count = table.recordCount(SERVICES)
      const dumps = (from: number): Promise<Reply> => {
        const reply = ask((requests) => packDumps(requests, table, from, Math.min(from + DUMPS, count)), lent ? takeSpace() : undefined)
        // Heard where it is waited for; an earlier lot may end the snapshot first.
        reply.catch(() => {})
        return reply
      }
      const asked: Promise<Reply>[] = []
      let next = 0
      for (let from = 0; from < count; from += DUMPS) {
        for (; next < count && asked.length < AHEAD; next += DUMPS) asked.push(dumps(next))
        const reply = await asked.shift()!
        for (let i = from; i < Math.min(from + DUMPS, count); i++) {
          if (repeated?.has(i)) continue
          const pause = visit(i, reply, i - from)
          if (pause !== undefined) await pause
        }
        if (lent) returnSpace(reply.buffer)
      }
      return { timeouts: reads.timeouts.read(table, table.recordsOf(TIMEOUTS)), daemons: listAll(reads.daemons, table, DAEMONS) }
    } finally {
      place.close()
    }
  })
}

/** Where the service with this number is in the listing. */
export const serviceAt = (table: Reply, service: number): number => table.recordsOf(SERVICES) + service * LISTED_SERVICE_SIZE

/** How many services there are in the listing. */
export const serviceCount = (table: Reply): number => table.recordCount(SERVICES)

/** The promise API's `snapshot`. */
export async function snapshot(queue: Queue): Promise<ListedTable> {
  const services: ListedTableService[] = []
  let read = 0
  const readSlowly = async (reply: Reply, at: number, count: number, into: ListedTableService['destinations'], repeated: Set<number> | undefined): Promise<void> => {
    for (let done = 0; done < count;) {
      const some = Math.min(count - done, SLICE - read)
      readRecords(reads.destinations, reply, at + done * reads.destinations.size, some, into)
      done += some
      read += some
      if (read < SLICE) continue
      read = 0
      await turn()
    }
    leaveOut(into, repeated)
  }
  const { timeouts, daemons } = await readTable(queue, true, (table) => (service, reply, request) => {
    const destinations: ListedTableService['destinations'] = []
    services.push(readService(table, service, destinations))
    const at = reply.recordsOf(request)
    const count = reply.recordCount(request)
    const repeated = repeatedDestinations(reply, request)
    if (read + count >= SLICE) return readSlowly(reply, at, count, destinations, repeated)
    readRecords(reads.destinations, reply, at, count, destinations)
    leaveOut(destinations, repeated)
    read += count
    return undefined
  })
  return { services, timeouts, daemons }
}
