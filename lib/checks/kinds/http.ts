import { createHash, type Hash } from 'node:crypto'
import type { Socket, SocketConstructorOpts } from 'node:net'
import type { SecureContext, TLSSocket } from 'node:tls'
import { bad, good, type Answer } from '../answer.js'
import { type Asker, type Probe } from '../attempt.js'
import type { RunningClock } from '../clock.js'
import type { Endpoint } from '../endpoint.js'
import { HttpAnswer } from '../http-answer.js'
import { failed } from '../trouble.js'
import { Connecting } from './tcp.js'
import { contextOf, handshakeFailure, secure, type Security } from './tls.js'

export type HttpVersion = '1.0' | '1.0C' | '1.1'

/** What the body has to match, or must not match. */
export interface Pattern {
  /** With the flag 'u' the body is read as UTF-8, otherwise each byte is a character. */
  expression: RegExp
  /** Whether a match is bad. */
  forbidden: boolean
  /** Bytes of the body that are not searched. */
  from: number
  /** Byte of the body from which on no match may start. */
  until: number
}

/** A page that is asked for, and what it has to be. */
export interface Page {
  /** Sent as it is. */
  path: string
  /** Value of the Host header. */
  host: string
  /** Status codes that are good, each a range of two. */
  status: readonly (readonly [number, number])[]
  /** MD5 of the body as it is on the wire, in hexadecimal digits. */
  digest?: string
  /** Text that the body has to have. */
  text?: string
  pattern?: Pattern
}

export interface HttpOptions {
  pages: readonly Page[]
  version: HttpVersion
  /** Bytes of one answer, at most. */
  maxSize: number
  /** Milliseconds for the whole of one answer, its connection included. */
  timeout: number
  /** TLS beneath it. */
  security?: Security
}

/** A page made ready. */
interface Prepared extends Page {
  request: string
  what: string
  wantsContent: boolean
}

const requestOf = ({ path, host }: Page, version: HttpVersion): string =>
  `GET ${path} HTTP/${version === '1.1' ? '1.1' : '1.0'}\r\nUser-Agent: KeepAliveClient\r\n${version === '1.0' ? '' : 'Connection: close\r\n'}Host: ${host}\r\n\r\n`

/** Property by property: a spread would give every page a hidden class of its own, and slow down each use of it. */
function prepare(page: Page, version: HttpVersion): Prepared {
  const { path, host, status, digest, text, pattern } = page
  return {
    path,
    host,
    status,
    digest: digest?.toLowerCase(),
    text,
    pattern,
    request: requestOf(page, version),
    what: `GET ${path}`,
    wantsContent: text !== undefined || pattern !== undefined,
  }
}

/** What plain sockets read into, one at a time: an answer is looked at before the next is read. */
const shared = Buffer.allocUnsafeSlow(65_536)

function onRead(this: HttpSocket, length: number): boolean {
  this.attempt.received(shared.subarray(0, length))
  return true
}

function onEnd(this: Socket): void {
  (this as HttpSocket).attempt.ended()
}

interface HttpSocket extends Socket {
  attempt: HttpAttempt
}

const PLAIN: SocketConstructorOpts & { onread: { buffer: Buffer, callback: (this: HttpSocket, length: number) => boolean } } =
  { allowHalfOpen: true, onread: { buffer: shared, callback: onRead } }

const HALF_OPEN: SocketConstructorOpts = { allowHalfOpen: true }

/** One page's answer on its way. */
class Reading {
  readonly answer: HttpAnswer
  readonly #page: Prepared
  readonly #hash: Hash | undefined
  readonly #content: Buffer[] = []

  constructor(page: Prepared, maxSize: number) {
    this.#page = page
    const hash = page.digest === undefined ? undefined : createHash('md5')
    this.#hash = hash
    this.answer = new HttpAnswer(maxSize, {
      raw: hash === undefined ? undefined : (bytes) => hash.update(bytes),
      content: page.wantsContent ? (bytes) => this.#content.push(Buffer.from(bytes)) : undefined,
    })
  }

  /** Whether the status is one of those that are good, as far as it is known. Otherwise nobody needs the rest. */
  get mayBeGood(): boolean {
    const { status } = this.answer
    return status === 0 || this.#page.status.some(([from, to]) => status >= from && status <= to)
  }

  /** What is wrong with the complete answer, or with its beginning; `undefined` if nothing is. */
  fault(): string | undefined {
    const { digest, text, pattern, wantsContent } = this.#page
    const { status } = this.answer
    if (!this.mayBeGood) return `answered ${status}`
    if (digest !== undefined) {
      const found = this.#hash!.digest('hex')
      if (found !== digest) return `answered ${status}, but the digest of the body is ${found}, not ${digest}`
    }
    if (!wantsContent) return undefined
    const content = Buffer.concat(this.#content)
    if (text !== undefined && !content.includes(text)) return `answered ${status}, but the body does not have the text '${text}'`
    if (pattern !== undefined && matches(content, pattern) === pattern.forbidden)
      return `answered ${status}, but the body ${pattern.forbidden ? 'matches' : 'does not match'} ${String(pattern.expression)}`
    return undefined
  }
}

function matches(body: Buffer, { expression, from, until }: Pattern): boolean {
  const encoding = expression.unicode ? 'utf8' : 'latin1'
  const searched = body.toString(encoding, Math.min(from, body.length))
  const at = searched.search(expression)
  return at >= 0 && from + Buffer.byteLength(searched.slice(0, at), encoding) < until
}

class HttpAttempt extends Connecting {
  readonly #probe: HttpProbe
  #page = 0
  #reading: Reading | undefined
  #tls: TLSSocket | undefined

