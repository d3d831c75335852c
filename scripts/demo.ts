/**
 * `npm run demo`: sets up what it needs, then runs the demo in the lab. `npm run demo -- fleet` runs the one of a fleet,
 * `npm run demo -- fleet-scale` measures how far one etcd goes, without a kernel.
 * `npm run demo -- --on uml|qemu|host --suite SUITE` chooses the kernel.
 */
import { fileURLToPath } from 'node:url'
import { readArguments } from './lab/arguments.js'
import { runInLab } from './lab/lab.js'
import { ensure } from './setup/programs.js'

const [word, ...rest] = process.argv.slice(2)
if (word === 'fleet-scale') await import('./demo/fleet-scale.js')
else {
  const isFleet = word === 'fleet'
  await ensure('ip', 'unshare', ...isFleet ? ['ipvsadm', 'bird', 'birdc', 'etcd', 'etcdctl'] as const : [])
  const main = fileURLToPath(new URL(isFleet ? 'demo/fleet.js' : 'demo/main.js', import.meta.url))
  process.exitCode = await runInLab(readArguments([...isFleet ? rest : process.argv.slice(2), '--', process.execPath, main]))
}
