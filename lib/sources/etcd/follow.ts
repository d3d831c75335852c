import { EventEmitter } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import type { DirectorConfiguration } from '../../configuration/index.js'
import { tell } from '../../model/tell.js'
import { EtcdClient } from './client.js'
import { readCopy, writeCopy, type Moment } from './copy.js'
import { isCompacted } from './error.js'
import { HEAD, readHead, type Head } from './head.js'
import { decoded, keysBelow, servicesBelow, type KeyRange } from './keys.js'
import { listPages, newestRevision } from './list.js'
import { revisionOf, type WatchAnswer } from './messages.js'
import { etcdSettings, keyPrefix, path } from './options.js'
import { Published, type ServicesUpdate } from './published.js'
import { Services, type Change } from './services.js'
import type { EtcdFollowerEvents, EtcdFollowerStatus, FollowOptions, Listed } from './types.js'

/** Seconds until all endpoints are tried again, doubled each time up to the second. */
const [AGAIN, LATEST] = [0.1, 2]

/** Seconds between two copies. */
const BETWEEN_COPIES = 1

/** All services at a revision. */
interface WholeList {
  changes: Change[]
  moment: Moment
  /** Who has begun to write and not ended, and the last revision before that. */
  writing?: { head: Head, base: number }
}

/** A copy of the services on disk. */
interface Copy {
  file: string
  isDue: boolean
  writing?: Promise<void>
}

/**
 * The services below a prefix of etcd, followed: an async iterable of configurations. A new one comes when something has changed; who takes
 * them slowly gets the newest. It begins at once, and ends with {@link close}, with its signal, or when its last iterator is left.
 *
 * While no member can be reached that has contact with a majority, the configuration stays as it was.
 *
 * @example
 * ```js
 * import { followEtcd } from 'ipvs/etcd'
 *
 * const follower = followEtcd({ endpoints: ['http://10.0.0.1:2379', 'http://10.0.0.2:2379'], prefix: '/ipvs' })
 * follower.on('problem', ({ key, message }) => console.error(`${key}: ${message}`))
 * for await (const configuration of follower) {
 *   console.log(configuration.services.length, follower.revisionOf(configuration), follower.status().endpoint)
 *   break
 * }
 * await follower.close()
 * ```
 */
export class EtcdFollower extends EventEmitter<EtcdFollowerEvents> implements AsyncIterable<DirectorConfiguration>, AsyncDisposable {
  readonly #client: EtcdClient
  readonly #prefix: string
  readonly #below: string
  readonly #range: KeyRange
  readonly #services: Services
  readonly #stop = new AbortController()
  readonly #copy: Copy | undefined
  /** Up to when the services are known. */
  #moment: Moment | undefined
  /** Why everything has to be listed; `undefined` while it is enough to watch. */
  #due: Listed['why'] | undefined = 'start'
  /** Whether the services are those of a history that the cluster has lost, and it has none. */
  #isEmptied = false
  #isConnected = false
  /** Changes that wait until somebody has written all of them; `undefined` while nobody does. */
  #held: Change[] | undefined
  /** Whether the keys are half of a configuration that somebody writes, and what was there before is no longer kept by etcd. */
  #isHalf = false
  /** Since when somebody writes, as was told. */
  #toldHeld: string | undefined
  /** Reasons that were told since the cluster was there last. */
  readonly #reasons = new Set<string>()
  readonly #toldProblems = new Map<string, string>()
  readonly #published = new Published()
  readonly #revisions = new WeakMap<DirectorConfiguration, number>()
  #count = 0
  /** Called at the next configuration, or at the end. */
  #waiting: (() => void)[] = []
  #iterators = 0
  readonly #running: Promise<void>

