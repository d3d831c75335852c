/**
 * Keeps the kernel's table as a JSON file describes it, and undoes changes by others:
 *
 *     node examples/follow-file.mjs table.json
 *
 *     { "services": [{ "protocol": "tcp", "address": "10.10.10.100", "port": 80, "scheduler": "rr",
 *                      "destinations": [{ "address": "10.10.20.1", "port": 80, "forward": "nat" }] }] }
 *
 * A file that is unreadable or invalid changes nothing: the last good state stays in force.
 */
import { on } from 'node:events'
import { existsSync, watch } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { formatPlan, Ipvs } from 'ipvs'

const file = resolve(process.argv[2] ?? 'table.json')
if (!existsSync(dirname(file))) {
  console.error(`usage: node follow-file.mjs [FILE]     there is no folder ${dirname(file)} to follow a file in`)
  process.exit(2)
}

const stop = new AbortController()
for (const name of ['SIGTERM', 'SIGINT']) process.once(name, () => stop.abort())

const ipvs = await Ipvs.open()

async function* tables() {
  // Watches before reading, so that no change is missed: `watch` of node:fs/promises would begin when its first event is awaited. Watches
  // the folder, because editors replace the file.
  const { signal } = stop
  const changes = on(watch(dirname(file), { signal }), 'change', { signal })
  const read = async () => {
    try {
      const table = JSON.parse(await readFile(file, 'utf8'))
      // Validates the file, so that bad input never reaches the reconciler.
      await ipvs.plan(table)
      return [table]
    } catch (error) {
      console.error(`${file}: ${error.message}`)
      return []
    }
  }
  yield* await read()
  try {
    for await (const [, filename] of changes) if (filename === basename(file)) yield* await read()
  } catch (error) {
    if (error.name !== 'AbortError') throw error
  }
}

const reconciler = ipvs.reconcile(tables(), { prune: 'all', drain: true, interval: 5, signal: stop.signal })
reconciler.on('applied', ({ plan }) => console.log(formatPlan(plan)))
reconciler.on('converged', () => console.log('the table is as the file says'))
reconciler.on('failed', ({ error, result, retryIn }) => {
  console.error(`trying again in ${retryIn} seconds:`, error?.message ?? result.refused.map((refusal) => refusal.error.message))
})
reconciler.on('closed', () => ipvs.close())
