import { spawnSync } from 'node:child_process'
import { must, run, type Ended, type RunOptions } from '../setup/run.js'

const living = new Set<string>()
let made = 0

// Cleans up if the process ends before it has disposed of its namespaces.
process.on('exit', () => {
  for (const name of living) spawnSync('ip', ['netns', 'delete', name])
})

/** A temporary network namespace. It is deleted when it is disposed of, or when the process exits. */
export class Namespace {
  private constructor(readonly name: string) {}

  /**
   * @param label Part of the name, for people who look at `ip netns`.
   * @param loopback Whether its loopback interface is set up, which the kernel leaves down.
   */
  static async create(label: string, { loopback = true } = {}): Promise<Namespace> {
    const name = `ipvs-${process.pid}-${++made}-${label}`
    await must('ip', ['netns', 'add', name])
    living.add(name)
    if (loopback) await must('ip', ['-n', name, 'link', 'set', 'lo', 'up'])
    return new Namespace(name)
  }

  /** The namespace's file. */
  get path(): string {
    return `/run/netns/${this.name}`
  }

  /** Runs lines of ip(8) inside, in one process. */
  async ip(...lines: string[]): Promise<void> {
    await must('ip', ['-n', this.name, '-batch', '-'], { input: lines.join('\n') })
  }

  /** The same for IPv6, for commands that ip(8) applies to IPv4 by default, such as routing rules. */
  async ip6(...lines: string[]): Promise<void> {
    await must('ip', ['-n', this.name, '-6', '-batch', '-'], { input: lines.join('\n') })
  }

  /** Runs a program inside. */
  run(program: string, args: readonly string[], options?: RunOptions): Promise<Ended> {
    return run('nsenter', [`--net=${this.path}`, program, ...args], options)
  }

  /** Runs a program inside that must succeed. Returns its standard output. */
  must(program: string, args: readonly string[], options?: RunOptions): Promise<string> {
    return must('nsenter', [`--net=${this.path}`, program, ...args], options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (living.delete(this.name)) await must('ip', ['netns', 'delete', this.name])
  }
}
