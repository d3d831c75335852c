import { checkConfiguration } from '../../configuration/index.js'
import { completeConfiguration, completeServices } from '../../configuration/complete.js'
import type { Agreement, Director, DirectorConfiguration } from '../../director/index.js'
import { canonicalKey } from '../../director/keys.js'
import { machineMistakes } from '../../director/machine-mistakes.js'
import type { Ipvs } from '../../ipvs.js'
import { serviceId } from '../../model/keys.js'
import type { ServiceKey } from '../../model/types.js'
import { followEtcd, type EtcdFollower } from '../../sources/etcd/index.js'
import type { ServicesUpdate } from '../../sources/etcd/published.js'
import { FleetHealth } from './fleet-health.js'
import type { Log } from './log.js'
import type { EtcdSource } from './options.js'
import { countWords } from './read.js'
import { digestOf } from './table-digest.js'

/** Milliseconds that a configuration is waited for to be in force, before the next one is taken: by then a fault keeps it from that. */
const PATIENCE = 5_000

/** Writes what a follower tells into a log. */
function logFollower(follower: EtcdFollower, log: Log): void {
  follower.on('problem', ({ key, message }) => log({ level: 'error', event: 'problem', message: `${key}: ${message}. What it stands for stays as it was`, key, problem: message }))
  follower.on('solved', ({ key }) => log({ level: 'info', event: 'solved', message: `${key}: has no mistake any more`, key }))
  follower.on('away', ({ error, endpoint }) => log({ level: 'warning', event: 'etcd-away', message: `etcd cannot be read, and everything stays as it is: ${error.message}`, endpoint }))
  follower.on('back', ({ endpoint, revision }) => log({ level: 'info', event: 'etcd-back', message: `follows etcd at ${endpoint} from revision ${revision}`, endpoint, revision }))
  follower.on('listed', ({ why, revision, keys }) => {
    const reason = { start: '', compacted: ', because revisions since the last one seen are compacted', history: ', because the cluster has another history' }[why]
    log({ level: 'info', event: 'etcd-listed', message: `read ${keys} keys at revision ${revision}${reason}`, why, revision, keys })
  })
  follower.on('emptied', ({ endpoint, services }) => log({
    level: 'error', event: 'etcd-emptied', message: `${endpoint} was set up anew and has no service: ${services} services stay until there is one`, endpoint, services,
  }))
  follower.on('held', ({ by, since }) => log({
    level: 'warning', event: 'held', message: `${by} has been writing a configuration since ${since}: everything stays as it is until all of it is written`, by, since,
  }))
  follower.on('copied', ({ file, revision }) => log({ level: 'warning', event: 'copied', message: `no member of etcd answers: directs what ${file} has, of revision ${revision}`, file, revision }))
  follower.on('uncopied', ({ file, error }) => log({ level: 'error', event: 'uncopied', message: `${file}: ${error.message}`, file }))
}

/** Milliseconds after a change until the table is summed up for others, and how many times as long as that takes itself. */
const [GATHER, SHARE] = [500, 20]
/** Milliseconds between two such sums: each is a write to etcd, by each director. */
const SPACING = 5_000

/** A director that takes its configuration from etcd, as all of its fleet do, and agrees with them on which destinations are up. */
export class FleetMember implements AsyncDisposable {
  readonly #follower: EtcdFollower
  readonly #health: FleetHealth
  readonly #log: Log
  readonly #source: EtcdSource
  #following: Promise<void> = Promise.resolve()
  /** How many destinations each service has, by what tells services apart. */
  readonly #sizes = new Map<string, number>()
  /** How many all services have together. */
  #destinations = 0
  /** The revision that is in force. */
  #revision: number | undefined
  #summing: NodeJS.Timeout | undefined
  /** When the table was summed up last, as of `performance.now()`. */
  #summed = -Infinity
  /** Milliseconds that it took last to sum the table up. */
  #took = 0
  #isEnded = false

  constructor(source: EtcdSource, scripts: string | undefined, log: Log) {
    this.#source = source
    this.#log = log
    const { cluster, prefix, copy } = source
    this.#follower = followEtcd({
      ...cluster, prefix, objections: machineMistakes, ...copy !== undefined && { copy }, ...scripts !== undefined && { scripts },
    })
    logFollower(this.#follower, log)
    this.#health = new FleetHealth(source, source, log)
  }

  /** What the director has to know of the others. */
  get agreement(): Agreement {
    return this.#health.agreement
  }

  /**
   * Has a director do as etcd says, with what is this machine's own. Fulfilled when the first configuration is in force, with what it is.
   *
   * @throws Error where the director cannot begin
   */
  async lead(
    director: Director, ipvs: Ipvs, adapt: (configuration: DirectorConfiguration) => DirectorConfiguration,
  ): Promise<DirectorConfiguration | undefined> {
    const updates = this.#follower.updates()
    const { done, value } = await updates.next()
    if (done === true) return undefined
    await this.#health.heard
    if (this.#isEnded) return undefined
    const { services, revision } = value
    const configuration = adapt({ services })
    // The values of keys have been checked one by one.
    checkConfiguration({ ...configuration, services: [] })
    this.#count(value)
    await director.take(completeConfiguration(configuration))
    this.#revision = revision
    this.#health.vote(director)
    const sumUp = (): void => this.#sumUp(ipvs)
    director.on('applied', sumUp)
    director.on('converged', sumUp)
    sumUp()
    this.#following = this.#follow(director, updates)
    return configuration
  }

  async #follow(director: Director, updates: AsyncIterator<ServicesUpdate, undefined>): Promise<void> {
    for (;;) {
      const { done, value } = await updates.next()
      if (done === true) return
      const { services, removed, revision } = value
      this.#count(value)
      const words = countWords(this.#sizes.size, this.#destinations)
      const inForce = director.update({ services: completeServices(services), removed }).then(
        () => {
          this.#revision = revision
          this.#log({ level: 'info', event: 'configuration', message: `directs ${words} of ${this.#source.prefix}, as of revision ${revision}`, revision })
        },
        // What is wrong is told by the event 'failed'.
        () => {},
      )
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, PATIENCE)
        void inForce.finally(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  /** Counts services and destinations that come and go. */
  #count({ services, removed }: ServicesUpdate): void {
    const count = (service: ServiceKey, size: number | undefined): void => {
      const id = serviceId(canonicalKey(service))
      this.#destinations += (size ?? 0) - (this.#sizes.get(id) ?? 0)
      if (size === undefined) this.#sizes.delete(id)
      else this.#sizes.set(id, size)
    }
    for (const service of removed) count(service, undefined)
    for (const service of services) count(service, service.destinations?.length ?? 0)
  }

  /** Tells the others what the table is like, soon after it has changed last. */
  #sumUp(ipvs: Ipvs): void {
    if (this.#isEnded || this.#summing !== undefined) return
    this.#summing = setTimeout(() => {
      this.#summing = undefined
      this.#summed = performance.now()
      const revision = this.#revision!
      const begun = performance.now()
      void (async () => {
        const digest = await digestOf(await ipvs.snapshot(), (id) => this.#sizes.has(id))
        this.#took = performance.now() - begun
        if (!this.#isEnded) this.#health.tell({ revision, ...digest })
        // Where the table cannot be read, the director tells that.
      })().catch(() => {})
    }, Math.max(GATHER, SHARE * this.#took, this.#summed + SPACING - performance.now()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnded = true
    clearTimeout(this.#summing)
    await this.#health[Symbol.asyncDispose]()
    await this.#follower.close()
    await this.#following
  }
}
