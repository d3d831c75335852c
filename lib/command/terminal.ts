const escape = '\x1b'
const enter = '\x1b[?1049h\x1b[?25l'
const leave = '\x1b[?25h\x1b[?1049l'
const home = '\x1b[H'
const restOfLine = '\x1b[K'
const restOfScreen = '\x1b[J'
/** An escape sequence, or any one character. */
const keys = new RegExp(`${escape}\\[[0-9;]*[A-Za-z~]|[^]`, 'gu')
const inverse = (text: string): string => `\x1b[7m${text}\x1b[0m`

/** What the terminal says. */
export interface TerminalEvents {
  /** A key, or the escape sequence of one. */
  key(key: string): void
  resize(): void
}

/**
 * The terminal's other screen, without a cursor, keys coming one by one. Whoever opens it closes it: the user then has his own screen
 * back, as it was.
 */
export class Terminal {
  readonly #events: TerminalEvents
  #open = false

  constructor(events: TerminalEvents) {
    this.#events = events
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
    process.stdout.write(enter)
    process.stdout.on('resize', this.#resize)
    process.once('exit', this.#restore)
    if (process.stdin.isTTY) {
      process.stdin.setRawMode(true)
      process.stdin.setEncoding('utf8')
      process.stdin.on('data', this.#data)
      process.stdin.resume()
    }
  }

  close(): void {
    if (!this.#open) return
    process.stdout.off('resize', this.#resize)
    process.off('exit', this.#restore)
    process.stdin.off('data', this.#data)
    process.stdin.pause()
    this.#restore()
  }

  /** Shows lines, the second of them as titles. What was there is written over, not cleared before: nothing flickers. */
  draw(lines: readonly string[]): void {
    // At the end of a full line the cursor still stands on its last character, which must not be wiped.
    const shown = lines.map((line, index) => (index === 1 ? inverse(line) : line) + (line.length < this.columns ? restOfLine : ''))
    process.stdout.write(home + shown.join('\r\n') + restOfScreen)
  }

  readonly #resize = (): void => this.#events.resize()

  readonly #data = (data: string): void => {
    for (const [key] of data.matchAll(keys)) this.#events.key(key)
  }

  readonly #restore = (): void => {
    this.#open = false
    if (process.stdin.isTTY) process.stdin.setRawMode(false)
    process.stdout.write(leave)
  }
}
