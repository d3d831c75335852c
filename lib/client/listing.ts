import type { Listing } from './operations.js'
import { pause, worked } from './pause.js'
import type { Reply } from '../wire/unpack/reply.js'

/** Reads `count` records from `at` on. */
export function readRecords<Element>(definition: Listing<Element>, reply: Reply, at: number, count: number, into: Element[]): void {
  for (let i = 0; i < count; i++) into.push(definition.read(reply, at + i * definition.size))
}

/** The same without holding the event loop for long. Returns a promise only where it has to pause. */
export function readInPieces<Element>(definition: Listing<Element>, reply: Reply, at: number, count: number, into: Element[]): Promise<void> | undefined {
  for (let i = 0; i < count; i++) {
    if (worked()) return readLater(definition, reply, at + i * definition.size, count - i, into)
    into.push(definition.read(reply, at + i * definition.size))
  }
  return undefined
}

async function readLater<Element>(definition: Listing<Element>, reply: Reply, at: number, count: number, into: Element[]): Promise<void> {
  await pause()
  await readInPieces(definition, reply, at, count, into)
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

/** The same without holding the event loop for long. Returns a promise only where it has to pause. */
export function listInPieces<Element>(definition: Listing<Element>, reply: Reply, request: number, repeated?: Set<number>): Element[] | Promise<Element[]> {
  const list: Element[] = []
  const finish = (): Element[] => {
    leaveOut(list, repeated)
    return list
  }
  return readInPieces(definition, reply, reply.recordsOf(request), reply.recordCount(request), list)?.then(finish) ?? finish()
}
