import { setImmediate as turn } from 'node:timers/promises'
import type { Listing } from './operations.js'
import type { Reply } from '../wire/unpack/reply.js'

/** Records that are read between two turns of the event loop: half a millisecond's worth, five where the code has not run before. */
export const SLICE = 1000

/** Reads `count` records from `at` on. */
export function readRecords<Element>(definition: Listing<Element>, reply: Reply, at: number, count: number, into: Element[]): void {
  for (let i = 0; i < count; i++) into.push(definition.read(reply, at + i * definition.size))
}

/** Takes records out of a list that are there a second time. There are few, if any. */
export function leaveOut(list: unknown[], repeated: Set<number> | undefined): void {
  if (repeated !== undefined) for (const index of [...repeated].reverse()) list.splice(index, 1)
}

/** All records that answer a request, except those with the numbers in `repeated`. */
export function listAll<Element>(definition: Listing<Element>, reply: Reply, request: number, repeated?: Set<number>): Element[] {
  const list: Element[] = []
  readRecords(definition, reply, reply.recordsOf(request), reply.recordCount(request), list)
  leaveOut(list, repeated)
  return list
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
  leaveOut(list, repeated)
  return list
}
