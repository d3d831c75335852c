import { createSocket, type Socket } from 'node:dgram'
import { bad, good, type Answer } from '../answer.js'
import { Attempt, type Asker, type Probe } from '../attempt.js'
import type { RunningClock } from '../clock.js'
import { isNative, nativeSocket, scoped, type Endpoint } from '../endpoint.js'
import { failed, notBegun } from '../trouble.js'

/** One datagram there, and perhaps one back. */
export abstract class Exchange extends Attempt {
  readonly #socket: Socket
  #sent = false

  constructor(clock: RunningClock, asker: Asker, timeout: number, endpoint: Endpoint, payload: Uint8Array) {
    super(clock, asker, timeout)
    const { address, port, localAddress, localPort } = endpoint
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
    this.#socket = socket
    socket.on('error', (error) => this.#broken(error))
    socket.on('message', (bytes) => {
      if (!this.over) this.received(bytes)
    })
    socket.on('connect', () => {
      if (this.over) return
      this.#sent = true
      socket.send(payload, (error) => {
        if (error !== null) this.#broken(error)
      })
    })
    try {
      if (isNative(endpoint)) socket.bind({ fd: nativeSocket(endpoint, 'datagram') })
      else if (localAddress !== undefined || localPort !== undefined)
        socket.bind({ address: localAddress, port: localPort, exclusive: true })
      socket.connect(port, scoped(endpoint))
    } catch (error) {
      this.answer(notBegun('the datagram', error))
    }
  }

  protected abstract received(bytes: Buffer): void

  #broken(error: Error): void {
    this.answer(this.#sent ? failed('the datagram', error) : notBegun('the datagram', error))
  }

  protected override missing(): string {
    return 'no answer'
  }

  protected override close(): void {
    this.#socket.close()
  }
}

/** What an answer has to be. */
export interface Expected {
  /** How it begins: the bits of `value` where `mask` has a one. */
  value?: Uint8Array
  mask?: Uint8Array
  /** Bytes, at least and at most. */
  min: number
  max: number
}

export interface UdpOptions {
  payload: Uint8Array
  /** Without it no answer is needed: the target is good unless it says within the timeout that the port is closed. */
  expected?: Expected
  timeout: number
}

/** Bytes in hexadecimal digits, 'x' for any, and which of their bits count. Blanks between bytes are passed over. */
export function hexPattern(text: string): { value: Uint8Array, mask: Uint8Array } {
  const digits = text.replace(/\s+/g, '')
  const bytes = (digit: (text: string) => string): Uint8Array => Uint8Array.from(Buffer.from(digits.replace(/./g, digit), 'hex'))
  return { value: bytes((text) => /x/i.test(text) ? '0' : text), mask: bytes((text) => /x/i.test(text) ? '0' : 'f') }
}

class UdpAttempt extends Exchange {
  readonly #expected: Expected | undefined

  constructor(clock: RunningClock, asker: Asker, endpoint: Endpoint, { payload, expected, timeout }: UdpOptions) {
    super(clock, asker, timeout, endpoint, payload)
    this.#expected = expected
  }

  protected override received(bytes: Buffer): void {
    const expected = this.#expected
    const got = `an answer of ${bytes.length} ${bytes.length === 1 ? 'byte' : 'bytes'}`
    if (expected === undefined) this.answer(good('the datagram was answered'))
    else if (bytes.length < expected.min) this.answer(bad(`${got} came, at least ${expected.min} were expected`))
    else if (bytes.length > expected.max) this.answer(bad(`${got} came, at most ${expected.max} were expected`))
    else if (!matches(bytes, expected)) this.answer(bad(`${got} came, which does not begin as expected: ${bytes.toString('hex', 0, 16)}`))
    else this.answer(good('the datagram was answered as expected'))
  }

  protected override afterTime(): Answer {
    return this.#expected === undefined ? good(`nothing said within ${this.timeout / 1000} s that the port is closed`) : super.afterTime()
  }
}

const matches = (bytes: Buffer, { value, mask }: Expected): boolean =>
  value === undefined ||
  mask === undefined ||
  (bytes.length >= value.length && value.every((byte, i) => ((byte ^ bytes[i]) & mask[i]) === 0))

/** Good when a datagram is answered as expected, or, where no answer is expected, not refused. */
export const udp = (endpoint: Endpoint, options: UdpOptions): Probe => ({
  uses: 'socket',
  timeout: options.timeout,
  what: 'UDP datagram',
  start: (clock, asker) => new UdpAttempt(clock, asker, endpoint, options),
})
