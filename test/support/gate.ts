import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** A proxy before a server. While it is shut, no connection gets through. */
export class Gate implements AsyncDisposable {
  readonly #sockets = new Set<Socket>()
  #isOpen = true

  private constructor(private readonly server: Server, private readonly to: URL) {
    server.on('connection', (client) => this.#lead(client))
  }

  static async before(url: string): Promise<Gate> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Gate(server, new URL(url))
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  #lead(client: Socket): void {
    if (!this.#isOpen) {
      client.destroy()
      return
    }
    const onward = connect(Number(this.to.port), this.to.hostname)
    for (const [one, other] of [[client, onward], [onward, client]]) {
      this.#sockets.add(one)
      one.on('error', () => {}).on('close', () => {
        this.#sockets.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
  }

  shut(): void {
    this.#isOpen = false
    for (const socket of this.#sockets) socket.destroy()
  }

  open(): void {
    this.#isOpen = true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.shut()
    this.server.close()
    await once(this.server, 'close')
  }
}
