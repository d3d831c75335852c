import { spawn, type ChildProcess } from 'node:child_process'
import { bad, good, untried, type Answer } from '../answer.js'
import { Attempt, type Asker, type Probe } from '../attempt.js'
import type { RunningClock } from '../clock.js'
import { systemWords } from '../trouble.js'

/** Milliseconds from SIGTERM to SIGKILL. */
const GRACE = 2_000
/** Milliseconds that output is waited for when the program has ended and something that left its process group still holds its pipes. */
const LEFT_BEHIND = 100
/** Characters of output that are told, and read at most. */
const TOLD = 200

/** Error codes of spawn that are this machine's fault, not the program's. */
const LACKING = new Set(['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE'])

/** A program to run: without a shell, in a process group of its own. */
export interface ScriptOptions {
  /** The program, and its arguments. */
  command: readonly string[]
  uid?: number
  gid?: number
  /** Whether the exit status tells a weight: 0 the configured one, 1 bad, 2 to 255 a weight of the status - 2. */
  dynamicWeight: boolean
  timeout: number
}

/** The environment of a program: that of this process without what changes how a program is read or loaded. */
export function environment(of: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(of).filter(([name]) => name !== 'IFS' && !name.startsWith('LD_')))
}

class ScriptAttempt extends Attempt {
  readonly #options: ScriptOptions
  #child: ChildProcess | undefined
  /** Number of the process group, while it is certain to be the program's. */
  #group: number | undefined
  #output = ''
  #isLate = false
  #timer: NodeJS.Timeout | undefined

  constructor(clock: RunningClock, asker: Asker, options: ScriptOptions) {
    super(clock, asker, options.timeout)
    this.#options = options
    const { command: [program, ...args], uid, gid } = options
    try {
      const child = spawn(program, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'], uid, gid, env: environment(), cwd: '/' })
      this.#child = child
      this.#group = child.pid
      const read = (bytes: Buffer): void => {
        if (this.#output.length < TOLD) this.#output += bytes.toString('utf8')
      }
      child.stdout.on('data', read)
      child.stderr.on('data', read)
      child.on('error', (error) => this.#notStarted(error))
      child.on('exit', (status, signal) => this.#ended(child, this.#judge(status, signal)))
    } catch (error) {
      this.#notStarted(error)
    }
  }

  #notStarted(error: unknown): void {
    const words = `${this.#options.command[0]} could not be started: ${systemWords(error)}`
    this.answer(LACKING.has((error as NodeJS.ErrnoException).code ?? '') ? untried(words) : bad(words))
  }

  /** The program has ended; what it started ends with it. Then what was printed is complete. */
  #ended(child: ChildProcess, judge: () => Answer): void {
    clearTimeout(this.#timer)
    this.#killGroup('SIGKILL')
    // From now on another group may get the number.
    this.#group = undefined
    child.on('close', () => this.answer(judge()))
    this.#timer = setTimeout(() => {
      child.stdout!.destroy()
      child.stderr!.destroy()
    }, LEFT_BEHIND)
  }

  #judge(status: number | null, signal: NodeJS.Signals | null): () => Answer {
    return () => {
      const printed = this.#output.trim().replace(/\s+/g, ' ').slice(0, TOLD)
      const told = (words: string): string => printed === '' ? words : `${words}: ${printed}`
      if (this.#isLate) return bad(told(`the program did not end within ${this.timeout / 1000} s`))
      if (signal !== null) return bad(told(`the program was ended by ${signal}`))
      if (status === 0) return good(told('the program ended with status 0'))
      if (!this.#options.dynamicWeight || status === 1) return bad(told(`the program ended with status ${status}`))
      const value = status! - 2
      return good(told(`the program ended with status ${status}: weight ${value}`), { rule: 'set', value })
    }
  }

  #killGroup(signal: NodeJS.Signals): void {
    if (this.#group === undefined) return
    try {
      process.kill(-this.#group, signal)
    } catch {
      // All of it has ended.
    }
  }

  /** The time is over. Asks the program to end, then kills it. The answer comes once it has ended, so that two never run at once. */
  override expire(): void {
    if (this.#isLate || this.over) return
    this.#isLate = true
    this.#killGroup('SIGTERM')
    this.#timer = setTimeout(() => this.#killGroup('SIGKILL'), GRACE)
  }

  protected override missing(): string {
    return 'the program did not end'
  }

  protected override close(): void {
    clearTimeout(this.#timer)
    this.#killGroup('SIGKILL')
    this.#child?.stdout?.destroy()
    this.#child?.stderr?.destroy()
  }
}

/** Good when a program ends with status 0, or, with `dynamicWeight`, with any status but 1. */
export const script = (options: ScriptOptions): Probe => ({
  uses: 'program',
  timeout: options.timeout,
  what: options.command[0],
  start: (clock, asker) => new ScriptAttempt(clock, asker, options),
})
