import { spawn } from 'node:child_process'

/** What a program printed, and how it ended. */
export interface Ended { status: number, stdout: string, stderr: string }

export interface RunOptions { cwd?: string, env?: NodeJS.ProcessEnv }

/** Runs a program to its end and returns what it printed. A program that cannot be started has status 127. */
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

/** As `run`, but a failure is an error that says what the program said. */
export async function must(program: string, args: string[], options: RunOptions = {}): Promise<string> {
  const { status, stdout, stderr } = await run(program, args, options)
  if (status !== 0) throw new Error(`${program} ${args.at(0) ?? ''} failed (${status}): ${(stderr.trim() || stdout.trim()).split('\n').slice(-5).join('\n')}`)
  return stdout
}

/** One line of progress, on stderr: stdout belongs to the command. */
export const say = (line: string): void => { process.stderr.write(`${line}\n`) }
