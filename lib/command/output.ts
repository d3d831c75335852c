import { writeSync } from 'node:fs'

const STDOUT = 1
const STDERR = 2

/** Nobody reads what is written any more. */
export class OutputClosedError extends Error {}

/**
 * Writes all of a text before it returns. `process.stdout` would do, but loading it costs a tenth of the time that listing a table takes.
 *
 * @throws OutputClosedError if the reader has gone.
 */
function write(descriptor: number, text: string): void {
  const bytes = Buffer.from(text)
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(descriptor, bytes, written)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EPIPE') throw new OutputClosedError()
      if (code !== 'EAGAIN') throw error
      // A pipe that somebody made non-blocking is full: let its reader have a moment.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
}

export const print = (text: string): void => write(STDOUT, text)
export const complain = (text: string): void => write(STDERR, `${text}\n`)
