import type { Director, DirectorConfiguration } from '../../director/index.js'
import { programMistakes } from '../../director/program-mistakes.js'
import { followEtcd, type EtcdFollower } from '../../sources/etcd/index.js'
import type { Log } from './log.js'
import type { EtcdSource } from './options.js'
import { sizeWords } from './read.js'

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
  follower.on('copied', ({ file, revision }) => log({ level: 'warning', event: 'copied', message: `no member of etcd answers: directs what ${file} has, of revision ${revision}`, file, revision }))
  follower.on('uncopied', ({ file, error }) => log({ level: 'error', event: 'uncopied', message: `${file}: ${error.message}`, file }))
}

/** A director that takes its configuration from etcd, as all of its fleet do. */
export class FleetMember implements AsyncDisposable {
  readonly #follower: EtcdFollower
  readonly #log: Log
  readonly #source: EtcdSource
  #following: Promise<void> = Promise.resolve()

  constructor(source: EtcdSource, scripts: string | undefined, log: Log) {
    this.#source = source
    this.#log = log
    const { cluster, prefix, copy } = source
    this.#follower = followEtcd({
      ...cluster, prefix, objections: programMistakes, ...copy !== undefined && { copy }, ...scripts !== undefined && { scripts },
    })
    logFollower(this.#follower, log)
  }

  /**
   * Has a director do as etcd says. Fulfilled when the first configuration is in force, and what it is.
   *
   * @throws Error where the director cannot begin
   */
  async lead(director: Pick<Director, 'set'>): Promise<DirectorConfiguration | undefined> {
    const iterator = this.#follower[Symbol.asyncIterator]()
    const { done, value } = await iterator.next()
    if (done === true) return undefined
    await director.set(value)
    this.#following = this.#follow(director, iterator)
    return value
  }

  async #follow(director: Pick<Director, 'set'>, iterator: AsyncIterator<DirectorConfiguration, undefined>): Promise<void> {
    for (;;) {
      const { done, value } = await iterator.next()
      if (done === true) return
      const revision = this.#follower.revisionOf(value)!
      const inForce = director.set(value).then(
        () => this.#log({ level: 'info', event: 'configuration', message: `directs ${sizeWords(value)} of ${this.#source.prefix}, as of revision ${revision}`, revision }),
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#follower.close()
    await this.#following
  }
}
