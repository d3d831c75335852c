// Worker threads that open handles, use them and close them, without end. Each is ended from outside at another moment: half of them while
// they import the package, half of them while they have handles. Prints how many were ended.
// Arguments: how many, and perhaps a network namespace.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { setTimeout } from 'node:timers/promises'

if (isMainThread) {
  const [count, netns] = process.argv.slice(2)
  let ended = 0
  for (let n = 0; n < Number(count); n++) {
    const worker = new Worker(new URL(import.meta.url), { workerData: { netns, form: n % 4 < 2 ? 'sync' : 'async' } })
    const failed = new Promise((_, reject) => worker.once('error', reject))
    await Promise.race([failed, new Promise(resolve => worker.once(n % 2 === 0 ? 'online' : 'message', resolve))])
    await setTimeout(n * 7 % 11)
    await Promise.race([failed, worker.terminate()])
    ended++
  }
  console.log(ended)
} else {
  const { netns, form } = workerData
  const { Ipvs, IpvsSync } = await import('ipvs')
  parentPort.postMessage('imported')
  for (;;) {
    try {
      if (form === 'sync') {
        const ipvs = IpvsSync.open({ netns })
        ipvs.services()
        ipvs.totals()
        ipvs.close()
      } else {
        const ipvs = await Ipvs.open({ netns })
        await Promise.all([ipvs.services(), ipvs.totals(), ipvs.timeouts()])
        await ipvs.close()
      }
    } catch (error) {
      // A kernel without IPVS: opening fails, which is a way through the addon too.
      if (error.name !== 'IpvsError') throw error
    }
  }
}
