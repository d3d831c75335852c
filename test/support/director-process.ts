import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { until } from './until.js'

export const command = fileURLToPath(new URL('../../dist/bin/ipvs.cjs', import.meta.url))

/** A line of the log. */
export interface Logged {
  level: string
  event: string
  message: string
  [part: string]: unknown
}

/** A process of `ipvs director`, or of another command of `ipvs` that runs until it is stopped, with its log in JSON. */
export class DirectorProcess implements AsyncDisposable {
  readonly log: Logged[] = []
  readonly #child: ChildProcessByStdio<null, null, Readable>
  readonly #closed: Promise<unknown>

  constructor(args: readonly string[], word = 'director') {
    this.#child = spawn(process.execPath, [command, word, '--log', 'json', ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
    this.#closed = once(this.#child, 'close')
    let text = ''
    this.#child.stderr.setEncoding('utf8').on('data', (piece: string) => {
      const lines = (text + piece).split('\n')
      text = lines.pop()!
      for (const line of lines) {
        if (line.startsWith('{')) this.log.push(JSON.parse(line) as Logged)
        else this.log.push({ level: 'error', event: 'no JSON', message: line })
      }
    })
  }

  /** Starts `ipvs director`, and waits until it is running. */
  static async start(args: readonly string[]): Promise<DirectorProcess> {
    const director = new DirectorProcess(args)
    await director.logged((line) => line.event === 'running')
    return director
  }

  /** Waits for a line of the log that matches, with the number `from` or a higher one. */
  async logged(is: (line: Logged) => boolean, from = 0): Promise<Logged> {
    await until(() => Promise.resolve(this.log.slice(from).map(({ event, message }) => `${event} ${message}`).join('\n')), () => this.log.slice(from).some(is) || this.#child.exitCode !== null, 120)
    const found = this.log.slice(from).find(is)
    if (found === undefined) throw new Error(`it ended with ${this.#child.exitCode}\n${this.log.map(({ message }) => message).join('\n')}`)
    return found
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Sends the signal, and returns the exit status of the process, or the signal that ended it. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | NodeJS.Signals | null> {
    this.#child.kill(signal)
    return this.ended()
  }

  async ended(): Promise<number | NodeJS.Signals | null> {
    await this.#closed
    return this.#child.exitCode ?? this.#child.signalCode
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL')
    await this.#closed
  }
}
