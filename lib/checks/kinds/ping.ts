import { randomBytes } from 'node:crypto'
import { parseAddress } from '../../model/address.js'
import { errnoName } from '../../model/errors.js'
import { addon } from '../../wire/load.js'
import { bad, good } from '../answer.js'
import { Attempt, type Asker, type Probe } from '../attempt.js'
import type { RunningClock } from '../clock.js'
import { nativeSocket } from '../endpoint.js'
import { notBegun } from '../trouble.js'

/** Bytes of an echo request (RFC 792, 4443): its header, a token that only this socket knows, and as much as ping(8) sends. */
const HEADER = 8
const TOKEN = 8
const SIZE = 64

/** Milliseconds between two looks at the socket: often while an answer is likely to come, which is soon. */
const SOON = 1
const LATER = 10

interface Family {
  number: 4 | 6
  protocol: number
  request: number
  reply: number
  unreachable: number
}

const IPV4: Family = { number: 4, protocol: 1, request: 8, reply: 0, unreachable: 3 }
const IPV6: Family = { number: 6, protocol: 58, request: 128, reply: 129, unreachable: 1 }
const IPV6_HEADER = 40

/** Where echo requests go, and how. */
export interface PingTarget {
  address: string
  localAddress?: string
  device?: string
  mark?: number
}

/** The checksum of the Internet (RFC 1071). */
export function checksum(bytes: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) sum += bytes[i] << 8 | (bytes[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

function bytesOf(address: string): Uint8Array {
  const bytes = new Uint8Array(16)
  return parseAddress(address, bytes, 0) === 6 ? bytes : bytes.subarray(0, 4)
}

/**
 * A socket for echo requests: raw where that is permitted (CAP_NET_RAW), otherwise the kernel's own for ping, which the groups of
 * net.ipv4.ping_group_range may open. Node has no handle for either, so the socket is polled while answers are outstanding and closed when
 * there are none.
 */
class EchoSocket {
  readonly #family: Family
  readonly #descriptor: number
  readonly #token = randomBytes(TOKEN)
  readonly #identifier = this.#token.readUInt16BE(0)
  readonly #outstanding = new Map<number, PingAttempt>()
  readonly #answer = new Uint8Array(1_500)
  readonly #closed: () => void
  #sequence = 0
  #timer: NodeJS.Timeout | undefined
  #lastSent = 0

  /** @throws Error of a socket that could not be opened */
  constructor(family: Family, target: PingTarget, closed: () => void) {
    this.#family = family
    this.#closed = closed
    const local = target.localAddress === undefined ? undefined : bytesOf(target.localAddress)
    try {
      this.#descriptor = nativeSocket(target, 'raw', family.protocol, local)
    } catch (error) {
      if (!['EPERM', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
      this.#descriptor = nativeSocket(target, 'datagram', family.protocol, local)
    }
  }

  /** Sends a request. Returns its number, or throws. */
  send(attempt: PingAttempt, address: Uint8Array): number {
    let sequence = this.#sequence
    do sequence = sequence + 1 & 0xffff
    while (this.#outstanding.has(sequence))
    this.#sequence = sequence
    const packet = Buffer.alloc(SIZE)
    packet[0] = this.#family.request
    packet.writeUInt16BE(this.#identifier, 4)
    packet.writeUInt16BE(sequence, 6)
    this.#token.copy(packet, HEADER)
    // The kernel fills in that of ICMPv6, which covers addresses too.
    packet.writeUInt16BE(checksum(packet), 2)
    const sent = addon.sendTo(this.#descriptor, address, packet)
    if (sent < 0) {
      this.#closeIfIdle()
      throw Object.assign(new Error(errnoName(sent)), { code: errnoName(sent), errno: sent })
    }
    this.#outstanding.set(sequence, attempt)
    this.#lastSent = performance.now()
    clearTimeout(this.#timer)
    this.#wait()
    return sequence
  }

  forget(sequence: number): void {
    if (this.#outstanding.delete(sequence)) this.#closeIfIdle()
  }

  #closeIfIdle(): void {
    if (this.#outstanding.size > 0) return
    clearTimeout(this.#timer)
    addon.closeDescriptor(this.#descriptor)
    this.#closed()
  }

  #wait(): void {
    this.#timer = setTimeout(this.#look, performance.now() - this.#lastSent < 20 ? SOON : LATER)
  }

  readonly #look = (): void => {
    while (this.#outstanding.size > 0) {
      const length = addon.receiveFrom(this.#descriptor, this.#answer)
      if (length < 0) break
      this.#read(Buffer.from(this.#answer.buffer, 0, length))
    }
    if (this.#outstanding.size > 0) this.#wait()
  }

  #read(packet: Buffer): void {
    const { reply, unreachable } = this.#family
    const message = this.#withoutHeader(packet)
    if (message.length < HEADER) return
    if (message[0] === reply) {
      // A raw socket receives the answers to everybody's requests.
      if (this.#token.equals(message.subarray(HEADER, HEADER + TOKEN))) this.#outstanding.get(message.readUInt16BE(6))?.replied()
    } else if (message[0] === unreachable) {
      const inner = this.#family === IPV6 ? message.subarray(HEADER + IPV6_HEADER) : this.#withoutHeader(message.subarray(HEADER))
      if (inner.length >= HEADER && inner[0] === this.#family.request && inner.readUInt16BE(4) === this.#identifier)
        this.#outstanding.get(inner.readUInt16BE(6))?.unreachable()
    }
  }

  /** What is behind the header of IPv4, where there is one. */
  #withoutHeader(packet: Buffer): Buffer {
    return this.#family === IPV4 && packet[0] >> 4 === 4 && packet.length > 20 ? packet.subarray((packet[0] & 15) * 4) : packet
  }
}

/** Open sockets by what makes them different. */
const sockets = new Map<string, EchoSocket>()

function socketFor(family: Family, target: PingTarget): EchoSocket {
  const id = `${family.number} ${target.device ?? ''} ${target.mark ?? ''} ${target.localAddress ?? ''}`
  let socket = sockets.get(id)
  if (socket === undefined) {
    socket = new EchoSocket(family, target, () => sockets.delete(id))
    sockets.set(id, socket)
  }
  return socket
}

class PingAttempt extends Attempt {
  #socket: EchoSocket | undefined
  #sequence = -1

  constructor(clock: RunningClock, asker: Asker, timeout: number, family: Family, target: PingTarget, address: Uint8Array) {
    super(clock, asker, timeout)
    try {
      const socket = socketFor(family, target)
      this.#sequence = socket.send(this, address)
      this.#socket = socket
    } catch (error) {
      this.answer(notBegun('the echo request', error))
    }
  }

  replied(): void {
    this.answer(REPLIED)
  }

  unreachable(): void {
    this.answer(UNREACHABLE)
  }

  protected override missing(): string {
    return 'no echo reply'
  }

  protected override close(): void {
    this.#socket?.forget(this.#sequence)
  }
}

const REPLIED = good('the echo request was answered')
const UNREACHABLE = bad('the host is unreachable')

/** Good when an echo request is answered. */
export const ping = (target: PingTarget, timeout: number): Probe => {
  const address = bytesOf(target.address)
  const family = address.length === 16 ? IPV6 : IPV4
  return { uses: 'socket', timeout, what: 'ping', start: (clock, asker) => new PingAttempt(clock, asker, timeout, family, target, address) }
}
