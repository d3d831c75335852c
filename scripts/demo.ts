/**
 * `npm run demo`: sets up what it needs, then runs the demo in the lab. `npm run demo -- --on uml|qemu|host --suite SUITE` chooses the
 * kernel.
 */
import { fileURLToPath } from 'node:url'
import { readArguments } from './lab/arguments.js'
import { runInLab } from './lab/lab.js'
import { ensure } from './setup/programs.js'

await ensure('ip', 'unshare')
const main = fileURLToPath(new URL('demo/main.js', import.meta.url))
process.exitCode = await runInLab(readArguments([...process.argv.slice(2), '--', process.execPath, main]))
