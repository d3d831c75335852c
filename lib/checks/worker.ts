/** The checker's thread. Started by {@link Checker}. */

import { parentPort, workerData } from 'node:worker_threads'
import { check } from './check.js'
import { enterNamespace } from './enter-namespace.js'
import { Monitor } from './monitor.js'
import { takeName } from './only-one.js'
import type { FromWorker, ToWorker, WorkerOptions } from './protocol.js'

const port = parentPort!
const { netns, onlyOne, sockets, programs } = workerData as WorkerOptions

const tell = (message: FromWorker): void => port.postMessage(message)

async function run(): Promise<void> {
  if (netns !== undefined) enterNamespace(netns)
  const name = onlyOne === undefined ? undefined : await takeName(onlyOne)
  const stop = new AbortController()
  let update = 0
  const monitor = new Monitor({ socket: sockets, program: programs }, (news) => tell({ type: 'news', update, ...news }))
  port.on('message', (message: ToWorker) => {
    switch (message.type) {
      case 'update':
        monitor.update(message)
        update = message.number
        break
      case 'status':
        tell({ type: 'answer', number: message.number, answer: monitor.status(message.ids) })
        break
      case 'check':
        check(message.target, message.check, { signal: stop.signal }).then(
          (answer) => tell({ type: 'answer', number: message.number, answer }),
          () => {
            // It ended with the thread.
          },
        )
        break
      case 'close':
        monitor.close()
        stop.abort()
        name?.close()
        port.close()
    }
  })
  tell({ type: 'ready' })
}

run().catch((error: NodeJS.ErrnoException) => {
  const { message, code, errno } = error
  tell({ type: 'refused', message, code, errno })
  port.close()
})
