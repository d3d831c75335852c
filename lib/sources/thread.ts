import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { FileSource, Reading } from './reading.js'

/**
 * Where the thread's file is: beside this one as modules, in the package's bundle, and where this runs from its sources, as it was
 * compiled.
 */
const WORKER_FILES = ['../sources/worker.js', '../package/configuration-worker.js', '../../dist/sources/worker.js']

function workerFile(): string {
  const files = WORKER_FILES.map((path) => fileURLToPath(new URL(path, import.meta.url)))
  return files.find((path) => existsSync(path)) ?? files[0]
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
