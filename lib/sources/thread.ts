import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { CompleteService } from '../configuration/index.js'
import type { Abridged, CompleteReading } from './abridged.js'
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

function run<Answer>(workerData: { source: FileSource, known?: readonly string[] }): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(workerFile(), { workerData, name: 'ipvs-configuration', execArgv: [] })
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', () => reject(new Error('the thread that reads the configuration ended without an answer')))
  })
}

/** Reads a configuration in a thread of its own, so that a large file does not stand in the way of what is done meanwhile. */
export const readInThread = (source: FileSource): Promise<Reading> => run({ source })

/**
 * Reads a configuration again and again, each time in a thread of its own, which checks it and fills in its defaults too. A service that is
 * as it was when it was read last is the same object: it does not come from the thread again, and whoever has it already has nothing to do.
 */
export class ConfigurationReader {
  readonly #source: FileSource
  /** The services that were read last, by their digests. */
  #known = new Map<string, CompleteService>()

  constructor(source: FileSource) {
    this.#source = source
  }

  async read(): Promise<CompleteReading> {
    const { configuration, ...reading } = await run<Abridged>({ source: this.#source, known: [...this.#known.keys()] })
    if (configuration === undefined) return { ...reading, configuration }
    const services = configuration.services.map(({ digest, service }) => service ?? this.#known.get(digest)!)
    this.#known = new Map(configuration.services.map(({ digest }, number) => [digest, services[number]]))
    return { ...reading, configuration: { ...configuration, services } }
  }
}
