import { EventEmitter } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { tell } from '../../model/tell.js'
import { EtcdClient } from './client.js'
import { EtcdError, GRPC } from './error.js'
import { encoded } from './keys.js'
import type { RangeAnswer } from './messages.js'
import type { EtcdSettings } from './options.js'
import { waitToRetry } from './retry.js'

/** Events of {@link LeasedKeys} and their arguments. */
export interface LeasedKeysEvents {
  /** All keys are there, for as long as the lease: for the first time, or anew. */
  there: [{ endpoint: string }]
  /** The lease had ended, because etcd could not be reached in time. */
  lost: []
  /** etcd cannot be reached, or refuses: once for each reason, until it works again. */
  away: [{ error: Error, endpoint: string }]
  /** A key is there already under another lease, which is left as it is. */
  foreign: [{ key: string }]
}

/**
 * Keys that are there for as long as this program is: they are under a lease, which etcd ends when it has not heard of it for `ttl`
 * seconds. While etcd is away it goes on trying. Where the lease has ended meanwhile, another one is granted and the keys are put anew.
 */
export class LeasedKeys extends EventEmitter<LeasedKeysEvents> {
  readonly #client: EtcdClient
  readonly #ttl: number
  readonly #stop = new AbortController()
  readonly #wanted = new Map<string, string>()
  /** Keys whose value has to be written; those that are wanted no longer are deleted. */
  readonly #due = new Set<string>()
  readonly #foreign = new Set<string>()
  readonly #reasons = new Set<string>()
  #lease: string | undefined
  /** When the lease was kept alive last, as of `performance.now()`. */
  #kept = 0
  #isThere = false
  #wake = (): void => {}
  readonly #running: Promise<void>

  /** @param ttl seconds, as a whole number */
  constructor(settings: EtcdSettings, ttl: number) {
    super()
    // A member that stands still must not cost the lease.
    this.#client = new EtcdClient({ ...settings, timeout: Math.min(settings.timeout, ttl / 4) })
    this.#ttl = ttl
    this.#running = this.#run()
  }

  /** Has a key this value from now on. */
  set(key: string, value: string): void {
    if (this.#wanted.get(key) === value) return
    this.#wanted.set(key, value)
    this.#due.add(key)
    this.#wake()
  }

  /** Ends the lease, and with it the keys. Returns whether etcd has heard of it; otherwise they go when the lease ends. */
  async close(): Promise<boolean> {
    this.#stop.abort()
    this.#wake()
    await this.#running
    try {
      if (this.#lease !== undefined) await this.#client.call('lease/revoke', { ID: this.#lease })
      return true
    } catch (error) {
      // It has ended by itself.
      return error instanceof EtcdError && error.grpc === GRPC.notFound
    } finally {
      this.#client.close()
    }
  }

  #tell<Name extends keyof LeasedKeysEvents>(name: Name, ...args: LeasedKeysEvents[Name]): void {
    tell(this, name, args)
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    let failures = 0
    while (!signal.aborted) {
      const woken = new Promise<void>((resolve) => { this.#wake = resolve })
      try {
        await this.#keep(signal)
        await this.#write(signal)
        failures = 0
        this.#reasons.clear()
        if (!this.#isThere && this.#wanted.size > 0) {
          this.#isThere = true
          this.#tell('there', { endpoint: this.#client.endpoint })
        }
        await this.#rest(woken)
      } catch (error) {
        if (signal.aborted) break
        if (error instanceof EtcdError && error.grpc === GRPC.notFound) this.#lose()
        else {
          this.#fail(error as Error)
          await waitToRetry(failures++, signal)
        }
      }
    }
  }

  /** Waits until the lease has to be kept alive again, or there is something to write. */
  async #rest(woken: Promise<void>): Promise<void> {
    if (this.#due.size > 0) return
    const { signal } = this.#stop
    const rested = new AbortController()
    const due = Math.max(0, this.#kept + this.#ttl * 1_000 / 3 - performance.now())
    await Promise.race([woken, wait(due, undefined, { signal: AbortSignal.any([signal, rested.signal]) }).catch(() => {})])
    rested.abort()
  }

  #lose(): void {
    this.#lease = undefined
    if (this.#isThere) this.#tell('lost')
    this.#isThere = false
    for (const key of this.#wanted.keys()) this.#due.add(key)
  }

  #fail(error: Error): void {
    if (this.#reasons.has(error.message)) return
    this.#reasons.add(error.message)
    this.#tell('away', { error, endpoint: this.#client.endpoint })
  }

  /** Has a lease, and looks whether the keys are there where it is time for that. */
  async #keep(signal: AbortSignal): Promise<void> {
    const begun = performance.now()
    if (this.#lease === undefined) {
      const { ID } = await this.#client.call<{ ID: string }>('lease/grant', { TTL: String(this.#ttl) }, signal)
      this.#lease = ID
      this.#kept = begun
      return
    }
    if (begun < this.#kept + this.#ttl * 1_000 / 3) return
    const { result } = await this.#client.call<{ result?: { TTL?: string } }>('lease/keepalive', { ID: this.#lease }, signal)
    // Of a lease that has ended there are no seconds left.
    if (result?.TTL === undefined || result.TTL === '0') {
      this.#lose()
      return this.#keep(signal)
    }
    this.#kept = begun
    for (const key of this.#wanted.keys()) await this.#look(key, signal)
  }

  /** Puts a key anew that somebody has deleted. One that is there under another lease is left as it is. */
  async #look(key: string, signal: AbortSignal): Promise<void> {
    const { kvs = [] } = await this.#client.call<RangeAnswer>('kv/range', { key: encoded(key), keys_only: true }, signal)
    const isForeign = kvs.length > 0 && kvs[0].lease !== this.#lease
    if (kvs.length === 0) this.#due.add(key)
    else if (isForeign && !this.#foreign.has(key)) this.#tell('foreign', { key })
    if (isForeign) this.#foreign.add(key)
    else this.#foreign.delete(key)
  }

  async #write(signal: AbortSignal): Promise<void> {
    for (const key of [...this.#due]) {
      this.#due.delete(key)
      try {
        await this.#client.call('kv/put', { key: encoded(key), value: encoded(this.#wanted.get(key)!), lease: this.#lease }, signal)
      } catch (error) {
        this.#due.add(key)
        throw error
      }
    }
  }
}
