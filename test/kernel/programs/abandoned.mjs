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

async function collected(limit) {
  // The collector runs finalizers in later turns, and a thread needs a moment to end.
  for (let turn = 0; turn < 1000; ++turn) {
    globalThis.gc()
    await setImmediate()
    if (count().descriptors <= limit.descriptors && count().threads <= limit.threads) break
  }
}

await abandon(1)
await collected({ descriptors: 0, threads: 0 })
const before = count()
await abandon(50)
await collected(before)
console.log(JSON.stringify({ before, after: count() }))
