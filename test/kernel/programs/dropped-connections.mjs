/**
 * Begins to list connections again and again, and drops the lists unfinished. Prints as JSON how many descriptors were open before, at most
 * meanwhile, and at the end.
 * Arguments: the class of the handle. Needs --expose-gc.
 */
import { readdirSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import * as library from 'ipvs'

const handle = await library[process.argv[2]].open()
const count = () => readdirSync('/proc/self/fd').length

/** In a function of its own, so that nothing of it is left on the stack. */
async function beginAndDrop() {
  for (let i = 0; i < 20; i++) {
    const { done } = await handle.connections().next()
    if (done) throw new Error('there are no connections to list')
  }
  // These were never begun: nothing may have been opened for them.
  for (let i = 0; i < 20; i++) handle.connections()
}

const before = count()
await beginAndDrop()
const dropped = count()
// Finalizers run in later turns. The number of turns only keeps a failure from going on for ever.
for (let turns = 0; turns < 200 && count() > before; turns++) {
  globalThis.gc()
  await turn()
}
console.log(JSON.stringify({ before, dropped, after: count() }))
await handle.close()