  /** @throws ArgumentError naming the option that is wrong */
  constructor(options: FollowOptions) {
    super()
    const settings = etcdSettings(options, 'the options of followEtcd', ['prefix', 'scripts', 'objections', 'copy', 'signal'])
    const file = path(options.copy, 'options.copy')
    this.#prefix = keyPrefix(options.prefix)
    this.#below = servicesBelow(this.#prefix)
    this.#range = keysBelow(this.#below)
    this.#services = new Services(this.#below, { scripts: path(options.scripts, 'options.scripts'), objections: options.objections })
    this.#copy = file === undefined ? undefined : { file, isDue: false }
    this.#client = new EtcdClient(settings)
    const { signal } = options
    const stop = (): void => this.#stop.abort()
    if (signal?.aborted === true) stop()
    signal?.addEventListener('abort', stop)
    this.#running = this.#run().finally(() => signal?.removeEventListener('abort', stop))
  }

  /** How it stands, as far as it is known without asking anybody. */
  status(): EtcdFollowerStatus {
    return {
      connected: this.#isConnected, endpoint: this.#client.endpoint, ...this.#moment !== undefined && { revision: this.#moment.revision },
      services: this.#services.count, problems: this.#services.problems(),
    }
  }

  /** The revision of etcd that a configuration is of; `undefined` for one that is not from here. */
  revisionOf(configuration: DirectorConfiguration): number | undefined {
    return this.#revisions.get(configuration)
  }

