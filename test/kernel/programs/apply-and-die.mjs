/**
 * Applies a desired state, given as JSON, and kills itself after a number of sends:
 * node apply-and-die.mjs NAMESPACE BATCH-SIZE SENDS < state.json
 */
import { readFileSync } from 'node:fs'
import { Ipvs } from 'ipvs'

const [netns, batchSize, sends] = process.argv.slice(2)
const ipvs = await Ipvs.open({ netns })
let sent = 0
await ipvs.apply(JSON.parse(readFileSync(0, 'utf8')), {
  prune: 'all',
  batchSize: Number(batchSize),
  onProgress() {
    if (++sent === Number(sends)) process.kill(process.pid, 'SIGKILL')
  },
})
await ipvs.close()
