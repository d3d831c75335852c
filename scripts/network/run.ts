import { execFile } from 'node:child_process'

/** A program's output and exit status. */
export interface Finished {
  /** Exit status; 128 plus the signal's number if a signal ended it, as in a shell. */
  status: number
  stdout: string
  stderr: string
}

export interface RunOptions {
  /** Text for the program's standard input; empty by default. */
  input?: string
  /** Added to this process's own environment. */
  env?: Record<string, string>
}

/** Runs a program to its end. Returns a status other than 0; throws if the program cannot be started. */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { maxBuffer: 1 << 28, env: { ...process.env, ...options.env } }, (error, stdout, stderr) => {
      if (error === null) resolve({ status: 0, stdout, stderr })
      else if (typeof error.code === 'number') resolve({ status: error.code, stdout, stderr })
      else if (error.signal !== undefined && error.signal !== null) resolve({
        status: 128, stdout, stderr: `${stderr}ended by ${error.signal}\n`,
      })
      else reject(new Error(`${program} could not be started: ${error.message}`, { cause: error }))
    })
    // Ignores a broken pipe: a program may end without reading its input, and its status says whether it failed.
    child.stdin!.on('error', () => undefined)
    child.stdin!.end(options.input ?? '')
  })
}

/** Runs a program that must succeed. Returns its standard output. */
export async function must(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { status, stdout, stderr } = await run(program, args, options)
  if (status !== 0) throw new Error(`${[program, ...args].join(' ')} ended with status ${status}\n${options.input ?? ''}${stdout}${stderr}`)
  return stdout
}
