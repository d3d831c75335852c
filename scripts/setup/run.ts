import { spawn } from 'node:child_process'

/** A program's output and exit status. */
export interface Ended { status: number, stdout: string, stderr: string }

export interface RunOptions { cwd?: string, env?: NodeJS.ProcessEnv }

/** Runs a program to its end and returns its output. The status is 127 if it cannot be started. */
export function run(program: string, args: string[], options: RunOptions = {}): Promise<Ended> {
  return new Promise(resolve => {
    const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    const stop = (): void => { child.kill() }
    process.once('exit', stop)
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => { stdout += text })
    child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text })
    child.on('error', error => { resolve({ status: 127, stdout, stderr: error.message }) })
    child.on('close', (code, signal) => {
      process.off('exit', stop)
      resolve({ status: code ?? (signal === null ? 1 : 128), stdout, stderr })
    })
  })
}

/** Like `run`, but throws an error with the program's message if it fails. */
export async function must(program: string, args: string[], options: RunOptions = {}): Promise<string> {
  const { status, stdout, stderr } = await run(program, args, options)
  if (status !== 0) {
    throw new Error(
      `${program} ${args.at(0) ?? ''} failed (${status}): ${(stderr.trim() || stdout.trim()).split('\n').slice(-5).join('\n')}`,
    )
  }
  return stdout
}

/** Prints a line of progress to stderr, because stdout belongs to the command. */
export const say = (line: string): void => { process.stderr.write(`${line}\n`) }
