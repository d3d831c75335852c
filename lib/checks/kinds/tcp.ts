import { Socket, type SocketConstructorOpts } from 'node:net'
import { good } from '../answer.js'
import { Attempt, type Asker, type Probe } from '../attempt.js'
import type { RunningClock } from '../clock.js'
import { isNative, nativeSocket, scoped, type Endpoint } from '../endpoint.js'
import { failed, notBegun } from '../trouble.js'

/** A socket that knows which attempt it belongs to: its listeners are shared by all of them. */
interface OwnedSocket extends Socket {
  attempt: Connecting
}

function onConnect(this: Socket): void {
  (this as OwnedSocket).attempt.connected()
}

function onError(this: Socket, error: Error): void {
  (this as OwnedSocket).attempt.broken(error)
}

const CONNECTION = 'the connection'

/**
 * Node connects in a tick of its own, and this runs right after it. An error that comes before any packet can return is this machine's.
 */
function afterConnect(attempt: Connecting, socket: Socket): void {
  if (socket.errored !== null && socket.errored !== undefined) attempt.notBegun(socket.errored)
}

/** An attempt that begins with a TCP connection. */
export abstract class Connecting extends Attempt {
  protected socket: Socket | undefined
  protected isConnected = false

  /** Begins a connection. */
  protected connect(endpoint: Endpoint, options?: SocketConstructorOpts): void {
    this.isConnected = false
    try {
      const socket = isNative(endpoint)
        ? new Socket({
            ...options,
            fd: nativeSocket(endpoint, 'stream'),
            readable: true,
            writable: true,
            manualStart: true,
          } as SocketConstructorOpts)
        : new Socket(options)
      this.socket = socket
      ;(socket as OwnedSocket).attempt = this
      socket.on('connect', onConnect)
      socket.on('error', onError)
      this.prepare(socket)
      const { port, localAddress, localPort } = endpoint
      socket.connect({ host: scoped(endpoint), port, localAddress, localPort })
      process.nextTick(afterConnect, this, socket)
    } catch (error) {
      this.notBegun(error as Error)
    }
  }

  /** Adds listeners to a new socket. */
  protected prepare(_socket: Socket): void {
    // Most have none.
  }

  connected(): void {
    if (this.over) return
    this.isConnected = true
    this.established()
  }

  /** The connection is there. */
  protected abstract established(): void

  notBegun(error: Error): void {
    this.answer(notBegun(CONNECTION, error))
  }

  broken(error: Error): void {
    if (!this.over) this.answer(failed(CONNECTION, error))
  }

  protected missing(): string {
    return 'no connection'
  }

  /**
   * Closes with a reset. A regular close leaves an entry in TIME_WAIT for a minute: thousands of checks a second would use up the local
   * ports.
   */
  protected close(): void {
    const { socket } = this
    if (socket === undefined || socket.destroyed) return
    if (this.isConnected) socket.resetAndDestroy()
    else socket.destroy()
  }
}

class TcpAttempt extends Connecting {
  constructor(clock: RunningClock, asker: Asker, probe: TcpProbe) {
    super(clock, asker, probe.timeout)
    this.connect(probe.endpoint)
  }

  protected established(): void {
    this.answer(CONNECTED)
  }
}

const CONNECTED = good('the connection was accepted')

class TcpProbe implements Probe {
  readonly uses = 'socket'
  readonly what = 'TCP connection'

  constructor(readonly endpoint: Endpoint, readonly timeout: number) {}

  start(clock: RunningClock, asker: Asker): TcpAttempt {
    return new TcpAttempt(clock, asker, this)
  }
}

/** Good when a TCP connection is accepted. Nothing is sent. */
export const tcp = (endpoint: Endpoint, timeout: number): Probe => new TcpProbe(endpoint, timeout)
