import { EventEmitter, once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { systemWords } from '../output.js'

/** Milliseconds until bird is tried again, doubled each time up to the second. */
const [AGAIN, LATEST] = [100, 2_000]
/** Milliseconds in which bird has to answer. */
const PATIENCE = 5_000

/** Events of {@link Bird} and their arguments. */
export interface BirdEvents {
  /** bird announces the addresses now, or does not any more. */
  told: [{ announced: boolean }]
  /** bird cannot be told, or refuses: once for each reason, until it is told. */
  failed: [{ error: Error }]
}

/** bird refused a command. */
class BirdError extends Error {}

/**
 * A conversation with bird over its control socket. Its answers are lines that begin with a number; one without a minus after it is the
 * last.
 */
class Conversation {
  #text = ''
  #arrived = (): void => {}

  private constructor(readonly socket: Socket) {
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      this.#text += text
      this.#arrived()
    })
    socket.on('close', () => this.#arrived())
    socket.on('error', () => {})
  }

  static async open(path: string, signal: AbortSignal): Promise<Conversation> {
    const socket = connect(path)
    try {
      await once(socket, 'connect', { signal })
      const conversation = new Conversation(socket)
      await conversation.answer()
      return conversation
    } catch (error) {
      socket.destroy()
      throw error
    }
  }

  /** The lines of the next answer. */
  async answer(): Promise<string[]> {
    const timer = setTimeout(() => this.socket.destroy(new Error(`bird did not answer within ${PATIENCE / 1_000} s`)), PATIENCE)
    try {
      const lines: string[] = []
      for (;;) {
        const end = this.#text.indexOf('\n')
        if (end < 0) {
          if (this.socket.destroyed) throw this.socket.errored ?? new Error('bird has closed its control socket')
          await new Promise<void>((resolve) => { this.#arrived = resolve })
          continue
        }
        const line = this.#text.slice(0, end)
        this.#text = this.#text.slice(end + 1)
        lines.push(line)
        if (!/^\d{4} /.test(line)) continue
        const bad = lines.find((one) => /^[89]\d{3}/.test(one))
        if (bad !== undefined) throw new BirdError(`bird refused: ${bad.slice(5)}`)
        return lines
      }
    } finally {
      clearTimeout(timer)
    }
  }

  say(command: string): Promise<string[]> {
    this.socket.write(`${command}\n`)
    return this.answer()
  }
}

/**
 * Has bird announce addresses, or not, by enabling or disabling one of its protocols: `protocol static vip { … }`. bird does as it was told
 * last: where it is started anew, it is told again.
 */
export class Bird extends EventEmitter<BirdEvents> implements AsyncDisposable {
  readonly #path: string
  readonly #protocol: string
  readonly #stop = new AbortController()
  readonly #running: Promise<void>
  #wanted: boolean | undefined
  #changed = (): void => {}
  /** Fulfilled when bird has been told what is wanted. */
  #settled = (): void => {}

  /**
   * @param path bird's control socket
   * @param protocol the name of the protocol
   */
  constructor(path: string, protocol: string) {
    super()
    this.#path = path
    this.#protocol = protocol
    this.#running = this.#run()
  }

  /** Has bird announce, or not. Fulfilled when it has been told, which can take until it is there. */
  announce(isWanted: boolean): Promise<void> {
    this.#wanted = isWanted
    const settled = new Promise<void>((resolve) => { this.#settled = resolve })
    this.#changed()
    return settled
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    const reasons = new Set<string>()
    let failures = 0
    while (!signal.aborted) {
      let conversation: Conversation | undefined
      try {
        if (this.#wanted === undefined) await this.#change()
        if (signal.aborted) return
        conversation = await Conversation.open(this.#path, signal)
        for (let told: boolean | undefined; !signal.aborted && !conversation.socket.destroyed;) {
          const wanted = this.#wanted!
          if (told !== wanted) {
            await conversation.say(`${wanted ? 'enable' : 'disable'} "${this.#protocol}"`)
            told = wanted
            failures = 0
            reasons.clear()
            this.emit('told', { announced: wanted })
          }
          if (wanted !== this.#wanted) continue
          this.#settled()
          const { socket } = conversation
          await Promise.race([this.#change(), socket.destroyed ? undefined : once(socket, 'close')])
        }
        if (!signal.aborted) throw new Error('bird has ended')
      } catch (error) {
        if (signal.aborted) break
        const told = error instanceof BirdError ? error : new Error(`${this.#path}: ${systemWords(error)}`)
        if (!reasons.has(told.message)) this.emit('failed', { error: told })
        reasons.add(told.message)
        await wait(Math.min(LATEST, AGAIN * 2 ** failures++), undefined, { signal }).catch(() => {})
      } finally {
        conversation?.socket.destroy()
      }
    }
  }

  /** Waits until something else is wanted, or it ends. */
  #change(): Promise<void> {
    const { signal } = this.#stop
    return new Promise((resolve) => {
      this.#changed = resolve
      if (signal.aborted) resolve()
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  /** Ends the conversation. bird goes on as it was told last. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#running
  }
}
