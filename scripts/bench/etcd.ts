import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const ADDRESS = '127.78.0.1'

/** One member of etcd in a process of its own, on a loopback address of its own. Nothing of it is left behind. */
export class Etcd implements AsyncDisposable {
  readonly url = `http://${ADDRESS}:2379`

  private constructor(readonly folder: string, private readonly child: ChildProcess) {}

  /** Fulfilled when it answers. */
  static async start(): Promise<Etcd> {
    const folder = await mkdtemp(join(tmpdir(), 'bench-etcd-'))
    const peers = `http://${ADDRESS}:2380`
    const options = {
      'data-dir': join(folder, 'data'), 'listen-client-urls': `http://${ADDRESS}:2379`, 'advertise-client-urls': `http://${ADDRESS}:2379`,
      'listen-peer-urls': peers, 'initial-advertise-peer-urls': peers, 'initial-cluster': `default=${peers}`, logger: 'zap', 'log-level': 'error',
    }
    const child = spawn('etcd', Object.entries(options).map(([name, value]) => `--${name}=${value}`), { stdio: ['ignore', 'ignore', 'inherit'] })
    const etcd = new Etcd(folder, child)
    const answers = (): Promise<boolean> => fetch(`${etcd.url}/health`).then(({ ok }) => ok, () => false)
    while (!await answers()) {
      if (child.exitCode !== null) throw new Error(`etcd ended with status ${child.exitCode}: is another one at ${ADDRESS}?`)
      await sleep(50)
    }
    return etcd
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.child, 'exit')
    this.child.kill('SIGKILL')
    await ended
    await rm(this.folder, { recursive: true, force: true })
  }
}
