/** Reads one configuration in a thread of its own. Started by {@link readInThread} and by a {@link ConfigurationReader}. */

import { parentPort, workerData } from 'node:worker_threads'
import { abridged } from './abridged.js'
import { readSource, type FileSource } from './reading.js'

const { source, known } = workerData as { source: FileSource, known?: readonly string[] }
const reading = readSource(source)
parentPort!.postMessage(known === undefined ? reading : abridged(reading, new Set(known)))
