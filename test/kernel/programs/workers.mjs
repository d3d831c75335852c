// Worker threads with handles of their own: some end by themselves, one is ended in the middle of its work.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Ipvs } from 'ipvs'

if (isMainThread) {
  const ended = worker => new Promise((resolve, reject) => worker.once('error', reject).once('exit', resolve))
  const start = data => new Worker(new URL(import.meta.url), { workerData: { netns: process.argv[2], ...data } })

  const workers = [1, 2, 3, 4].map(number => start({ number }))
  await Promise.all(workers.map(ended))

  const busy = start({ number: 5, endless: true })
  await new Promise(resolve => busy.once('message', resolve))
  await busy.terminate()

  const ipvs = await Ipvs.open({ netns: process.argv[2] })
  const ports = (await ipvs.services()).map(({ port }) => port).filter(port => port < 5000)
  console.log(JSON.stringify(ports.sort((a, b) => a - b)))
  await ipvs.close()
} else {
  const { netns, number, endless } = workerData
  const ipvs = await Ipvs.open({ netns })
  const service = port => ({ protocol: 'tcp', address: '10.10.10.100', port })
  if (endless) {
    parentPort.postMessage('busy')
    for (;;) {
      await Promise.all(
        Array.from({ length: 100 }, (_, n) =>
          ipvs.addService(service(5000 + n)).then(
            () => ipvs.removeService(service(5000 + n)),
            () => undefined,
          ),
        ),
      )
    }
  }
  await Promise.all([1, 2, 3].map(n => ipvs.addService(service(number * 1000 + n))))
  await ipvs.close()
}
