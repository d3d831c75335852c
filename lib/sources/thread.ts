import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { FileSource, Reading } from './reading.js'

/** The thread's file: beside this one as a module, in the neighbouring folder of the command's bundle; where this runs from its sources, the one that was compiled. */
function workerFile(): string {
  const built = fileURLToPath(new URL('../sources/worker.js', import.meta.url))
  return existsSync(built) ? built : fileURLToPath(new URL('../../dist/sources/worker.js', import.meta.url))
}

/** Reads a configuration in a thread of its own, so that a large file does not stand in the way of what is done meanwhile. */
export function readInThread(source: FileSource): Promise<Reading> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(workerFile(), { workerData: source, name: 'ipvs-configuration', execArgv: [] })
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', () => reject(new Error('the thread that reads the configuration ended without an answer')))
  })
}
