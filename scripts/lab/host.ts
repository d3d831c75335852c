import { ensure } from '../setup/programs.js'
import { run } from '../setup/run.js'
import { CannotStart, type Job, type Outputs } from './job.js'
import { superviseCommand } from './supervise.js'

/** Linux 5.16 and later load IPVS when its family is requested. On earlier kernels root can load it. */
const probe = 'test -e /proc/net/ip_vs || genl ctrl get name IPVS >/dev/null 2>&1 || modprobe -q ip_vs; test -e /proc/net/ip_vs'

/** @throws CannotStart with the reason why this machine's own kernel cannot be used. */
export async function probeHost(): Promise<void> {
  if (process.getuid?.() !== 0) throw new CannotStart('the user is not root')
  const { status, stderr } = await run('unshare', ['--net', 'sh', '-c', probe])
  if (status === 0) return
  throw new CannotStart(/unshare/.test(stderr) ? `no network namespace can be made (${stderr.trim()})` : 'its kernel has no IPVS')
}

/** Runs the job on this machine's kernel, in its own network namespace with the loopback up, so that the machine's real rules are safe. */
export async function runOnHost(job: Job, outputs: Outputs): Promise<number> {
  if (job.withoutIpvs) throw new CannotStart('--without-ipvs needs a guest')
  await ensure('ip', 'unshare')
  return superviseCommand('unshare', ['--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'lab', ...job.command], job, outputs)
}
