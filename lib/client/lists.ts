import type { ListDefinition } from './operations.js'
import { pause, worked } from './pause.js'
import type { Reply } from '../wire/unpack/reply.js'

/** How many times a list that misses entries is read again. */
const ATTEMPTS = 5

/**
 * Decides whether a list must be read again. If others edit the table while the kernel lists it, a list of services can have some entries
 * twice, and then lacks as many. If it still does after some attempts, the last answer is taken, without its repetitions.
 */
export class Rereading {
  readonly #definition: ListDefinition<unknown>
  #left = ATTEMPTS
  /** Numbers of the records that the last answer has a second time. They are left out. */
  repeated: Set<number> | undefined

  constructor(definition: ListDefinition<unknown>) {
    this.#definition = definition
  }

  /** Whether the list must be read again after this answer. */
  isDue(reply: Reply, request: number): boolean {
    this.repeated = this.#definition.repeats?.(reply, request)
    return this.repeated !== undefined && this.#definition.lossy === true && this.#left-- > 0
  }
}

/** Removes repeated records from a list. There are few, if any. */
function leaveOut(list: unknown[], repeated: Set<number> | undefined): void {
  if (repeated !== undefined) for (const index of [...repeated].reverse()) list.splice(index, 1)
}

/** Reads all records that answer a request, except those with the numbers in `repeated`. */
export function readList<Element>(definition: ListDefinition<Element>, reply: Reply, request: number, repeated?: Set<number>): Element[] {
  const list: Element[] = []
  const at = reply.recordsOf(request)
  const count = reply.recordCount(request)
  for (let i = 0; i < count; i++) list.push(definition.read(reply, at + i * definition.size))
  leaveOut(list, repeated)
  return list
}

/** The same, with pauses so that the event loop is not held for long. Returns a promise only if it has to pause. */
export function readListInPieces<Element>(
  definition: ListDefinition<Element>, reply: Reply, request: number, repeated?: Set<number>,
): Element[] | Promise<Element[]> {
  const list: Element[] = []
  const finish = (): Element[] => {
    leaveOut(list, repeated)
    return list
  }
  return readSome(definition, reply, reply.recordsOf(request), reply.recordCount(request), list)?.then(finish) ?? finish()
}

function readSome<Element>(
  definition: ListDefinition<Element>, reply: Reply, at: number, count: number, into: Element[],
): Promise<void> | undefined {
  for (let i = 0; i < count; i++) {
    if (worked()) return readRest(definition, reply, at + i * definition.size, count - i, into)
    into.push(definition.read(reply, at + i * definition.size))
  }
  return undefined
}

async function readRest<Element>(
  definition: ListDefinition<Element>, reply: Reply, at: number, count: number, into: Element[],
): Promise<void> {
  await pause()
  await readSome(definition, reply, at, count, into)
}
