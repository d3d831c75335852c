/**
 * `npm run demo`: sets up what it needs, then runs the demo in the lab. `npm run demo -- --on uml|qemu|host --suite SUITE` chooses the
 * kernel. `npm run demo -- failover` is another one: two directors, one of which dies.
 */
import { fileURLToPath } from 'node:url'
import { readArguments } from './lab/arguments.js'
import { runInLab } from './lab/lab.js'
import { ensure } from './setup/programs.js'

const args = process.argv.slice(2)
const isFailover = args[0] === 'failover'
if (isFailover) args.shift()
await ensure('ip', 'unshare', ...isFailover ? ['ipvsadm', 'keepalived'] as const : [])
const main = fileURLToPath(new URL(`demo/${isFailover ? 'failover' : 'main'}.js`, import.meta.url))
process.exitCode = await runInLab(readArguments([...args, '--', process.execPath, main]))
