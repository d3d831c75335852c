import { spawn, type ChildProcess } from 'node:child_process'

/** What a program printed, and how it ended. */
export interface Ended {
  /** Exit status; 127 if the program could not be started, 128 if a signal ended it. */
  status: number
  stdout: string
  stderr: string
}

export interface RunOptions {
  cwd?: string
  /** Added to this process's own environment. */
  env?: NodeJS.ProcessEnv
  /** Text for the program's standard input, which is empty otherwise. */
  input?: string
}

/** Programs that run. They end with this process. */
const running = new Set<ChildProcess>()
process.once('exit', () => { for (const child of running) child.kill() })

/** Runs a program to its end. A status other than 0 is an answer, not an error. */
export function run(program: string, args: readonly string[], { cwd, env, input }: RunOptions = {}): Promise<Ended> {
  return new Promise(resolve => {
    const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] })
    running.add(child)
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => { stdout += text })
    child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text })
    // A program may end without reading its input. Its status tells what came of that, not the broken pipe.
    child.stdin.on('error', () => undefined)
    child.stdin.end(input ?? '')
    const end = (status: number): void => {
      running.delete(child)
      resolve({ status, stdout, stderr })
    }
    child.on('error', error => {
      stderr += error.message
      end(127)
    })
    child.on('close', (code, signal) => {
      if (signal !== null) stderr += `ended by ${signal}\n`
      end(code ?? 128)
    })
  })
}

/**
 * Runs a program that must succeed, and returns its standard output. If it fails, the error has everything that it was given and that it
 * printed.
 */
export async function must(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { status, stdout, stderr } = await run(program, args, options)
  if (status !== 0) {
    throw new Error(`${[program, ...args].join(' ')} ended with status ${status}\n${options.input ?? ''}${stdout}${stderr}`)
  }
  return stdout
}

/** Prints a line of progress to stderr, because stdout belongs to the command. */
export const say = (line: string): void => { process.stderr.write(`${line}\n`) }
