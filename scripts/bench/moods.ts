import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** A web server in a process of its own, whose mood changes. */
export class MoodyServer implements AsyncDisposable {
  private constructor(private readonly child: ChildProcess) {}

  static async start(address: string, port: number): Promise<MoodyServer> {
    const child = fork(fileURLToPath(new URL('programs/moody-server.js', import.meta.url)), [address, String(port)])
    await once(child, 'message')
    return new MoodyServer(child)
  }

  /** From now on it answers with 200, or with 503. */
  become(mood: 'good' | 'bad'): void {
    this.child.send(mood)
  }

  /** When it gave the first answer of each mood, in microseconds of the machine's clock. */
  async times(): Promise<number[]> {
    this.child.send('times')
    const [times] = await once(this.child, 'message') as [number[]]
    return times
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.child, 'exit')
    this.child.kill('SIGKILL')
    await ended
  }
}

/** Microseconds of the machine's clock, which all processes share. */
export const machineTime = (): number => Number(process.hrtime.bigint()) / 1000
