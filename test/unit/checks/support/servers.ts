import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions, type TLSSocket } from 'node:tls'

/** A server on a port of loopback that the kernel chose. It ends, with all its connections, at the end of the block. */
export class Loopback implements AsyncDisposable {
  readonly address = '127.0.0.1'
  readonly connections = new Set<Socket>()
  /** How many connections there were in all. */
  count = 0

  private constructor(readonly server: Server) {}

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  static async listen(server: Server): Promise<Loopback> {
    const loopback = new Loopback(server)
    server.on('connection', (socket: Socket) => {
      loopback.count++
      loopback.connections.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => loopback.connections.delete(socket))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return loopback
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.connections) socket.destroy()
    this.server.close()
    await once(this.server, 'close')
  }
}

/** Does with each connection what the test says. */
export const tcpServer = (serve: (socket: Socket) => void = () => undefined): Promise<Loopback> =>
  Loopback.listen(createServer({ allowHalfOpen: true }, serve))

/** The same over TLS. */
export const tlsServer = (options: TlsOptions, serve: (socket: TLSSocket) => void = () => undefined): Promise<Loopback> => {
  const server = createTlsServer(options, serve)
  server.on('tlsClientError', () => undefined)
  return Loopback.listen(server)
}

/** Answers each request with these bytes, and closes. Keeps the requests. */
export async function answering(answer: string | ((request: string) => string)): Promise<Loopback & { requests: string[] }> {
  const requests: string[] = []
  const loopback = await tcpServer((socket) => {
    let request = ''
    socket.on('data', (bytes) => {
      request += bytes.toString('latin1')
      if (!request.endsWith('\r\n\r\n')) return
      requests.push(request)
      socket.end(typeof answer === 'string' ? answer : answer(request), 'latin1')
    })
  })
  return Object.assign(loopback, { requests })
}

/** A UDP server on loopback. */
export class UdpLoopback implements AsyncDisposable {
  readonly address = '127.0.0.1'
  readonly received: Buffer[] = []

  private constructor(readonly socket: UdpSocket) {}

  get port(): number {
    return this.socket.address().port
  }

  static async listen(answer: (bytes: Buffer, from: RemoteInfo) => Buffer | undefined): Promise<UdpLoopback> {
    const socket = createSocket('udp4')
    const loopback = new UdpLoopback(socket)
    socket.on('message', (bytes, from) => {
      loopback.received.push(bytes)
      const reply = answer(bytes, from)
      if (reply !== undefined) socket.send(reply, from.port, from.address)
    })
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    return loopback
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.close()
    await once(this.socket, 'close')
  }
}

/** A port of loopback where nobody listens. */
export async function closedPort(): Promise<number> {
  const server = await tcpServer()
  const { port } = server
  await server[Symbol.asyncDispose]()
  return port
}
