import { writeSync } from 'node:fs'
import { getSystemErrorMap } from 'node:util'

const STDOUT = 1
const STDERR = 2

/** Nobody reads the output any more. */
export class OutputClosedError extends Error {}

/** The output cannot be written: the disk is full, for instance. */
export class OutputError extends Error {}

/** Writes all of a text before it returns. `process.stdout` would do, but loading it takes a tenth of the time of listing a table. */
function write(descriptor: number, text: string): void {
  const bytes = Buffer.from(text)
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(descriptor, bytes, written)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      // A pipe that somebody made non-blocking is full. Gives its reader a moment.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
}

/**
 * Writes to the standard output.
 *
 * @throws OutputClosedError if the reader has gone, OutputError if the output cannot be written otherwise.
 */
export function print(text: string): void {
  try {
    write(STDOUT, text)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') throw new OutputClosedError()
    throw new OutputError(`the output could not be written: ${systemWords(error)}`)
  }
}

/** A value as JSON text. Statistics write their bigints as decimal text. */
export const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

/** Writes a line, or several, to the standard error. Failures are ignored: the exit status is all that is left then. */
export function complain(text: string): void {
  try {
    write(STDERR, `${visible(text)}\n`)
  } catch {
    // Nobody can be told.
  }
}

/** What the system says about an error of reading or writing. */
export function systemWords(error: unknown): string {
  const { errno, message } = error as NodeJS.ErrnoException
  const [code, words] = getSystemErrorMap().get(errno ?? 0) ?? []
  return words === undefined ? message : `${words} (${code})`
}

/** Control and format characters, except the end of a line. Messages quote files of any origin, and a terminal would obey them. */
const invisible = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/** A text whose control and format characters are shown, not obeyed. */
export const visible = (text: string): string => text.replace(invisible, (character) => {
  const code = character.codePointAt(0)!.toString(16)
  if (code.length <= 2) return `\\x${code.padStart(2, '0')}`
  return code.length <= 4 ? `\\u${code.padStart(4, '0')}` : `\\u{${code}}`
})
