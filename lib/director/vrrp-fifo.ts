import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs'
import { Socket } from 'node:net'
import { dirname } from 'node:path'
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
  if (code === 'ENOENT') throw fault(path, `there is no folder ${dirname(path)}. Make it, or give another path`)
  if (code !== 'EEXIST') throw fault(path, `it cannot be made (${code})`)
  if (!lstatSync(path).isFIFO()) throw fault(path, 'something else has that name. Give another path, or remove what is there')
}

/** Longest rest of a line that is kept. */
const LONGEST = 4_096
/** Milliseconds between two looks whether the path is still the FIFO that is open. */
const LOOK = 1_000
/** Milliseconds in which keepalived opens it again where it only reads its configuration again, and between two looks for that. */
const [PATIENCE, STEP] = [2_000, 50]

/** What is heard. */
export interface FifoEvents {
  state(state: VrrpState): void
  /** Whoever wrote has closed it, and nobody has opened it since: keepalived has ended, or was killed. */
  gone(): void
  /** It cannot be read at present. */
  trouble(error: Error): void
}

/** What was written into a FIFO; `undefined` where nobody has it open for writing. */
function readIfWriter(descriptor: number): string | undefined {
  const bytes = Buffer.alloc(LONGEST)
  try {
    const length = readSync(descriptor, bytes)
    return length === 0 ? undefined : bytes.toString('latin1', 0, length)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EAGAIN' ? '' : undefined
  }
}

/** Reads the states that keepalived writes into a FIFO, again after the writer went, and after the FIFO was made anew. */
export class VrrpFifo {
  readonly #path: string
  readonly #events: FifoEvents
  #socket: Socket | undefined
  /** While it is waited for a writer. */
  #waiting: { descriptor: number, timer: NodeJS.Timeout } | undefined
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

  /** @param isLeft whether a writer has closed it a moment ago */
  #open(isLeft = false): void {
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
      if (isLeft) this.#await(descriptor, performance.now() + PATIENCE)
      else this.#read(descriptor)
      this.#isTroubled = false
    } catch (error) {
      if (!this.#isTroubled) this.#events.trouble(error as Error)
      this.#isTroubled = true
    }
  }

  /** Waits until somebody has it open for writing, and reads on. Where nobody has in time, whoever wrote is gone. */
  #await(descriptor: number, end: number): void {
    this.#waiting = undefined
    const written = readIfWriter(descriptor)
    if (written === undefined && performance.now() < end) {
      this.#waiting = { descriptor, timer: setTimeout(() => this.#await(descriptor, end), STEP) }
      return
    }
    if (written === undefined) this.#events.gone()
    if (this.#isClosed) closeSync(descriptor)
    else this.#read(descriptor, written)
  }

  /** @param written what was read of it before */
  #read(descriptor: number, written = ''): void {
    const socket = this.#socket = new Socket({ fd: descriptor, readable: true, writable: false })
    let rest = ''
    let isEnded = false
    socket.setEncoding('latin1')
    const take = (piece: string): void => {
      const lines = (rest + piece).split('\n')
      rest = lines.pop()!.slice(-LONGEST)
      for (const line of lines) {
        const state = readVrrpLine(line)
        if (state !== undefined) this.#events.state({ ...state, at: Date.now() })
      }
    }
    take(written)
    socket.on('data', take)
    socket.on('end', () => {
      isEnded = true
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      if (this.#socket !== socket) return
      this.#socket = undefined
      this.#open(isEnded)
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
    if ((this.#socket !== undefined || this.#waiting !== undefined) && inode === this.#inode) return
    this.#drop()
    this.#open()
  }

  #drop(): void {
    const socket = this.#socket
    this.#socket = undefined
    socket?.destroy()
    if (this.#waiting === undefined) return
    clearTimeout(this.#waiting.timer)
    closeSync(this.#waiting.descriptor)
    this.#waiting = undefined
  }

  close(): void {
    this.#isClosed = true
    clearInterval(this.#timer)
    this.#drop()
  }
}
