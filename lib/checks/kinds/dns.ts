import { randomInt } from 'node:crypto'
import { bad, good } from '../answer.js'
import type { Asker, Probe } from '../attempt.js'
import type { RunningClock } from '../clock.js'
import type { Endpoint } from '../endpoint.js'
import { Exchange } from './udp.js'

/** Types of records that can be asked for (RFC 1035, 3596, 4034). */
export const RECORD_TYPES = { A: 1, NS: 2, CNAME: 5, SOA: 6, MX: 15, TXT: 16, AAAA: 28, RRSIG: 46, DNSKEY: 48 } as const

export type RecordType = keyof typeof RECORD_TYPES

const HEADER = 12
const RECURSION_DESIRED = 0x01
const IS_ANSWER = 0x80

/** What the codes of answers mean (RFC 1035, 4.1.1). */
const CODES: Readonly<Record<number, string>> = { 1: 'FORMERR', 2: 'SERVFAIL', 3: 'NXDOMAIN', 4: 'NOTIMP', 5: 'REFUSED' }

/** A question about a name. Its first two bytes are its number, which is left 0. */
function question(name: string, type: RecordType): Buffer {
  const header = Buffer.alloc(HEADER)
  header[2] = RECURSION_DESIRED
  header.writeUInt16BE(1, 4)
  const labels = name.replace(/\.$/, '').split('.').filter((label) => label !== '').map((label) => {
    const bytes = Buffer.from(label, 'latin1')
    return Buffer.concat([Buffer.of(bytes.length), bytes])
  })
  const tail = Buffer.alloc(5)
  tail.writeUInt16BE(RECORD_TYPES[type], 1)
  tail.writeUInt16BE(1, 3)
  return Buffer.concat([header, ...labels, tail])
}

class DnsAttempt extends Exchange {
  readonly #number: number

  constructor(clock: RunningClock, asker: Asker, timeout: number, endpoint: Endpoint, asked: Buffer) {
    const number = randomInt(65_536)
    const payload = Buffer.from(asked)
    payload.writeUInt16BE(number, 0)
    super(clock, asker, timeout, endpoint, payload)
    this.#number = number
  }

  protected override received(bytes: Buffer): void {
    if (bytes.length < HEADER) this.answer(bad(`an answer of ${bytes.length} bytes came, which is too short for DNS`))
    // A late answer to somebody else's question is ignored.
    else if (bytes.readUInt16BE(0) !== this.#number || (bytes[2] & IS_ANSWER) === 0) return
    else {
      const code = bytes[3] & 15
      this.answer(code === 0 ? good('the name server answered') : bad(`the name server answered ${CODES[code] ?? `with code ${code}`}`))
    }
  }
}

export interface DnsOptions {
  name: string
  type: RecordType
  timeout: number
}

/** Good when a name server answers a question over UDP without an error. An answer without records is good. */
export const dns = (endpoint: Endpoint, { name, type, timeout }: DnsOptions): Probe => {
  const asked = question(name, type)
  return { uses: 'socket', timeout, what: `DNS ${type} ${name}`, start: (clock, asker) => new DnsAttempt(clock, asker, timeout, endpoint, asked) }
}