  constructor(clock: RunningClock, asker: Asker, probe: HttpProbe) {
    super(clock, asker, probe.timeout)
    this.#probe = probe
    this.#open()
  }

  #open(): void {
    const { endpoint, security } = this.#probe
    this.#reading = undefined
    this.#tls = undefined
    this.connect(endpoint, security === undefined ? PLAIN : HALF_OPEN)
  }

  protected override prepare(socket: Socket): void {
    if (this.#probe.security === undefined) socket.on('end', onEnd)
  }

  protected established(): void {
    if (this.#probe.security === undefined) this.#ask(this.socket!)
    else this.#secure(this.#probe.security)
  }

  #ask(socket: Socket): void {
    const page = this.#probe.pages[this.#page]
    this.#reading = new Reading(page, this.#probe.maxSize)
    socket.write(page.request, 'latin1')
  }

  #secure(security: Security): void {
    const secured = secure(this.socket!, this.#probe.endpoint.address, this.#probe.context!, security)
    this.#tls = secured
    secured.on('secureConnect', () => {
      if (this.#tls === secured) this.#ask(secured)
    })
    secured.on('data', (bytes: Buffer) => {
      if (this.#tls === secured) this.received(bytes)
    })
    secured.on('end', () => {
      if (this.#tls === secured) this.ended()
    })
    secured.on('error', (error: Error) => {
      if (this.#tls === secured && !this.over) this.answer(this.#reading === undefined ? handshakeFailure(error) : this.#failure(error))
    })
    // What closes without an error and without an end is seen here.
    secured.on('close', () => {
      if (this.#tls === secured) this.ended()
    })
  }

  received(bytes: Buffer): void {
    const reading = this.#reading
    if (this.over || reading === undefined) return
    const wantsMore = reading.answer.push(bytes)
    if (!wantsMore || !reading.mayBeGood) this.#complete(reading)
  }

  ended(): void {
    if (this.over) return
    if (this.#reading === undefined) {
      this.answer(
        bad(
          this.#probe.security === undefined ? 'the connection was closed at once' : 'the connection was closed during the TLS handshake',
        ),
      )
      return
    }
    this.#reading.answer.end()
    this.#complete(this.#reading)
  }

  #complete(reading: Reading): void {
    const { problem } = reading.answer
    const fault = problem === '' ? reading.fault() : undefined
    if (problem !== '') this.answer(bad(`${this.#what}: ${problem}`))
    else if (fault !== undefined) this.answer(bad(`${this.#what} ${fault}`))
    else if (this.#page + 1 === this.#probe.pages.length) this.answer(this.#probe.words(this.#page, reading.answer.status))
    else {
      this.close()
      this.#page++
      this.started = this.clock.now()
      this.#open()
    }
  }

  override broken(error: Error): void {
    if (this.over) return
    if (this.#tls !== undefined && this.#reading === undefined) this.answer(handshakeFailure(error))
    else this.answer(this.#failure(error))
  }

  #failure(error: Error): Answer {
    return failed(this.#reading === undefined ? 'the connection' : `${this.#what}: the connection`, error)
  }

  get #what(): string {
    return this.#probe.pages[this.#page].what
  }

  protected override missing(): string {
    if (!this.isConnected) return 'no connection'
    if (this.#reading === undefined) return this.#probe.security === undefined ? 'no connection' : 'no TLS session'
    return `${this.#what}: ${this.#reading.answer.missing}`
  }

  protected override close(): void {
    this.#tls?.destroy()
    super.close()
  }
}

class HttpProbe implements Probe {
  readonly uses = 'socket'
  readonly timeout: number
  readonly what: string
  readonly pages: readonly Prepared[]
  readonly maxSize: number
  readonly security: Security | undefined
  readonly context: SecureContext | undefined
  #words: Answer | undefined
  #status = 0

  constructor(readonly endpoint: Endpoint, { pages, version, maxSize, timeout, security }: HttpOptions) {
    this.timeout = timeout
    this.pages = pages.map((page) => prepare(page, version))
    this.maxSize = maxSize
    this.security = security
    this.context = security === undefined ? undefined : contextOf(security)
    this.what = this.pages.map(({ what }) => what).join(', ')
  }

  start(clock: RunningClock, asker: Asker): HttpAttempt {
    return new HttpAttempt(clock, asker, this)
  }

  /** The good answer; nearly always the same as the last one. */
  words(page: number, status: number): Answer {
    if (this.#words === undefined || this.#status !== status) {
      this.#status = status
      this.#words = good(`${this.pages[page].what} answered ${status}`)
    }
    return this.#words
  }
}

/** Good when each page answers as it should. Pages are asked for one after the other, each on a connection of its own. */
export const http = (endpoint: Endpoint, options: HttpOptions): Probe => new HttpProbe(endpoint, options)
