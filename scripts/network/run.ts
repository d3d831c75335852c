import { execFile } from 'node:child_process'

/** What a program left behind. */
export interface Finished {
  /** Exit status; 128 plus the signal's number where a signal ended it, as in a shell. */
  status: number
  stdout: string
  stderr: string
}

export interface RunOptions {
  /** Text for the program's standard input, which is empty otherwise. */
  input?: string
  /** Added to this process's own environment. */
  env?: Record<string, string>
}

/** Runs a program to its end. A status other than 0 is an answer, not an error; a program that cannot be started is an error. */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { maxBuffer: 1 << 28, env: { ...process.env, ...options.env } }, (error, stdout, stderr) => {
      if (error === null) resolve({ status: 0, stdout, stderr })
      else if (typeof error.code === 'number') resolve({ status: error.code, stdout, stderr })
      else if (error.signal !== undefined && error.signal !== null) resolve({ status: 128, stdout, stderr: `${stderr}ended by ${error.signal}\n` })
      else reject(new Error(`${program} could not be started: ${error.message}`, { cause: error }))
    })
    // A program may end without reading what it was given; its status tells the story, not the broken pipe.
    child.stdin!.on('error', () => undefined)
    child.stdin!.end(options.input ?? '')
  })
}

/** Runs a program that must succeed, and answers its standard output. */
export async function must(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { status, stdout, stderr } = await run(program, args, options)
  if (status !== 0) throw new Error(`${[program, ...args].join(' ')} ended with status ${status}\n${options.input ?? ''}${stdout}${stderr}`)
  return stdout
}
