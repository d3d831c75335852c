import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import type { Namespace } from './namespace.js'

/** A program that runs in a namespace until it is told to end. What it prints is kept, line by line. */
export class Program implements AsyncDisposable {
  readonly lines: string[] = []
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #closed: Promise<unknown>

  constructor(namespace: Namespace, readonly name: string, args: readonly string[]) {
    // nsenter becomes the program, so that a signal reaches it.
    this.#child = spawn('nsenter', [`--net=${namespace.path}`, name, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#closed = once(this.#child, 'close')
    this.#child.stdin.on('error', () => {})
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      let rest = ''
      stream.setEncoding('utf8').on('data', (piece: string) => {
        const lines = (rest + piece).split('\n')
        rest = lines.pop()!
        this.lines.push(...lines)
      })
    }
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** Process id. */
  get pid(): number {
    return this.#child.pid!
  }

  /** Waits for a line that it prints, from a line on, and returns it. Fails if it ends without, or after so many seconds. */
  async printed(pattern: RegExp, { from = 0, seconds = 120 } = {}): Promise<string> {
    for (const end = performance.now() + seconds * 1_000; ;) {
      const found = this.lines.slice(from).find((line) => pattern.test(line))
      if (found !== undefined) return found
      if (this.hasEnded || performance.now() > end) {
        throw new Error(`${this.name} ${this.hasEnded ? 'ended' : `ran ${seconds} s`} without printing ${String(pattern)}:\n${this.lines.join('\n')}`)
      }
      await setTimeout(20)
    }
  }

  write(line: string): void {
    this.#child.stdin.write(`${line}\n`)
  }

  /** Ends it, and waits until it has ended. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (!this.hasEnded) this.#child.kill(signal)
    await this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end('SIGKILL')
  }
}
