import { setImmediate } from 'node:timers'

/**
 * Work that is cut into pieces, so that the event loop is never held for long: `if (worked()) await pause()` after each piece.
 *
 * All such work of a process shares one clock. Many listings that are read at the same time hold the event loop no longer than one of them.
 */

/** How long the event loop is held, in milliseconds. It is less than documented, because a garbage collection can come on top of it. */
export const LONGEST = 2

/**
 * The clock is read after this many units of work, which take 25 to 300 µs. Where reading it takes a system call (user-mode Linux, some
 * virtual machines), a reading costs as much as ten operations packed. After every 64 units it made batches there a fifth slower.
 */
export const STRIDE = 256

/** Units since the clock was read. */
let units = 0

/** When the work of this turn of the event loop began; `undefined` while none is known. */
let began: number | undefined

/** Whether this turn has no time left. It stays set until the turn is over. */
let due = false

const waiting: (() => void)[] = []

function turnIsOver(): void {
  began = undefined
  due = false
}

/** Counts units of work that were done: an operation packed, a record read or compared. Whether it is time for a {@link pause}. */
export function worked(done = 1): boolean {
  if (due) return true
  units += done
  if (units < STRIDE) return false
  units = 0
  const now = performance.now()
  if (began === undefined) {
    began = now
    setImmediate(turnIsOver)
  }
  return due = now - began >= LONGEST
}

/**
 * Calls back when the microtasks of this turn have run, those that they queue included: a tick requested by a microtask comes after them.
 * `queueMicrotask` would take twice as long: it makes an asynchronous resource of each call.
 */
export function afterMicrotasks(callback: () => void): void {
  void Promise.resolve().then(() => process.nextTick(callback))
}

/** Resumes waiting work in order, for as long as there is time in this turn. The rest waits for the next turn. */
function goOn(): void {
  waiting.shift()?.()
  if (waiting.length === 0) return
  // After those of the work that goes on.
  afterMicrotasks(() => {
    if (worked(STRIDE)) setImmediate(beginTurn)
    else goOn()
  })
}

function beginTurn(): void {
  began = performance.now()
  due = false
  units = 0
  setImmediate(turnIsOver)
  goOn()
}

/** Waits for a turn of the event loop with time for more work. Work goes on in the order in which it began to wait. */
export function pause(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve)
    if (waiting.length === 1) setImmediate(beginTurn)
  })
}

/** Work in pieces: a generator that yields when it is time for a {@link pause}. Awaiting each step would take longer than the step. */
export type Steps<Result = void> = Generator<void, Result>

/** Does such work. An aborted signal ends it at the next pause, with its reason. */
export async function inPieces<Result>(steps: Steps<Result>, signal?: AbortSignal): Promise<Result> {
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) return step.value
    await pause()
    signal?.throwIfAborted()
  }
}
