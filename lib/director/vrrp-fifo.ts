import { constants, fstatSync, lstatSync, openSync, closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { errnoName } from '../model/errors.js'
import { addon } from '../wire/load.js'
import type { VrrpState } from './types.js'

const LINE = /^(INSTANCE|GROUP) "([^"]*)" (MASTER|BACKUP|FAULT|STOP|DELETED) (\d{1,3})$/

/** A line that keepalived writes into its FIFO; `undefined` for one that says nothing of a state. Releases after 2.3 begin with a NUL. */
export function readVrrpLine(text: string): Omit<VrrpState, 'at'> | undefined {
  const [, type, name, state, priority] = LINE.exec(text.replaceAll('\0', '').trimEnd()) ?? []
  if (type === undefined) return undefined
  return { type: type.toLowerCase() as VrrpState['type'], name, state: state as VrrpState['state'], priority: Number(priority) }
}

const fault = (path: string, why: string): Error => new Error(`${path} cannot be read as keepalived's FIFO: ${why}`)

/**
 * Makes the FIFO where it is missing. keepalived leaves one that was there before it in its place when it ends.
 *
 * @throws Error where it cannot be made, or where something else has the name
 */
export function makeFifo(path: string): void {
  const errno = addon.makeFifo(path, 0o600)
  if (errno === 0) return
  const code = errnoName(errno)
  if (code !== 'EEXIST') throw fault(path, `it cannot be made (${code})`)
  if (!lstatSync(path).isFIFO()) throw fault(path, 'something else has that name. Give another path, or remove what is there')
}

/** Longest rest of a line that is kept. */
const LONGEST = 4_096
/** Milliseconds between two looks whether the path is still the FIFO that is open. */
const LOOK = 1_000

/** What is heard. */
export interface FifoEvents {
  state(state: VrrpState): void
  /** Whoever wrote has closed it: keepalived has ended, or was killed. */
  gone(): void
  /** It cannot be read at present. */
  trouble(error: Error): void
}

/** Reads the states that keepalived writes into a FIFO, again after the writer went, and after the FIFO was made anew. */
export class VrrpFifo {
  readonly #path: string
  readonly #events: FifoEvents
  #socket: Socket | undefined
  #inode = -1
  #isTroubled = false
  #isClosed = false
  readonly #timer: NodeJS.Timeout

  constructor(path: string, events: FifoEvents) {
    this.#path = path
    this.#events = events
    this.#open()
    this.#timer = setInterval(() => this.#look(), LOOK).unref()
  }

  #open(): void {
    if (this.#isClosed) return
    try {
      makeFifo(this.#path)
      const descriptor = openSync(this.#path, constants.O_RDONLY | constants.O_NONBLOCK)
      const status = fstatSync(descriptor)
      if (!status.isFIFO()) {
        closeSync(descriptor)
        throw fault(this.#path, 'it is none')
      }
      this.#inode = status.ino
      this.#read(descriptor)
      this.#isTroubled = false
    } catch (error) {
      if (!this.#isTroubled) this.#events.trouble(error as Error)
      this.#isTroubled = true
    }
  }

  #read(descriptor: number): void {
    const socket = this.#socket = new Socket({ fd: descriptor, readable: true, writable: false })
    let rest = ''
    let isEnded = false
    socket.setEncoding('latin1')
    socket.on('data', (piece: string) => {
      const lines = (rest + piece).split('\n')
      rest = lines.pop()!.slice(-LONGEST)
      for (const line of lines) {
        const state = readVrrpLine(line)
        if (state !== undefined) this.#events.state({ ...state, at: Date.now() })
      }
    })
    socket.on('end', () => {
      isEnded = true
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      if (this.#socket !== socket) return
      this.#socket = undefined
      if (this.#isClosed) return
      if (isEnded) this.#events.gone()
      this.#open()
    })
  }

  /** Whoever removed the FIFO may have made another one, which nobody tells. */
  #look(): void {
    let inode = -1
    try {
      inode = lstatSync(this.#path).ino
    } catch {
      // It is made again.
    }
    if (this.#socket !== undefined && inode === this.#inode) return
    this.#drop()
    this.#open()
  }

  #drop(): void {
    const socket = this.#socket
    this.#socket = undefined
    socket?.destroy()
  }

  close(): void {
    this.#isClosed = true
    clearInterval(this.#timer)
    this.#drop()
  }
}
