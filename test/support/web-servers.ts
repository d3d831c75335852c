import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import type { Namespace } from '../../scripts/network/namespace.js'

const PROGRAM = `
const { createServer } = require('node:http')
const servers = new Map()
require('node:readline').createInterface({ input: process.stdin }).on('line', async (line) => {
  const { address, port, page } = JSON.parse(line)
  const id = address + ' ' + port
  const old = servers.get(id)
  if (old !== undefined && page !== undefined) old.page = page
  else if (page === undefined) {
    servers.delete(id)
    await new Promise((resolve) => { old.server.close(resolve); old.server.closeAllConnections() })
  } else {
    const one = { page }
    one.server = createServer((_, answer) => answer.end(one.page))
    servers.set(id, one)
    await new Promise((resolve) => one.server.listen(port, address, resolve))
  }
  console.log('done')
})
`

/** Web servers in a namespace, all in one process. Each answers every request with its page. */
export class WebServers implements AsyncDisposable {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>
  readonly #answers: AsyncIterator<string>

  constructor(namespace: Namespace) {
    this.#process = spawn('nsenter', [`--net=${namespace.path}`, process.execPath, '-e', PROGRAM], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]()
  }

  async #tell(request: object): Promise<void> {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`)
    await this.#answers.next()
  }

  /** Starts a server, or gives a running server another page. */
  serve(address: string, port: number, page: string): Promise<void> {
    return this.#tell({ address, port, page })
  }

  stop(address: string, port: number): Promise<void> {
    return this.#tell({ address, port })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#process, 'close')
    this.#process.kill('SIGKILL')
    await closed
  }
}
