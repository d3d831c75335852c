// Worker threads that open networks, listen and ask, without end; each ended from outside at another moment. Arguments: how many, and a
// network
// namespace. Prints how many were ended, and how many descriptors more are open than before.
import { readdirSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

if (isMainThread) {
  const [count, netns] = process.argv.slice(2)
  let ended = 0
  let before
  for (let n = 0; n < Number(count); n++) {
    const worker = new Worker(new URL(import.meta.url), { workerData: { netns } })
    const failed = new Promise((_, reject) => worker.once('error', reject))
    await Promise.race([failed, new Promise(resolve => worker.once('message', resolve))])
    await setTimeout(n * 7 % 11)
    await Promise.race([failed, worker.terminate()])
    ended++
    // What the first of them loads, stays.
    if (ended === 1) before = readdirSync('/proc/self/fd').length
  }
  console.log(ended, readdirSync('/proc/self/fd').length - before)
} else {
  const { Network } = await import('ipvs/network')
  parentPort.postMessage('imported')
  for (;;) {
    const network = await Network.open({ netns: workerData.netns })
    const events = network.addressEvents()
    await Promise.all([events.next(), network.links(), network.route('127.0.0.1')])
    await network.close()
  }
}
