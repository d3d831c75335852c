import { cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { holdProgram, letProgramGo, runProgram, type Ended } from './child.js'

/**
 * A network namespace with an IPVS table that nobody has used.
 *
 * Every turn of a contender gets one: the kernel keeps removed destinations for minutes, in a list that each addition searches. With the
 * 10,000 that one turn leaves behind, an addition in the same namespace costs 130 µs instead of 1 µs.
 */
export class Namespace {
  /** Something for `netns` of `Ipvs.open`. */
  readonly path: string

  private constructor(private readonly keeper: number) {
    this.path = `/proc/${keeper}/ns/net`
  }

  /** With `lo` up: without it the kernel cannot tell a destination's address from nonsense. */
  static async create(): Promise<Namespace> {
    const { pid, output } = await holdProgram('unshare', ['--net', 'sh', '-c', 'ip link set lo up && echo ready && read line'])
    if (output !== 'ready') throw new Error('no network namespace can be made (unshare --net; ip link set lo up): run as root')
    return new Namespace(pid)
  }

  /** Runs a program in it. */
  run(command: string, args: readonly string[], input?: string): Promise<Ended> {
    return runProgram('nsenter', [`--net=${this.path}`, command, ...args], input)
  }

  /** Ends it, and waits until the kernel has taken it apart, so that the next measurement does not share the processor with that. */
  async [Symbol.asyncDispose](): Promise<void> {
    await letProgramGo(this.keeper)
    await quiet()
  }
}

const window = 50
const patience = 5000

/**
 * Waits for a moment in which all processors together are busy for less than a fifth of one, but not for ever: others may have work to do.
 */
async function quiet(): Promise<void> {
  const busy = (): number => cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0)
  for (let waited = 0; waited < patience; waited += window) {
    const before = busy()
    await sleep(window)
    if (busy() - before < window / 5) return
  }
}
