import type { LabArguments } from '../lab/arguments.js'
import { CannotStart, TimedOut, type Outputs } from '../lab/job.js'
import { runInLab } from '../lab/lab.js'
import { ensure } from '../setup/programs.js'
import { outcome, type Outcome } from './outcome.js'
import { vitest, type VitestOptions } from './vitest.js'

/** Programs that tests start in the lab: the independent witness, and tools that build networks. */
const labPrograms = ['bird', 'birdc', 'curl', 'etcd', 'etcdctl', 'ip', 'ipvsadm', 'keepalived', 'nft', 'iptables', 'strace', 'tmux', 'unshare'] as const

/** Runs vitest on a kernel with IPVS, under `wrapper` if there is one. */
export async function inLab(
  name: string, projects: string[], lab: LabArguments, outputs: Outputs,
  { wrapper = [], ...options }: VitestOptions & { wrapper?: string[] } = {},
): Promise<Outcome> {
  await ensure(...labPrograms)
  const { command, read } = vitest(name, projects, options)
  try {
    return read(await runInLab({ ...lab, command: [...wrapper, ...command] }, outputs))
  } catch (error) {
    if (error instanceof CannotStart) return outcome(0, [], 1, `skipped: ${error.message}`)
    if (error instanceof TimedOut) return outcome(0, [error.message])
    throw error
  }
}
