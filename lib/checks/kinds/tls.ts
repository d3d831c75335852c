import type { Socket } from 'node:net'
import { connect as connectTls, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls'
import { bad, good, type Answer } from '../answer.js'
import type { Asker, Probe } from '../attempt.js'
import type { RunningClock } from '../clock.js'
import type { Endpoint } from '../endpoint.js'
import { Connecting } from './tcp.js'

/** How TLS is spoken. */
export interface Security {
  /**
   * Name for Server Name Indication, and the one that the certificate is verified for. Without it none is sent, and the address has to be
   * in the certificate.
   */
  serverName?: string
  /** Whether the certificate's chain, dates and name are verified. */
  verify: boolean
  /** Authorities to trust instead of Node's own, in PEM. */
  authorities?: string
  /** Certificate of the client, in PEM. */
  certificate?: string
  /** Its key, in PEM. */
  key?: string
  passphrase?: string
}

/** Making one takes milliseconds, and the checks of a thousand servers have the same. */
const contexts = new Map<string, SecureContext>()

/**
 * The keys and certificates of TLS, ready for use.
 *
 * @throws Error of OpenSSL, where a key or a certificate is none
 */
export function contextOf({ authorities, certificate, key, passphrase }: Security): SecureContext {
  const id = JSON.stringify([authorities, certificate, key, passphrase])
  let context = contexts.get(id)
  if (context === undefined) {
    context = createSecureContext({ ca: authorities, cert: certificate, key, passphrase })
    contexts.set(id, context)
  }
  return context
}

/** Begins TLS on a connection. */
export const secure = (socket: Socket, address: string, context: SecureContext, { serverName, verify }: Security): TLSSocket =>
  connectTls({ socket, secureContext: context, servername: serverName ?? '', host: address, rejectUnauthorized: verify })

/** Codes of certificates that are not valid, as OpenSSL and Node name them. */
const CERTIFICATE = /CERT|CRL|CHAIN|ISSUER|SIGNATURE|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|PATH_LENGTH/

/** What is wrong with a certificate, or a handshake. */
export function handshakeFailure(error: Error & { code?: string, reason?: string }): Answer {
  const { code = '', reason, message } = error
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return bad(`the certificate is for another name: ${reason ?? message}`)
  if (code === 'ECONNRESET' || code === 'EPIPE') return bad('the connection was closed during the TLS handshake')
  if (!code.startsWith('ERR_SSL') && CERTIFICATE.test(code)) return bad(`the certificate is not valid: ${message} (${code})`)
  return bad(`the TLS handshake failed: ${reason ?? message}`)
}

const HALF_OPEN = { allowHalfOpen: true }

class TlsAttempt extends Connecting {
  readonly #endpoint: Endpoint
  readonly #context: SecureContext
  readonly #security: Security
  #secured: TLSSocket | undefined

  constructor(clock: RunningClock, asker: Asker, timeout: number, endpoint: Endpoint, context: SecureContext, security: Security) {
    super(clock, asker, timeout)
    this.#endpoint = endpoint
    this.#context = context
    this.#security = security
    this.connect(endpoint, HALF_OPEN)
  }

  protected established(): void {
    const secured = secure(this.socket!, this.#endpoint.address, this.#context, this.#security)
    this.#secured = secured
    secured.on('secureConnect', () => {
      // A server that is cut off in the middle of a handshake complains in its log.
      secured.destroySoon()
      this.answer(good(`the TLS handshake was done with ${secured.getProtocol()}`))
    })
    secured.on('error', (error: Error) => this.answer(handshakeFailure(error)))
    secured.on('close', () => this.answer(CLOSED))
  }

  override broken(error: Error): void {
    if (this.#secured === undefined) super.broken(error)
    else this.answer(handshakeFailure(error))
  }

  protected override missing(): string {
    return this.isConnected ? 'no TLS session' : 'no connection'
  }

  protected override close(): void {
    if (this.#secured?.writableEnded === true) return
    this.#secured?.destroy()
    super.close()
  }
}

const CLOSED = bad('the connection was closed during the TLS handshake')

/** Good when a TLS handshake succeeds. Nothing is asked. */
export const tls = (endpoint: Endpoint, { security, timeout }: { security: Security, timeout: number }): Probe => {
  const context = contextOf(security)
  return {
    uses: 'socket',
    timeout,
    what: 'TLS handshake',
    start: (clock, asker) => new TlsAttempt(clock, asker, timeout, endpoint, context, security),
  }
}
