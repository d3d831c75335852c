/**
 * `npm run demo`: sets up what it needs, then runs the demo in the lab. `npm run demo -- --on uml|qemu|host --suite SUITE` chooses the
 * kernel. `npm run demo -- failover` is another one: two directors, one of which dies. `npm run demo -- fleet` is that of a fleet, and
 * `npm run demo -- fleet-scale` measures how far one etcd goes, without a kernel.
 */
import { fileURLToPath } from 'node:url'
import { readArguments } from './lab/arguments.js'
import { runInLab } from './lab/lab.js'
import { ensure, type Program } from './setup/programs.js'

/** The demos that have a name, and the programs that they need. */
const DEMOS: Readonly<Record<string, readonly Program[]>> = {
  failover: ['ipvsadm', 'keepalived'],
  fleet: ['ipvsadm', 'bird', 'birdc', 'etcd', 'etcdctl'],
}

const args = process.argv.slice(2)
if (args[0] === 'fleet-scale') await import('./demo/fleet-scale.js')
else {
  const name = Object.hasOwn(DEMOS, args[0] ?? '') ? args.shift()! : undefined
  await ensure('ip', 'unshare', ...name === undefined ? [] : DEMOS[name])
  const main = fileURLToPath(new URL(`demo/${name ?? 'main'}.js`, import.meta.url))
  process.exitCode = await runInLab(readArguments([...args, '--', process.execPath, main]))
}
