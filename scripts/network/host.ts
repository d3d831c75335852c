import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { Namespace } from './namespace.js'

/** The protocol of a server. HTTP requests are for '/', on keep-alive connections. */
export type Transport = 'tcp' | 'udp' | 'http'

/** A request's target and source. */
export interface Question {
  transport: Transport
  address: string
  port: number
  /** The source address; chosen by routing if left out. */
  from?: string
  /** The source port; one that this host has not used before if left out. */
  fromPort?: number
  /** The request's text, a single line. */
  payload?: string
}

/** One connection (TCP) or one socket (UDP), held open. */
export interface Conversation {
  /** The source port. */
  readonly port: number
  /** Sends a line several times, each time waiting for the answer. Returns the names of the servers that answered. */
  say(times?: number): Promise<string[]>
  end(): Promise<void>
}

const agent = join(dirname(createRequire(import.meta.url).resolve('ipvs/package.json')), 'scripts/network/agent.mjs')

/**
 * A computer in a network namespace. It serves and sends requests over TCP, UDP and HTTP through a process inside. Servers answer every
 * line or datagram with their name. Failures have the system's code ('ECONNREFUSED', 'ETIMEDOUT').
 */
export class Host {
  private readonly waiting = new Map<number, { resolve: (result: never) => void, reject: (error: Error) => void }>()
  private readonly ended: Promise<void>
  private asked = 0

  private constructor(readonly namespace: Namespace, private readonly process: ChildProcessByStdio<Writable, Readable, null>) {
    createInterface({ input: process.stdout }).on('line', line => {
      const { id, result, error } = JSON.parse(line) as { id: number, result: never, error?: { message: string, code?: string } }
      const { resolve, reject } = this.waiting.get(id)!
      this.waiting.delete(id)
      if (error === undefined) resolve(result)
      else reject(Object.assign(new Error(error.message), { code: error.code }))
    })
    this.ended = new Promise(resolve => process.once('close', () => {
      for (const { reject } of this.waiting.values()) reject(new Error(`the process in namespace ${namespace.name} ended`))
      resolve()
    }))
    process.stdin.on('error', () => undefined)
  }

  static async create(label: string): Promise<Host> {
    const namespace = await Namespace.create(label)
    return new Host(
      namespace, spawn('nsenter', [`--net=${namespace.path}`, process.execPath, agent], { stdio: ['pipe', 'pipe', 'inherit'] }),
    )
  }

  private tell<Result>(verb: string, request: object = {}): Promise<Result> {
    return new Promise((resolve, reject) => {
      const id = ++this.asked
      this.waiting.set(id, { resolve, reject })
      this.process.stdin.write(`${JSON.stringify({ id, verb, ...request })}\n`)
    })
  }

  /** Starts a server that answers with `name`. It listens when the promise is fulfilled. */
  serve(transport: Transport, address: string, port: number, name: string): Promise<void> {
    return this.tell('serve', { transport, address, port, name })
  }

  /** Stops a server and closes its connections. */
  stop(transport: Transport, address: string, port: number): Promise<void> {
    return this.tell('stop', { transport, address, port })
  }

  /** Sends requests one after the other, each over a new connection. Returns the names of the servers that answered. */
  ask(question: Question, times = 1): Promise<string[]> {
    return this.tell('ask', { payload: 'hello', ...question, times })
  }

  /**
   * Opens a TCP connection every so many milliseconds, whether or not those before it have got an answer.
   *
   * @returns what stops it, gives up those without an answer, and tells how the others ended: names of servers, codes of errors
   */
  async keepAsking(question: Omit<Question, 'transport'>, every: number): Promise<() => Promise<string[]>> {
    const asker = await this.tell<number>('keepAsking', { payload: 'hello', ...question, every })
    return () => this.tell('stopAsking', { asker })
  }

  /** Opens a connection for several requests. */
  async connect(question: Question): Promise<Conversation> {
    const { conversation, port } = await this.tell<{ conversation: number, port: number }>('connect', question)
    const payload = question.payload ?? 'hello'
    return {
      port,
      say: (times = 1) => this.tell('say', { conversation, payload, times }),
      end: () => this.tell('end', { conversation }),
    }
  }

  /** Reads a file inside the namespace (/proc/net, /proc/sys/net). */
  read(path: string): Promise<string> {
    return this.tell('read', { path })
  }

  /** Sets sysctls of the namespace, in the order given. Names have slashes: 'net/ipv4/ip_forward'. */
  sysctl(settings: Record<string, string | number>): Promise<void> {
    return this.tell('write', { files: Object.entries(settings).map(([name, value]) => [`/proc/sys/${name}`, String(value)]) })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.stdin.end()
    await this.ended
    await this.namespace[Symbol.asyncDispose]()
  }
}
