import { EtcdError, GRPC } from './error.js'
import { ask, type Place } from './gateway.js'

/** The name of a user, and how the password is found. */
export interface Login {
  name: string
  password: string | (() => string | Promise<string>)
}

/** Whether a request failed because its token is no longer known. etcd has several words for it. */
export const isTokenEnded = (error: unknown): boolean => error instanceof EtcdError && (
  error.grpc === GRPC.unauthenticated
  || error.grpc === GRPC.invalidArgument && /user name is empty|revision of auth store is old/.test(error.words)
)

/** The token of a user. It is asked for when it is needed, and again when it has ended. */
export class Authentication {
  readonly #login: Login
  #token: Promise<string | undefined> | undefined

  constructor(login: Login) {
    this.#login = login
  }

  /** The token; `undefined` where etcd has authentication switched off. */
  async token(place: Place, timeout: number, signal?: AbortSignal): Promise<string | undefined> {
    const asked = this.#token ??= this.#authenticate(place, timeout, signal)
    try {
      return await asked
    } catch (error) {
      this.#forget(asked)
      throw error
    }
  }

  /** Makes the next request ask for another token. */
  end(): void {
    this.#token = undefined
  }

  #forget(token: Promise<string | undefined>): void {
    if (this.#token === token) this.#token = undefined
  }

  async #authenticate(place: Place, timeout: number, signal?: AbortSignal): Promise<string | undefined> {
    const { name, password } = this.#login
    const body = { name, password: typeof password === 'string' ? password : await password() }
    try {
      return (await ask<{ token: string }>(place, 'auth/authenticate', body, timeout, { signal })).token
    } catch (error) {
      if (error instanceof EtcdError && error.grpc === GRPC.failedPrecondition && error.words.includes('not enabled')) return undefined
      throw error
    }
  }
}
