import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Namespace } from '../../scripts/network/namespace.js'

/**
 * keepalived as the independent witness: it reads the same file by code that has nothing to do with this package's.
 */
export class Keepalived implements AsyncDisposable {
  private constructor(
    private readonly child: ReturnType<typeof spawn>,
    private readonly folder: string,
    private readonly log: () => string,
  ) {}

  /**
   * Starts keepalived's checkers in a namespace, and waits until everything in the file is in the table.
   *
   * @param options more options of keepalived: `-d` for a dump of what it has read
   * @param beside a folder that the file's own is to be like, for files that it includes
   */
  static async start(namespace: Namespace, text: string, options: readonly string[] = [], beside?: string): Promise<Keepalived> {
    const folder = await mkdtemp(join(tmpdir(), 'keepalived-'))
    const file = join(folder, 'keepalived.conf')
    if (beside !== undefined) await cp(beside, folder, { recursive: true })
    await writeFile(file, text, { mode: 0o644 })
    const args = ['-C', '-n', '-l', '-i', 'lab', '-f', file, '-p', join(folder, 'pid'), '-c', join(folder, 'checkers.pid'), ...options]
    const child = spawn('nsenter', [`--net=${namespace.path}`, 'keepalived', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    let log = ''
    const started = new Promise<void>((resolve, reject) => {
      const listen = (chunk: Buffer): void => {
        log += chunk.toString()
        // The checker process writes its last line after the table is complete. The parent process has a last line of its own.
        if (log.includes('Startup complete') && log.includes('Activating BFD healthchecker')) resolve()
      }
      child.stdout.on('data', listen)
      child.stderr.on('data', listen)
      child.on('error', reject)
      child.on('exit', (status) => reject(new Error(`keepalived ended with ${status} before it had started\n${log}`)))
    })
    const running = new Keepalived(child, folder, () => log)
    try {
      await started
    } catch (error) {
      await running[Symbol.asyncDispose]()
      throw error
    }
    return running
  }

  /** The log so far, each line without its time. */
  get lines(): string[] {
    return this.log()
      .split('\n')
      .map((line) => line.replace(/^\w{3} \w{3} +\d+ [\d:]+ \d{4}: /, ''))
  }

  /** Replaces the file and tells keepalived to read it, without waiting for that. */
  async reload(text: string): Promise<void> {
    await writeFile(join(this.folder, 'keepalived.conf'), text, { mode: 0o644 })
    this.child.kill('SIGHUP')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = once(this.child, 'exit')
      this.child.kill('SIGTERM')
      await ended
    }
    await rm(this.folder, { recursive: true, force: true })
  }
}
