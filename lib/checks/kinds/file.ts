import { close, constants, existsSync, open, read, watch, writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { bad, good, untried, type Answer } from '../answer.js'
import { Attempt, type Asker, type Probe } from '../attempt.js'
import type { RunningClock } from '../clock.js'
import { systemWords } from '../trouble.js'

/** Bytes that are read: more than a number has. */
const BYTES = 64
/** As C reads it: hexadecimal, octal with a leading zero, decimal; what follows is passed over. */
const NUMBER = /^\s*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)/
const MOST = 2_147_483_647

export interface FileOptions {
  path: string
  /** What the number is multiplied with before it is added to the weight; 0: the number says by itself whether the destination is down. */
  factor: number
  /** Without a factor: down if the number is 0, not if it is another. */
  reverse: boolean
  /** Number that is written at the start, where there is no file. */
  initial?: number
  /** Whether it is written even where there is one. */
  overwrite: boolean
  timeout: number
}

/** The number at the beginning of a text, 0 without one, `undefined` for one that has no place in a weight. */
export function numberIn(text: string): number | undefined {
  const [, sign, digits] = NUMBER.exec(text) ?? []
  if (digits === undefined) return 0
  const value = /^0[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number(digits)
  if (value > MOST) return undefined
  return sign === '-' && value !== 0 ? -value : value
}

function judge(text: string, { factor, reverse }: FileOptions): Answer {
  const value = numberIn(text)
  if (value === undefined) return untried(`the number in the file is beyond ±${MOST}`)
  if (factor === 0) return (value === 0) !== reverse ? good(`the file says ${value}`) : bad(`the file says ${value}`)
  const added = value * factor
  return added < -MOST ? bad(`the file says ${value}: the weight falls by ${-added}`) : good(`the file says ${value}`, { rule: 'add', value: Math.min(added, MOST) })
}

class FileAttempt extends Attempt {
  readonly #options: FileOptions

  constructor(clock: RunningClock, asker: Asker, options: FileOptions) {
    super(clock, asker, options.timeout)
    this.#options = options
    // Opening must not wait if the file turns out to be a FIFO.
    open(options.path, constants.O_RDONLY | constants.O_NONBLOCK, (error, descriptor) => {
      if (error === null) this.#read(descriptor)
      else if (error.code === 'ENOENT' || error.code === 'ENOTDIR') this.answer(judge('', options))
      else this.#unreadable(error)
    })
  }

  #read(descriptor: number): void {
    read(descriptor, Buffer.alloc(BYTES), 0, BYTES, null, (error, length, bytes) => {
      close(descriptor, () => undefined)
      if (error === null) this.answer(judge(bytes.toString('latin1', 0, length), this.#options))
      else this.#unreadable(error)
    })
  }

  #unreadable(error: Error): void {
    this.answer(untried(`${this.#options.path} could not be read: ${systemWords(error)}`))
  }

  protected override missing(): string {
    return `${this.#options.path} was not read`
  }

  protected override afterTime(): Answer {
    return untried(`${this.#options.path} could not be read within ${this.timeout / 1000} s`)
  }

  protected override close(): void {
    // The descriptor is closed when the read that is under way returns.
  }
}

/** Writes the first number, if one is wanted. Errors show when the file is read. */
function initialise({ path, initial, overwrite }: FileOptions): void {
  if (initial === undefined || (!overwrite && existsSync(path))) return
  try {
    writeFileSync(path, `${initial}\n`)
  } catch {
    // The file is read as it is.
  }
}

function watchFile(options: FileOptions, changed: () => void): () => void {
  initialise(options)
  const name = basename(options.path)
  try {
    // The folder, because files are replaced by others of the same name.
    const watcher = watch(dirname(options.path), { persistent: false }, (_, file) => {
      if (file === null || file === name) changed()
    })
    watcher.on('error', () => watcher.close())
    return () => watcher.close()
  } catch {
    // Without a folder, or if the system has no watches left, the file is polled every few seconds.
    return () => undefined
  }
}

/**
 * Says by the number in a file whether a destination is up, or what its weight is. A missing file, or one without a number, stands for 0.
 */
export const file = (options: FileOptions): Probe => ({
  uses: 'socket',
  timeout: options.timeout,
  what: options.path,
  start: (clock, asker) => new FileAttempt(clock, asker, options),
  watch: (changed) => watchFile(options, changed),
})
