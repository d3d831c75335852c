import { emitKeypressEvents, type Key } from 'node:readline'

const enter = '\x1b[?1049h\x1b[?25l'
const leave = '\x1b[?25h\x1b[?1049l'
const home = '\x1b[H'
const restOfLine = '\x1b[K'
const restOfScreen = '\x1b[J'
const inverse = (text: string): string => `\x1b[7m${text}\x1b[0m`

/** Whether the output is a terminal that understands escape sequences. */
export const hasScreen = (): boolean => process.stdout.isTTY && !['', 'dumb'].includes(process.env.TERM ?? '')

/** What happens at the terminal. */
export interface TerminalEvents {
  /** A key was pressed: 'q', 'home', 'ctrl-c'. The names are those of `node:readline`. */
  key(name: string): void
  resize(): void
  /** The terminal can no longer be read or written, because its window was closed. */
  gone(): void
}

/** The terminal's alternate screen, without a cursor. Closing it restores the user's screen. */
export class Terminal {
  readonly #events: TerminalEvents
  #open = false

  constructor(events: TerminalEvents) {
    this.#events = events
    // Never removed: an error of the last write arrives after close() has returned.
    process.stdout.on('error', () => this.#events.gone())
    process.stdin.on('error', () => this.#events.gone())
  }

  get columns(): number {
    return process.stdout.columns || 80
  }

  get rows(): number {
    return process.stdout.rows || 24
  }

  open(): void {
    if (this.#open) return
    this.#open = true
    process.stdout.on('resize', this.#resize)
    process.once('exit', this.#restore)
    if (process.stdin.isTTY) {
      // Before anything is written: a background process is stopped here (SIGTTOU) until it is in the foreground.
      process.stdin.setRawMode(true)
      emitKeypressEvents(process.stdin)
      process.stdin.on('keypress', this.#keypress)
      process.stdin.resume()
    }
    process.stdout.write(enter)
  }

  close(): void {
    if (!this.#open) return
    process.stdout.off('resize', this.#resize)
    process.off('exit', this.#restore)
    process.stdin.off('keypress', this.#keypress)
    process.stdin.pause()
    this.#restore()
  }

  /**
   * Gives the terminal back to the shell and stops the process until the shell continues it. Where no shell could continue it, the kernel
   * does not stop it, and this returns at once.
   */
  suspend(): void {
    this.close()
    process.kill(process.pid, 'SIGTSTP')
    this.open()
    // Makes Node read the size again. A process in the background is not told of changes.
    process.kill(process.pid, 'SIGWINCH')
  }

  /** Shows lines, the second of them inverted. Does nothing while closed. Does not clear the screen first, which would flicker. */
  draw(lines: readonly string[]): void {
    if (!this.#open) return
    // After a full line the cursor is still on its last character, which must not be erased.
    const shown = lines.map((line, index) => (index === 1 ? inverse(line) : line) + (line.length < this.columns ? restOfLine : ''))
    process.stdout.write(home + shown.join('\r\n') + restOfScreen)
  }

  readonly #resize = (): void => this.#events.resize()

  readonly #keypress = (_: string | undefined, { name, ctrl, sequence }: Key): void =>
    this.#events.key(`${ctrl ? 'ctrl-' : ''}${name ?? sequence}`)

  readonly #restore = (): void => {
    this.#open = false
    if (process.stdin.isTTY) process.stdin.setRawMode(false)
    process.stdout.write(leave)
  }
}
