import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'

/** What the kernel tells of a process; nothing of one that has ended. */
function statusOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'latin1')
  } catch {
    return ''
  }
}

/** A program that runs beside what is measured until it is disposed of: `ipvs director`, or keepalived. */
export class Contender implements AsyncDisposable {
  private constructor(private readonly child: ChildProcess, private readonly said: () => string) {}

  /**
   * Starts a program in a network namespace, and waits until it has said all of these.
   *
   * @throws Error with what it has said, where it ends before that
   */
  static async start(namespace: { path: string }, command: string, args: readonly string[], words: readonly string[]): Promise<Contender> {
    const child = spawn('nsenter', [`--net=${namespace.path}`, command, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    let text = ''
    await new Promise<void>((resolve, reject) => {
      const listen = (chunk: Buffer): void => {
        // What it says later is nobody's business.
        if (words.every((word) => text.includes(word))) return
        text += chunk.toString()
        if (words.every((word) => text.includes(word))) resolve()
      }
      child.stdout.on('data', listen)
      child.stderr.on('data', listen)
      child.on('error', reject)
      child.on('exit', (status) => reject(new Error(`${command} ended with ${status}: ${text}`)))
    })
    return new Contender(child, () => text)
  }

  get pid(): number {
    return this.child.pid!
  }

  /** Bytes of memory that it has at present, of it and of the processes that it has started. */
  get memory(): number {
    const statuses = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(statusOf)
    const number = (status: string, name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0)
    const own = statuses.filter((status) => [number(status, 'Pid'), number(status, 'PPid')].includes(this.pid))
    return own.reduce((sum, status) => sum + number(status, 'VmRSS') * 1024, 0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) throw new Error(`it has ended by itself: ${this.said()}`)
    const ended = once(this.child, 'close')
    this.child.kill('SIGTERM')
    await ended
  }
}

/** keepalived's checkers, with a file. It has started when all of the file is in the table. */
export const startKeepalived = (namespace: { path: string }, folder: string, file: string): Promise<Contender> => Contender.start(
  namespace, 'keepalived', ['-C', '-n', '-l', '-f', file, '-p', `${folder}/pid`, '-c', `${folder}/checkers.pid`],
  ['Startup complete', 'Activating BFD healthchecker'],
)

/** `ipvs director`, with the same file. */
export const startDirector = (namespace: { path: string }, command: string, file: string): Promise<Contender> => Contender.start(
  namespace, process.execPath, [command, 'director', '--keepalived', file, '--log', 'json'], ['"event":"running"'],
)
