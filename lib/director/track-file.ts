import { readFileSync, statSync, writeFileSync } from 'node:fs'

/** The number that puts a VRRP instance into the state FAULT, whatever its priority: it gives its addresses up, and takes none. */
export const FAULT = -254

/**
 * A file whose number keepalived follows (`vrrp_track_file`). It is written in its place: keepalived reads it again whenever somebody who
 * wrote has closed it.
 */
export class TrackFile {
  constructor(readonly path: string) {}

  /**
   * The number; `undefined` where the file is not there. What is no number counts as 0, as for keepalived.
   *
   * @throws Error where it cannot be read, or is no file
   */
  read(): number | undefined {
    try {
      if (!statSync(this.path).isFile()) throw new Error('it is no regular file')
      return Number(/^\s*(-?\d+)/.exec(readFileSync(this.path, 'utf8'))?.[1] ?? 0)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code === 'ENOENT') return undefined
      throw new Error(`${this.path} cannot be read: ${code ?? message}`, { cause: error })
    }
  }

  /** @throws Error where it cannot be written */
  write(number: number): void {
    try {
      writeFileSync(this.path, `${number}\n`, { mode: 0o644 })
    } catch (error) {
      throw new Error(`${this.path} cannot be written: ${(error as NodeJS.ErrnoException).code}`, { cause: error })
    }
  }
}
