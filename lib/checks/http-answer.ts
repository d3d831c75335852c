/** Bytes of the header of an answer, at most, status line included. */
const HEADER_LIMIT = 65_536
/** Bytes of a line between chunks, at most. */
const CHUNK_LINE_LIMIT = 4_096

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [^\0\r\n]*)?$/
const HEADER_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\0\r\n]*?)[ \t]*$/
const START = 'HTTP/1.'
const CHUNK_SIZE = /^([0-9a-fA-F]{1,13})[ \t]*(?:;[^\0\r\n]*)?$/
const END_OF_HEADER = Buffer.from('\r\n\r\n')

const LF = 10
const CR = 13

/** Receives the body. The bytes belong to the next answer afterwards, so copy what you keep. */
export interface BodySink {
  /** Bytes of the body as they are on the wire, the sizes of chunks included. */
  raw?: (bytes: Buffer) => void
  /** Bytes of the body itself. */
  content?: (bytes: Buffer) => void
}

/** A piece of what a server sent, for messages: printable and short. */
function shown(text: string): string {
  const printable = text.replace(/[^\x20-\x7e]/g, '.')
  return `'${printable.length > 60 ? `${printable.slice(0, 60)}…` : printable}'`
}

const enum Part { header, length, untilEnd, chunkSize, chunk, chunkEnd, trailer, done, broken }

/**
 * Reads the answer to one HTTP request (RFC 9112), piece by piece, as strictly as safety asks: whatever two readers could understand
 * differently is an error. Interim answers (1xx) are skipped. It copies no more than it must.
 */
export class HttpAnswer {
  #part = Part.header
  #header: Buffer | undefined
  #line = ''
  #left = 0
  #size = 0
  #status = 0
  #problem = ''
  readonly #limit: number
  readonly #body: BodySink

  /**
   * @param limit Bytes of the answer, at most.
   * @param body Where the body goes; without it the body is read and dropped.
   */
  constructor(limit: number, body: BodySink = {}) {
    this.#limit = limit
    this.#body = body
  }

  /** The status code, once the header is complete; 0 before. */
  get status(): number {
    return this.#status
  }

  /** Whether everything is there. */
  get done(): boolean {
    return this.#part === Part.done
  }

  /** What is wrong with the answer, in words; empty while nothing is. */
  get problem(): string {
    return this.#problem
  }

