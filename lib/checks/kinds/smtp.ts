import type { Socket } from 'node:net'
import { bad, good } from '../answer.js'
import type { Asker, Probe } from '../attempt.js'
import type { RunningClock } from '../clock.js'
import type { Endpoint } from '../endpoint.js'
import { Connecting } from './tcp.js'

/** Bytes of one answer, at most. */
const LIMIT = 8_192
const LINE = /^(\d{3})([ -].*)?$/

/** What is said, what it is for, and with which code it has to be answered. */
interface Step {
  say?: string
  name: string
  code?: string
}

const stepsOf = (hello: string): readonly Step[] => [
  { name: 'the greeting', code: '220' },
  { say: `HELO ${hello}\r\n`, name: 'HELO', code: '250' },
  // However a server says good-bye, it is healthy.
  { say: 'QUIT\r\n', name: 'QUIT' },
]

const shown = (line: string): string => `'${line.replace(/[^\x20-\x7e]/g, '.').slice(0, 80)}'`

class SmtpAttempt extends Connecting {
  readonly #steps: readonly Step[]
  #step = 0
  #text = ''

  constructor(clock: RunningClock, asker: Asker, timeout: number, endpoint: Endpoint, steps: readonly Step[]) {
    super(clock, asker, timeout)
    this.#steps = steps
    this.connect(endpoint)
  }

  protected override prepare(socket: Socket): void {
    socket.on('data', (bytes: Buffer) => this.#read(bytes.toString('latin1')))
    socket.on('end', () => this.answer(bad(`the connection ended before ${this.#name} was answered`)))
  }

  protected established(): void {
    // The server speaks first.
  }

  #read(text: string): void {
    this.#text += text
    let end
    while (!this.over && (end = this.#text.indexOf('\n')) >= 0) {
      const line = this.#text.slice(0, end).replace(/\r$/, '')
      this.#text = this.#text.slice(end + 1)
      this.#understand(line)
    }
    if (!this.over && this.#text.length > LIMIT) this.answer(bad(`${this.#name} was answered with a line longer than ${LIMIT} bytes`))
  }

  #understand(line: string): void {
    const { code } = this.#steps[this.#step]
    const [, answered, rest] = LINE.exec(line) ?? []
    if (answered === undefined) this.answer(bad(`${this.#name} was answered ${shown(line)}, which is not SMTP`))
    else if (code !== undefined && answered !== code) this.answer(bad(`${this.#name} was answered ${shown(line)}, not ${code}`))
    // The last line of an answer has no hyphen.
    else if (rest?.[0] !== '-') this.#next(line)
  }

  #next(line: string): void {
    this.#step++
    if (this.#step === this.#steps.length) this.answer(good(`the mail server answered ${shown(line)}`))
    else this.socket!.write(this.#steps[this.#step].say!)
  }

  get #name(): string {
    return this.#steps[this.#step].name
  }

  protected override missing(): string {
    if (!this.isConnected) return 'no connection'
    return this.#step === 0 ? 'no greeting' : `no answer to ${this.#name}`
  }
}

/** Good when a mail server greets with 220, answers HELO with 250, and answers QUIT. */
export const smtp = (endpoint: Endpoint, { hello, timeout }: { hello: string, timeout: number }): Probe => {
  const steps = stepsOf(hello)
  return {
    uses: 'socket',
    timeout,
    what: 'SMTP greeting',
    start: (clock, asker) => new SmtpAttempt(clock, asker, timeout, endpoint, steps),
  }
}
