import { fstatSync, write } from 'node:fs'

/** Characters that wait to be written, at most. */
const MOST = 4 * 1024 * 1024

/**
 * Writes lines to a descriptor, in their order, from another thread than the caller's: a reader that has stopped reading holds up nobody.
 * Lines that would have to wait behind too many others are left out, and counted.
 */
export class LineWriter {
  readonly #descriptor: number
  #waiting: string[] = []
  #size = 0
  #lost = 0
  #writing: Promise<void> | undefined

  constructor(descriptor: number) {
    this.#descriptor = descriptor
  }

  /** @param lost says in a line how many were left out */
  line(text: string, lost: (count: number) => string): void {
    if (this.#size > MOST) {
      this.#lost++
      return
    }
    if (this.#lost > 0) this.#waiting.push(`${lost(this.#lost)}\n`)
    this.#lost = 0
    this.#waiting.push(`${text}\n`)
    this.#size += text.length
    this.#writing ??= this.#run()
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const bytes = Buffer.from(this.#waiting.join(''))
      this.#waiting = []
      this.#size = 0
      for (let written = 0; written < bytes.length;) written += await this.#write(bytes, written)
    }
    this.#writing = undefined
  }

  /** Returns how many bytes are done with. What nobody can read any more is done with. */
  #write(bytes: Buffer, from: number): Promise<number> {
    return new Promise((resolve) => write(this.#descriptor, bytes, from, bytes.length - from, null, (error, written) => {
      if (error === null) resolve(written)
      else if (error.code === 'EAGAIN') setTimeout(resolve, 10, 0)
      else resolve(bytes.length - from)
    }))
  }

  /** Fulfilled when everything is written, or after so many milliseconds. */
  async flush(milliseconds: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    await Promise.race([this.#writing, new Promise((resolve) => {
      timer = setTimeout(resolve, milliseconds)
    })])
    clearTimeout(timer)
  }
}

/** Whether a descriptor leads to systemd's journal, which has its own time for each line and reads its priority (systemd.exec(5)). */
export function isJournal(descriptor: number): boolean {
  const [device, inode] = (process.env.JOURNAL_STREAM ?? '').split(':')
  if (inode === undefined) return false
  const { dev, ino } = fstatSync(descriptor, { bigint: true })
  return String(dev) === device && String(ino) === inode
}
