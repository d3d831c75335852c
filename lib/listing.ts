import { setImmediate as turn } from 'node:timers/promises'
import type { Listing } from './operations.js'
import type { Reply } from './unpack/reply.js'

/** Records that are read between two turns of the event loop: half a millisecond's worth, five where the code has not run before. */
export const SLICE = 1000

/** Reads `count` records from `at` on. */
export function readRecords<Element>(definition: Listing<Element>, reply: Reply, at: number, count: number, into: Element[]): void {
  for (let i = 0; i < count; i++) into.push(definition.read(reply, at + i * definition.size))
}

const without = <Element>(list: Element[], repeated: Set<number> | undefined): Element[] =>
  repeated === undefined ? list : list.filter((_, index) => !repeated.has(index))

/** All records that answer a request, except those with the numbers in `repeated`. */
export function listAll<Element>(definition: Listing<Element>, reply: Reply, request: number, repeated?: Set<number>): Element[] {
  const list: Element[] = []
  readRecords(definition, reply, reply.recordsOf(request), reply.recordCount(request), list)
  return without(list, repeated)
}

/** The same without holding the event loop for long. */
export async function listInSlices<Element>(definition: Listing<Element>, reply: Reply, request: number, repeated?: Set<number>): Promise<Element[]> {
  const list: Element[] = []
  const at = reply.recordsOf(request)
  const count = reply.recordCount(request)
  for (let from = 0; from < count; from += SLICE) {
    if (from > 0) await turn()
    readRecords(definition, reply, at + from * definition.size, Math.min(SLICE, count - from), list)
  }
  return without(list, repeated)
}
