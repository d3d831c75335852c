import { closedError } from '../model/errors.js'
import type { NativeChannel } from '../wire/addon.js'
import { messagesOf, request, type Message } from './message.js'

/** What is asked. */
export interface Question {
  /** The message's type. */
  type: number
  fixed: Uint8Array
  attributes?: readonly (readonly [type: number, value: Uint8Array])[]
  /** Whether a list is asked for, which ends with a message of its own; otherwise the answer is one message. */
  dump: boolean
}

/** What the kernel answered: messages, or a refusal. */
export interface Answer {
  payloads: DataView[]
  /** 0, or a negative errno. */
  errno: number
}

interface Asked {
  question: Question
  resolve: (answer: Answer) => void
  reject: (error: Error) => void
}

/** Questions over a channel that listens to no group, one after the other, so that an answer always finds room. */
export class Conversation {
  readonly #channel: NativeChannel
  readonly #waiting: Asked[] = []
  #current: { asked: Asked, payloads: DataView[], interrupted: boolean } | undefined
  #sequence = 0
  #closed = false

  constructor(channel: NativeChannel) {
    this.#channel = channel
    channel.onMessages = (bytes, errno) => this.#arrived(bytes, errno)
  }

  /** @returns what the kernel answers. Rejects if the conversation is closed, or if an answer could not be received. */
  ask(question: Question): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(closedError())
      this.#waiting.push({ question, resolve, reject })
      this.#next()
    })
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#channel.close()
    const left = [...this.#current ? [this.#current.asked] : [], ...this.#waiting.splice(0)]
    this.#current = undefined
    for (const { reject } of left) reject(closedError())
  }

  #next(): void {
    if (this.#current) return
    const asked = this.#waiting.shift()
    this.#channel.hold(asked !== undefined)
    if (asked) this.#send(asked)
  }

  #send(asked: Asked): void {
    this.#current = { asked, payloads: [], interrupted: false }
    this.#sequence = this.#sequence + 1 >>> 0
    this.#channel.send(request(asked.question.type, { ...asked.question, sequence: this.#sequence }))
  }

  #arrived(bytes: ArrayBuffer, errno: number): void {
    if (errno !== 0) this.#settle(errno)
    for (const message of messagesOf(bytes)) this.#take(message)
  }

  #take({ sequence, payload, interrupted, end }: Message): void {
    const current = this.#current
    if (!current || sequence !== this.#sequence) return
    current.interrupted ||= interrupted
    if (end === undefined) current.payloads.push(payload)
    // A list that changed while it was written may lack what did not change.
    if (end === 0 && current.interrupted) this.#send(current.asked)
    else if (end !== undefined) this.#settle(end)
    else if (!current.asked.question.dump) this.#settle(0)
  }

  #settle(errno: number): void {
    const current = this.#current
    this.#current = undefined
    current?.asked.resolve({ payloads: current.payloads, errno })
    this.#next()
  }
}