  /** The newest configuration first, then each that follows, until it is closed. */
  [Symbol.asyncIterator](): AsyncIterator<DirectorConfiguration, undefined> {
    return this.#iterate(() => {
      const configuration = this.#published.configuration()
      this.#revisions.set(configuration, this.#published.revision!)
      return configuration
    })
  }

  /**
   * All services first, then what changes in them, until it is closed. What has changed while nobody took it comes together. So the cost
   * depends on what changes, and not on how many services there are.
   *
   * @internal
   */
  updates(): AsyncIterator<ServicesUpdate, undefined> {
    const { take, leave } = this.#published.reader()
    return this.#iterate(take, leave)
  }

  #iterate<Type>(take: () => Type, leave = (): void => {}): AsyncIterator<Type, undefined> {
    let seen = 0
    let isLeft = false
    this.#iterators++
    return {
      next: async () => {
        while (seen === this.#count && !this.#stop.signal.aborted) await new Promise<void>((resolve) => { this.#waiting.push(resolve) })
        if (this.#stop.signal.aborted || isLeft) return { done: true, value: undefined }
        seen = this.#count
        return { done: false, value: take() }
      },
      return: async () => {
        if (!isLeft) {
          isLeft = true
          leave()
          if (--this.#iterators === 0) await this.close()
        }
        return { done: true, value: undefined }
      },
    }
  }

  /** Ends it. Fulfilled when its connections are closed and the last copy is written. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #tell<Name extends keyof EtcdFollowerEvents>(name: Name, ...args: EtcdFollowerEvents[Name]): void {
    tell(this, name, args)
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    await this.#loadCopy()
    let failures = 0
    while (!signal.aborted) {
      const { endpoint } = this.#client
      try {
        if (this.#due !== undefined) await this.#list(this.#due)
        // What was held comes again.
        this.#held = undefined
        for await (const answer of this.#client.watch(this.#range, this.#moment!.revision + 1, signal)) {
          if (answer.created === true) await this.#greet(answer, endpoint)
          else {
            failures = 0
            await this.#take(answer)
          }
          if (this.#due !== undefined) break
        }
      } catch (error) {
        if (signal.aborted) break
        this.#lose(error as Error)
        this.#client.moveOn(endpoint)
        if (++failures % this.#client.count > 0) continue
        this.#useCopy()
        const pause = Math.min(LATEST, AGAIN * 2 ** (failures / this.#client.count - 1))
        // All directors of a fleet have lost it at the same moment.
        await wait(pause * (1 + Math.random() / 4) * 1000, undefined, { signal }).catch(() => {})
      }
    }
    this.#isConnected = false
    this.#client.close()
    await this.#copy?.writing
    this.#wake()
    this.#tell('closed')
  }

  #lose(error: Error): void {
    this.#isConnected = false
    if (this.#reasons.has(error.message)) return
    this.#reasons.add(error.message)
    this.#tell('away', { error, endpoint: this.#client.endpoint })
  }

  /** The watch has begun. Finds out whether it is of the history that the services are from. */
  async #greet({ header }: WatchAnswer, endpoint: string): Promise<void> {
    const { revision, cluster } = this.#moment!
    const isOld = revisionOf(header.revision) < revision
    // A member may be behind. The cluster as a whole may not.
    if (header.cluster_id !== cluster || isOld && await newestRevision(this.#client, this.#range, this.#stop.signal) < revision) {
      this.#due = 'history'
      return
    }
    if (this.#isConnected) return
    this.#isConnected = true
    this.#reasons.clear()
    this.#tell('back', { endpoint, revision })
  }

  async #take({ compact_revision: compacted, events = [] }: WatchAnswer): Promise<void> {
    if (compacted !== undefined) {
      this.#due = 'compacted'
      return
    }
    if (events.length === 0) return
    if (this.#isEmptied) {
      this.#due = 'history'
      return
    }
    if (this.#isHalf) {
      const last = events.findLast(({ kv }) => decoded(kv.key) === this.#below + HEAD)
      if (last === undefined) return
      const head = last.type === 'DELETE' ? undefined : readHead(Buffer.from(last.kv.value ?? '', 'base64'))
      if (head?.state !== 'writing') this.#due = 'compacted'
      return
    }
    const changes = this.#withoutHead(events.map(({ type, kv }) => this.#changeOf(kv.key, type === 'DELETE' ? undefined : kv.value ?? '')))
    if (changes === undefined) return
    await this.#services.change(changes)
    // The revision of the last event, not of the header: that one can be ahead of events that are still to come.
    this.#moment = { ...this.#moment!, revision: revisionOf(events[events.length - 1].kv.mod_revision) }
    this.#publish()
  }

  /** The changes that may be acted on now, those included that were held; `undefined` while somebody writes more of them. */
  #withoutHead(changes: readonly Change[]): Change[] | undefined {
    const taken = this.#held ?? []
    let isHeld = this.#held !== undefined
    for (const change of changes) {
      if (change.key !== HEAD) {
        taken.push(change)
        continue
      }
      const head = change.value === undefined ? undefined : readHead(change.value)
      isHeld = head?.state === 'writing'
      if (isHeld) this.#tellHeld(head!)
    }
    this.#held = isHeld ? taken : undefined
    return isHeld ? undefined : taken
  }

  #changeOf(key: string, value: string | undefined): Change {
    return { key: decoded(key).slice(this.#below.length), value: value === undefined ? undefined : Buffer.from(value, 'base64') }
  }

  /** Reads all services, and who has begun to write and not ended. */
  async #read(at?: number): Promise<WholeList> {
    const changes: Change[] = []
    let moment: Moment | undefined
    let writing: WholeList['writing']
    for await (const { keys, revision, cluster } of listPages(this.#client, this.#range, this.#stop.signal, at)) {
      moment = { revision, cluster }
      for (const { key, value = '', mod_revision: modified } of keys) {
        const change = this.#changeOf(key, value)
        if (change.key !== HEAD) changes.push(change)
        else {
          const head = readHead(change.value!)
          if (head?.state === 'writing') writing = { head, base: head.base ?? revisionOf(modified) - 1 }
        }
      }
    }
    return { changes, moment: moment!, writing }
  }

  async #list(why: Listed['why']): Promise<void> {
    let list: WholeList
    try {
      list = await this.#read()
    } catch (error) {
      // The revision of the first page is no longer kept: the list is begun anew.
      if (isCompacted(error)) return
      throw error
    }
    const { writing } = list
    this.#isHalf = false
    if (writing !== undefined) {
      try {
        // Everything as it was before somebody began to write. What has been written since is watched from there on.
        list = await this.#read(writing.base)
      } catch (error) {
        if (!isCompacted(error)) throw error
        // That is no longer kept. Half of a configuration is better than none, and worse than the one before.
        if (this.#services.count > 0) return this.#awaitWhole(writing.head, list.moment)
      }
    }
    const { changes, moment } = list
    const before = this.#moment
    const { revision, cluster } = this.#moment = moment
    const isLost = this.#isEmptied || before !== undefined && (cluster !== before.cluster || revision < before.revision)
    this.#due = undefined
    if (isLost && changes.length === 0 && this.#services.count > 0) {
      if (!this.#isEmptied) this.#tell('emptied', { endpoint: this.#client.endpoint, services: this.#services.count })
      this.#isEmptied = true
      if (this.#count === 0) this.#publish()
      return
    }
    this.#isEmptied = false
    const there = new Set(changes.map(({ key }) => key))
    const gone = [...this.#services.keys()].filter((key) => !there.has(key)).map((key) => ({ key, value: undefined }))
    await this.#services.change([...gone, ...changes])
    this.#tell('listed', { why, revision, keys: changes.length })
    this.#publish()
  }

  /** Keeps everything as it is until somebody has written the rest, and lists it then. */
  #awaitWhole(head: Head, moment: Moment): void {
    if (this.#count === 0) this.#publish()
    this.#moment = moment
    this.#due = undefined
    this.#isHalf = true
    this.#tellHeld(head)
  }

  #tellHeld({ by, since }: Head): void {
    if (this.#toldHeld === since) return
    this.#toldHeld = since
    this.#tell('held', { by, since })
  }

  /** Hands out what has changed, and tells what has become of problems. */
  #publish(): void {
    const problems = this.#services.problems()
    const keys = new Set(problems.map(({ key }) => key))
    for (const key of [...this.#toldProblems.keys()]) {
      if (keys.has(key)) continue
      this.#toldProblems.delete(key)
      this.#tell('solved', { key })
    }
    for (const problem of problems) {
      if (this.#toldProblems.get(problem.key) === problem.message) continue
      this.#toldProblems.set(problem.key, problem.message)
      this.#tell('problem', problem)
    }
    this.#published.add(this.#services.changed(), this.#moment!.revision)
    this.#count++
    this.#wake()
    this.#keepCopy()
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  async #loadCopy(): Promise<void> {
    if (this.#copy === undefined) return
    const { file } = this.#copy
    try {
      const read = await readCopy(file, this.#prefix)
      if (read === undefined) return
      await this.#services.change(read.changes)
      this.#moment = read.moment
    } catch (error) {
      this.#tell('uncopied', { file, error: error as Error })
    }
  }

  /** Falls back on the copy, if nothing is in use yet. */
  #useCopy(): void {
    if (this.#count > 0 || this.#copy === undefined || this.#moment === undefined) return
    this.#publish()
    this.#tell('copied', { file: this.#copy.file, revision: this.#moment.revision })
  }

  /** Writes a copy, now or after the one that is being written. */
  #keepCopy(): void {
    if (this.#copy === undefined) return
    this.#copy.isDue = true
    this.#copy.writing ??= this.#writeCopies(this.#copy).finally(() => { this.#copy!.writing = undefined })
  }

  async #writeCopies(copy: Copy): Promise<void> {
    const { signal } = this.#stop
    while (copy.isDue) {
      copy.isDue = false
      try {
        await writeCopy(copy.file, this.#prefix, this.#moment!, [...this.#services.goodValues()])
      } catch (error) {
        this.#tell('uncopied', { file: copy.file, error: error as Error })
      }
      await wait(BETWEEN_COPIES * 1000, undefined, { signal }).catch(() => {})
    }
  }
}

/**
 * Follows the services below a prefix of etcd.
 *
 * @throws ArgumentError naming the option that is wrong
 *
 * @example
 * ```js
 * import { followEtcd } from 'ipvs/etcd'
 *
 * const stop = new AbortController()
 * const options = { endpoints: ['http://10.0.0.1:2379'], prefix: '/ipvs', copy: '/var/lib/ipvs/services.json', signal: stop.signal }
 * for await (const { services } of followEtcd(options)) {
 *   console.log(services.length)
 *   stop.abort()                                           // in production: at SIGTERM
 * }
 * ```
 */
export const followEtcd = (options: FollowOptions): EtcdFollower => new EtcdFollower(options)
