import type { NativeHandle, NativeReply } from '../../../../lib/wire/addon.js'
import { commands } from '../../../../lib/wire/layout.js'
import { packReply, type Answer } from '../../wire/support/replies.js'

const names = new Map(Object.entries(commands).map(([name, number]) => [number, name]))

/** One `execute`, as the recorder saw it. */
export interface Transaction {
  /** Names of the commands, in order. */
  commands: string[]
  /** Ports of the services in the requests that have one: the tests tell requests apart by them. */
  ports: number[]
}

/**
 * Stands in for the native handle where only order matters: it records what it is given, and answers when the test says so. What the kernel
 * does with it is another matter, for the kernel tests.
 */
export class Recorder implements NativeHandle {
  readonly transactions: Transaction[] = []
  readonly receiveBuffer = 0
  readonly sendBuffer = 0
  readonly requestsPerSend = 1000
  readonly namespace = -1
  closed = false
  onReply?: (reply: NativeReply) => void
  #answered = 0
  #failFrom = Infinity

  /** From this transaction on none can be started, as when the system has no thread to give. The ones before are carried out. */
  failFrom(transaction: number): void {
    this.#failFrom = transaction
  }

  execute(requests: Uint8Array, length: number, count: number): void {
    if (this.transactions.length >= this.#failFrom) throw new Error('no thread')
    const words = new Uint16Array(requests.buffer)
    const transaction: Transaction = { commands: [], ports: [] }
    let at = 0
    for (let i = 0; i < count; i++) {
      transaction.commands.push(names.get(words[at / 2 + 1])!)
      // A service's port is at the same place in all requests that have one: eight bytes of header, then eight into its record.
      if (words[at / 2] > 8) transaction.ports.push(words[(at + 16) / 2])
      at += words[at / 2]
    }
    if (at !== length) throw new Error(`${count} requests are ${at} bytes, not ${length}`)
    this.transactions.push(transaction)
  }

  executeSync(): NativeReply {
    throw new Error('not recorded')
  }

  openInNamespace(): number {
    throw new Error('not recorded')
  }

  /** Answers the oldest transaction that has no answer: everything done, or as given. */
  answer(answers?: Answer[]): void {
    if (this.#answered >= this.transactions.length) throw new Error('nothing to answer')
    this.#answered++
    this.onReply!(answers === undefined ? null : packReply(answers))
  }

  get unanswered(): number {
    return this.transactions.length - this.#answered
  }

  close(): void {
    if (this.unanswered > 0) throw new Error('closed before everything was answered')
    this.closed = true
  }
}
