import { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { nativeSocket } from '../checks/endpoint.js'
import { HttpAnswer } from '../checks/http-answer.js'
import { endpointWords } from '../model/keys.js'

/** A page, and how it is asked for. */
export interface PageQuestion {
  /** Numeric. */
  address: string
  port: number
  /** Sent as it is. */
  path: string
  /** Host header; ADDRESS:PORT by default. */
  host?: string
  version: '1.0' | '1.0c' | '1.1'
  tls: boolean
  /** Name for Server Name Indication. */
  serverName?: string
  /** Firewall mark of what is sent. */
  mark?: number
  /** Seconds for all of it. */
  timeout: number
}

/** A page as it came. */
export interface Page {
  status: number
  /** Everything up to the empty line, that line included. */
  head: Buffer
  /** The body as it is on the wire, the sizes of chunks included. */
  body: Buffer
  /** Seconds that it took. */
  duration: number
}

/** Bytes of a page, at most. */
const LARGEST = 1024 * 1024 * 1024

/** The request of a check, byte for byte. */
const requestOf = ({ address, port, path, host, version }: PageQuestion): string =>
  `GET ${path} HTTP/${version === '1.1' ? '1.1' : '1.0'}\r\nUser-Agent: KeepAliveClient\r\n${version === '1.0' ? '' : 'Connection: close\r\n'}`
  + `Host: ${host ?? endpointWords({ address, port })}\r\n\r\n`

/**
 * Asks for a page as a check does, and keeps all of it.
 *
 * @throws Error with what went wrong, in words
 */
export function fetchPage(question: PageQuestion): Promise<Page> {
  const { address, port, tls, serverName, mark, timeout } = question
  const began = performance.now()
  return new Promise((resolve, reject) => {
    const plain =
      mark === undefined ? new Socket() : new Socket({ fd: nativeSocket({ address, mark }, 'stream'), readable: true, writable: true })
    const got: Buffer[] = []
    const body: Buffer[] = []
    const answer = new HttpAnswer(LARGEST, { raw: (bytes) => body.push(Buffer.from(bytes)) })
    let stream: Socket = plain
    const end = (act: () => void): void => {
      clearTimeout(timer)
      stream.destroy()
      plain.destroy()
      act()
    }
    const fail = (words: string): void => end(() => reject(new Error(words)))
    const timer = setTimeout(() => fail(`no complete answer within ${timeout} s`), timeout * 1_000)
    const finish = (): void => {
      if (answer.problem !== '') return fail(answer.problem)
      const all = Buffer.concat(got)
      const head = all.subarray(0, all.indexOf('\r\n\r\n') + 4)
      return end(() => resolve({ status: answer.status, head, body: Buffer.concat(body), duration: (performance.now() - began) / 1_000 }))
    }
    const ask = (): void => {
      stream.on('data', (bytes: Buffer) => {
        got.push(bytes)
        if (!answer.push(bytes)) finish()
      })
      stream.on('end', () => {
        if (answer.done || answer.problem !== '') return
        answer.end()
        finish()
      })
      stream.write(requestOf(question), 'latin1')
    }
    plain.on('error', (error) => fail(error.message))
    plain.connect({ host: address, port }, () => {
      if (!tls) return ask()
      // The page counts, not who sends it: genhash verifies no certificate either.
      stream = connectTls({ socket: plain, servername: serverName ?? '', host: address, rejectUnauthorized: false }, ask)
      stream.on('error', (error) => fail(error.message))
    })
  })
}
