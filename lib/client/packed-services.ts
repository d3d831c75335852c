import { constants } from 'node:os'
import type { IpvsError } from '../model/errors.js'
import type { ServiceKey } from '../model/types.js'
import { commands } from '../wire/layout.js'
import type { Requests } from '../wire/pack/requests.js'
import { SERVICE_KEY_SIZE, writeServiceKey } from '../wire/pack/service.js'
import { DONE, type ListingView, type Reply } from '../wire/unpack/reply.js'
import { LISTED_SERVICE_SIZE } from '../wire/unpack/service.js'
import { failureOf } from './failure.js'
import { readList } from './lists.js'
import { reads } from './operations.js'
import { PackedTable } from './packed-table.js'
import { PIECE_DUMPS } from './piece.js'
import { reading, type Queue } from './queue.js'

const { ESRCH } = constants.errno

/** What is read beside services. Each takes a message of its own, there and back. */
export interface AlsoRead {
  timeouts?: boolean
  daemons?: boolean
}

/** How many services are read together. Their destinations are requested with them, because a missing service lists none. */
const LOT = PIECE_DUMPS / 2

/** The first error in a reply. A missing service is not an error. */
function failure(reply: Reply, requests: Requests): IpvsError | undefined {
  for (let i = 0; i < requests.count; i++) {
    const outcome = reply.outcome(i)
    if (outcome !== DONE && outcome !== -ESRCH) return failureOf(reply, requests, i, 'snapshot', () => ({ type: 'snapshot' }))
  }
  return undefined
}

function packDump(requests: Requests, service: ServiceKey): void {
  writeServiceKey(requests, requests.reserve(SERVICE_KEY_SIZE), service)
  requests.commit(commands.getDest, SERVICE_KEY_SIZE, true)
}

/** Records of services, one after the other as in a listing. */
class Services implements ListingView {
  readonly u8: Uint8Array
  readonly u16: Uint16Array
  readonly u32: Uint32Array
  readonly i32: Int32Array
  readonly u64: BigUint64Array
  count = 0

  constructor(most: number) {
    const buffer = new ArrayBuffer(most * LISTED_SERVICE_SIZE)
    this.u8 = new Uint8Array(buffer)
    this.u16 = new Uint16Array(buffer)
    this.u32 = new Uint32Array(buffer)
    this.i32 = new Int32Array(buffer)
    this.u64 = new BigUint64Array(buffer)
  }

  add(reply: Reply, at: number): void {
    this.u8.set(reply.u8.subarray(at, at + LISTED_SERVICE_SIZE), this.count++ * LISTED_SERVICE_SIZE)
  }
}

/**
 * Reads some services with their destinations. The cost depends on these services only, not on the size of the table.
 *
 * @param keys canonical keys, each of them once
 * @param also what else is read
 */
export async function readPackedServices(queue: Queue, keys: readonly ServiceKey[], also: AlsoRead): Promise<PackedTable> {
  const { ask, leave } = reading(queue, failure)
  try {
    const services = new Services(keys.length)
    const found: { reply: Reply, request: number }[] = []
    const settings: Partial<Pick<PackedTable, 'timeouts' | 'daemons'>> = {}
    for (let from = 0; from < keys.length || (from === 0 && (also.timeouts || also.daemons)); from += LOT) {
      const some = keys.slice(from, from + LOT)
      const reply = await ask((requests) => {
        for (const key of some) reads.getService.pack(requests, key)
        for (const key of some) packDump(requests, key)
        if (from > 0) return
        if (also.timeouts) reads.timeouts.pack(requests)
        if (also.daemons) reads.daemons.pack(requests)
      })
      some.forEach((_, i) => {
        if (reply.outcome(i) !== DONE) return
        services.add(reply, reply.recordsOf(i))
        found.push({ reply, request: some.length + i })
      })
      if (from > 0) continue
      let request = 2 * some.length
      if (also.timeouts) settings.timeouts = reads.timeouts.read(reply, reply.recordsOf(request++))
      if (also.daemons) settings.daemons = readList(reads.daemons, reply, request)
    }
    const table = Object.assign(new PackedTable(services, 0, services.count), settings)
    found.forEach(({ reply, request }, service) => table.add(service, reply, request))
    return table
  } finally {
    leave()
  }
}
