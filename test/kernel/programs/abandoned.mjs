// Handles that nobody closes are cleaned up with the garbage: prints the descriptors and threads before and after.
import { readdirSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { Ipvs, IpvsSync } from 'ipvs'

const count = () => ({ descriptors: readdirSync('/proc/self/fd').length, threads: readdirSync('/proc/self/task').length })

async function abandon(times) {
  for (let n = 0; n < times; ++n) {
    await (await Ipvs.open({ netns: process.argv[2] })).services()
    IpvsSync.open({ netns: process.argv[2] }).services()
  }
}

/** Collects until nothing changes any more: finalizers run in later turns, and a thread needs a moment to end. */
async function collected() {
  let last = ''
  for (let same = 0; same < 20; ++same) {
    globalThis.gc()
    await setImmediate()
    const now = JSON.stringify(count())
    if (now !== last) same = 0
    last = now
  }
  return count()
}

await abandon(1)
const before = await collected()
await abandon(50)
const opened = count()
console.log(JSON.stringify({ before, opened, after: await collected() }))
