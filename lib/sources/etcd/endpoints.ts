import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Agent as PlainAgent, type Agent } from 'node:http'
import { Agent as SecureAgent } from 'node:https'
import { connectionError, type Place } from './gateway.js'
import type { EtcdTls } from './types.js'

/** Sockets to an endpoint that are open at once, at most. */
const SOCKETS = 16

/**
 * The same endpoints in the same order, round, from one on that a name chooses. Programs with the same list and names of their own do not
 * all use the first member of a cluster.
 */
export function startingBy(name: string, endpoints: readonly string[]): string[] {
  const at = createHash('sha256').update(name).digest().readUInt32BE() % Math.max(1, endpoints.length)
  return [...endpoints.slice(at), ...endpoints.slice(0, at)]
}

/**
 * The endpoints of a cluster, one of which is in use. Certificates are read when an endpoint comes into use, so renewed ones count after
 * the next failure.
 */
export class Endpoints {
  readonly #all: readonly string[]
  readonly #tls: EtcdTls | undefined
  #at = 0
  #place: Place | undefined

  constructor(all: readonly string[], tls: EtcdTls | undefined) {
    this.#all = all
    this.#tls = tls
  }

  get count(): number {
    return this.#all.length
  }

  get endpoint(): string {
    return this.#all[this.#at]
  }

  /** @throws EtcdError where a certificate cannot be read */
  place(): Place {
    return this.#place ??= { endpoint: this.endpoint, agent: this.#agent() }
  }

  /** Goes on to the next endpoint, unless somebody else has done so since. */
  moveOn(from: string): void {
    if (from !== this.endpoint) return
    this.close()
    this.#at = (this.#at + 1) % this.#all.length
  }

  /** Closes its connections. Requests under way fail. */
  close(): void {
    this.#place?.agent.destroy()
    this.#place = undefined
  }

  #agent(): Agent {
    if (!this.endpoint.startsWith('https:')) return new PlainAgent({ keepAlive: true, maxSockets: SOCKETS })
    const { authorities, certificate, key, passphrase, serverName } = this.#tls ?? {}
    const read = (path: string | undefined): Buffer | undefined => path === undefined ? undefined : readFileSync(path)
    try {
      return new SecureAgent({
        keepAlive: true, maxSockets: SOCKETS,
        ca: read(authorities), cert: read(certificate), key: read(key), passphrase, servername: serverName,
      })
    } catch (error) {
      throw connectionError(error, this.endpoint)
    }
  }
}
