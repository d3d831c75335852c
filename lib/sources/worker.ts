/** Reads one configuration in a thread of its own. Started by {@link readInThread}. */

import { parentPort, workerData } from 'node:worker_threads'
import { readSource, type FileSource } from './reading.js'

parentPort!.postMessage(readSource(workerData as FileSource))
