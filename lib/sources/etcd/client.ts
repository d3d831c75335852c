import { Authentication, isTokenEnded } from './authentication.js'
import { Endpoints } from './endpoints.js'
import { EtcdError, GRPC, mayPass } from './error.js'
import { ask, type Place } from './gateway.js'
import type { KeyRange } from './keys.js'
import type { WatchAnswer } from './messages.js'
import type { EtcdSettings } from './options.js'
import { watchStream } from './stream.js'

/** Requests to a cluster: the next endpoint is asked where one is away, and a token that has ended is replaced. */
export class EtcdClient {
  readonly #endpoints: Endpoints
  readonly #authentication: Authentication | undefined
  readonly #timeout: number
  readonly #heartbeat: number

  constructor({ endpoints, tls, login, timeout, heartbeat }: EtcdSettings) {
    this.#endpoints = new Endpoints(endpoints, tls)
    this.#authentication = login === undefined ? undefined : new Authentication(login)
    this.#timeout = timeout
    this.#heartbeat = heartbeat
  }

  /** The endpoint in use. */
  get endpoint(): string {
    return this.#endpoints.endpoint
  }

  /** How many endpoints there are. */
  get count(): number {
    return this.#endpoints.count
  }

  /**
   * Asks one endpoint after another until one answers. A request can be carried out twice, where the answer to it was lost.
   *
   * @throws EtcdError if etcd refuses, or no endpoint answers
   */
  async call<Answer>(path: string, body: object, signal?: AbortSignal): Promise<Answer> {
    let failure: unknown
    for (let tried = 0; tried < this.#endpoints.count; tried++) {
      const from = this.endpoint
      try {
        return await this.#authenticated((place, token) => ask<Answer>(place, path, body, this.#timeout, { token, signal }), signal)
      } catch (error) {
        signal?.throwIfAborted()
        failure = error
        if (!mayPass(error)) throw error
        this.moveOn(from)
      }
    }
    throw failure
  }

  /**
   * Watches a range of keys at the endpoint in use.
   *
   * @throws EtcdError when the endpoint is away, or refuses. Nothing is tried again
   */
  async* watch(range: KeyRange, revision: number, signal: AbortSignal): AsyncGenerator<WatchAnswer> {
    const place = this.#endpoints.place()
    const token = await this.#authentication?.token(place, this.#timeout, signal)
    for await (const answer of watchStream(place, range, revision, { token, signal, timeout: this.#timeout, heartbeat: this.#heartbeat })) {
      if (answer.canceled === true && answer.compact_revision === undefined) {
        // A token that is no longer known is a permission that is missing here.
        this.#authentication?.end()
        throw new EtcdError(place.endpoint, answer.cancel_reason ?? 'ended the watch', { grpc: GRPC.unavailable })
      }
      yield answer
    }
  }

  /** Goes on to the next endpoint, unless somebody else has done so since. */
  moveOn(from: string): void {
    this.#endpoints.moveOn(from)
  }

  /** Closes its connections. */
  close(): void {
    this.#endpoints.close()
  }

  async #authenticated<Answer>(send: (place: Place, token?: string) => Promise<Answer>, signal?: AbortSignal): Promise<Answer> {
    const place = this.#endpoints.place()
    if (this.#authentication === undefined) return send(place)
    try {
      return await send(place, await this.#authentication.token(place, this.#timeout, signal))
    } catch (error) {
      if (!isTokenEnded(error)) throw error
      this.#authentication.end()
      return send(place, await this.#authentication.token(place, this.#timeout, signal))
    }
  }
}