  /** What is still missing, for messages. */
  get missing(): string {
    if (this.#size === 0) return 'no answer'
    return this.#part === Part.header ? 'no complete header' : 'no complete answer'
  }

  /** Takes the next bytes. Returns whether more are wanted; otherwise it is `done`, or there is a `problem`. */
  push(bytes: Buffer): boolean {
    if (this.#part === Part.done || this.#part === Part.broken) return false
    this.#size += bytes.length
    if (this.#size > this.#limit) return this.#fail(`the answer is longer than ${this.#limit} bytes`)
    let rest: Buffer | undefined = bytes
    while (rest !== undefined && rest.length > 0 && this.#wants)
      rest = this.#part === Part.header ? this.#readHeader(rest) : this.#readBody(rest)
    return this.#wants
  }

  /** The other side has ended the connection: it is `done`, or there is a `problem`. */
  end(): void {
    if (this.#part === Part.untilEnd) this.#part = Part.done
    else if (this.#part === Part.header)
      this.#fail(this.#size === 0 ? 'the connection ended without an answer' : 'the connection ended within the header')
    else if (this.#part === Part.length) this.#fail(`the connection ended ${this.#left} bytes before the end of the body`)
    else if (this.#wants) this.#fail('the connection ended before the last chunk of the body')
  }

  get #wants(): boolean {
    return this.#part !== Part.done && this.#part !== Part.broken
  }

  #fail(problem: string): false {
    this.#part = Part.broken
    this.#problem = problem
    this.#header = undefined
    return false
  }

  /** Returns what follows the header, if it is complete. */
  #readHeader(bytes: Buffer): Buffer | undefined {
    // The end of the header may lie across two pieces.
    const from = this.#header === undefined ? 0 : Math.max(0, this.#header.length - END_OF_HEADER.length + 1)
    const whole = this.#header === undefined ? bytes : Buffer.concat([this.#header, bytes])
    const end = whole.indexOf(END_OF_HEADER, from)
    if (end >= 0 && end <= HEADER_LIMIT) {
      this.#header = undefined
      this.#understand(whole.toString('latin1', 0, end))
      return whole.subarray(end + END_OF_HEADER.length)
    }
    // Something that is not HTTP would never end with an empty line.
    const start = whole.toString('latin1', 0, START.length)
    if (start !== START.slice(0, start.length)) this.#fail(`the answer is not HTTP: it begins with ${shown(whole.toString('latin1', 0, 80))}`)
    else if (whole.length > HEADER_LIMIT) this.#fail(`the header is longer than ${HEADER_LIMIT} bytes`)
    else if (whole.includes('\n\n', Math.max(0, from - 1))) this.#fail('the lines of the header end with LF alone, not with CR LF')
    else this.#header = this.#header === undefined ? Buffer.from(whole) : whole
    return undefined
  }

  #understand(text: string): void {
    const lines = text.split('\r\n')
    const status = STATUS_LINE.exec(lines[0])
    if (status === null) {
      this.#fail(lines[0].startsWith(START) ? `the status line is not valid: ${shown(lines[0])}` : `the answer is not HTTP: it begins with ${shown(lines[0])}`)
      return
    }
    let length: string | undefined
    let encoding: string | undefined
    for (let i = 1; i < lines.length; i++) {
      const header = HEADER_LINE.exec(lines[i])
      if (header === null) {
        this.#fail(`a line of the header is not valid: ${shown(lines[i])}`)
        return
      }
      const name = header[1].toLowerCase()
      if (name === 'content-length') {
        if (length !== undefined && length !== header[2]) {
          this.#fail('the header has two different Content-Length')
          return
        }
        length = header[2]
      } else if (name === 'transfer-encoding') encoding = encoding === undefined ? header[2] : `${encoding}, ${header[2]}`
    }
    this.#begin(Number(status[2]), status[1] === '1', length, encoding)
  }

  /** The header is complete: finds out where the body ends. */
  #begin(status: number, is11: boolean, length: string | undefined, encoding: string | undefined): void {
    if (length !== undefined && (!/^\d{1,15}$/.test(length))) this.#fail(`Content-Length is no number of bytes: ${shown(length)}`)
    else if (encoding !== undefined && encoding.toLowerCase() !== 'chunked') this.#fail(`the transfer encoding is unknown: ${shown(encoding)}`)
    else if (encoding !== undefined && length !== undefined) this.#fail('the header has both Content-Length and Transfer-Encoding')
    else if (encoding !== undefined && !is11) this.#fail('an answer of HTTP/1.0 has a Transfer-Encoding, which that version does not know')
    else if (status === 101) this.#fail('the server switches to another protocol')
    else if (status >= 200) {
      this.#status = status
      if (status === 204 || status === 304) this.#part = Part.done
      else if (encoding !== undefined) this.#part = Part.chunkSize
      else if (length === undefined) this.#part = Part.untilEnd
      else {
        this.#left = Number(length)
        this.#part = this.#left === 0 ? Part.done : Part.length
      }
    }
  }

  /** Returns what is left for another look. */
  #readBody(bytes: Buffer): Buffer | undefined {
    if (this.#part === Part.untilEnd) {
      this.#body.raw?.(bytes)
      this.#body.content?.(bytes)
      return undefined
    }
    if (this.#part === Part.length || this.#part === Part.chunk) {
      const taken = bytes.length > this.#left ? bytes.subarray(0, this.#left) : bytes
      this.#body.raw?.(taken)
      this.#body.content?.(taken)
      this.#left -= taken.length
      if (this.#left === 0) this.#part = this.#part === Part.length ? Part.done : Part.chunkEnd
      return bytes.subarray(taken.length)
    }
    return this.#readChunkLine(bytes)
  }

  /** A line between chunks: a size, the empty line after a chunk, or a line of the trailer. */
  #readChunkLine(bytes: Buffer): Buffer | undefined {
    const end = bytes.indexOf(LF)
    const taken = end < 0 ? bytes : bytes.subarray(0, end + 1)
    this.#body.raw?.(taken)
    this.#line += taken.toString('latin1', 0, taken.length)
    if (this.#line.length > CHUNK_LINE_LIMIT) {
      this.#fail('a line between the chunks of the body is too long')
      return undefined
    }
    if (end < 0) return undefined
    const line = this.#line
    this.#line = ''
    if (line.charCodeAt(line.length - 2) !== CR) this.#fail('a line between the chunks of the body ends with LF alone, not with CR LF')
    else this.#understandChunkLine(line.slice(0, -2))
    return bytes.subarray(end + 1)
  }

  #understandChunkLine(line: string): void {
    if (this.#part === Part.chunkEnd) {
      if (line === '') this.#part = Part.chunkSize
      else this.#fail('a chunk of the body is longer than its size says')
    } else if (this.#part === Part.trailer) {
      if (line === '') this.#part = Part.done
      else if (!HEADER_LINE.test(line)) this.#fail(`a line of the trailer is not valid: ${shown(line)}`)
    } else {
      const size = CHUNK_SIZE.exec(line)
      if (size === null) this.#fail(`the size of a chunk of the body is not valid: ${shown(line)}`)
      else {
        this.#left = Number.parseInt(size[1], 16)
        this.#part = this.#left === 0 ? Part.trailer : Part.chunk
      }
    }
  }
}
