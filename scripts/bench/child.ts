import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

/** What is known of a program that has ended well. */
export interface Ended {
  /** What it wrote to standard output. */
  output: string
  /** Microseconds from before it was started until it had ended. */
  microseconds: number
}

/**
 * Runs a program to its end.
 *
 * @param input path of a file that becomes its standard input; nothing by default
 * @throws Error with what it wrote to standard error, when its exit status is not 0
 */
export async function runProgram(command: string, args: readonly string[], input?: string): Promise<Ended> {
  const start = performance.now()
  const child = spawn(command, args, { stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] })
  if (input !== undefined && child.stdin !== null) createReadStream(input).pipe(child.stdin)
  const [output, complaint, [status]] = await Promise.all([text(child.stdout as NodeJS.ReadableStream), text(child.stderr as NodeJS.ReadableStream), once(child, 'close') as Promise<[number | null]>])
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with status ${status}: ${complaint}`)
  return { output, microseconds: (performance.now() - start) * 1000 }
}

/** The words to say to run one of the programs in programs/ in a new Node process: command, then arguments. */
export const ownProgram = (name: string, args: readonly (string | number)[]): [string, string[]] =>
  [process.execPath, [fileURLToPath(new URL(`./programs/${name}.js`, import.meta.url)), ...args.map(String)]]
