import { EventEmitter } from 'node:events'
import { fstatSync, statSync, type Stats } from 'node:fs'
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { Checker, type CheckerOptions, type CheckerStatus, type CheckTrouble, type HealthChange } from '../checks/index.js'
import { ConfigurationError } from '../configuration/error.js'
import {
  completeConfiguration, type CompleteConfiguration, type CompleteProgram, type CompleteService, type CompleteUpdate,
} from '../configuration/complete.js'
import type { DirectorConfiguration } from '../configuration/types.js'
import { checkConfiguration } from '../configuration/validate.js'
import type { Ipvs } from '../ipvs.js'
import { closedError } from '../model/errors.js'
import type { DestinationKey, ListedTable, Persistence, ServiceKey } from '../model/types.js'
import { hasMark, keyOf, serviceId } from '../model/keys.js'
import { tell } from '../model/tell.js'
import { connectionsGone } from '../state/draining.js'
import type { Reconciler } from '../state/reconcile.js'
import type { InForce } from '../state/wanted.js'
import { Directed, type Known } from './directed.js'
import { canonicalKey, endpointId } from './keys.js'
import { machineMistakes } from './machine-mistakes.js'
import { Holder } from './holder.js'
import { directorSettings, heldAddresses, type DirectorSettings } from './options.js'
import { Memory, memoryFile } from './memory.js'
import { Programs } from './programs.js'
import type { DestinationChange, Drained, DirectorEvents, DirectorOptions, DirectorStatus } from './types.js'

/** Seconds until the table is read again where that failed at the start, doubled each time up to the second. */
const [AGAIN, LATEST] = [0.5, 60]
/** How connections are waited for that were there before the director began, where `drain` is false. */
const PATIENCE = { until: 'all', timeout: 300, interval: 0.25 } as const
/** Seconds that connections of the fallback of a persistent service are waited for, at most. */
const FALLBACK_PATIENCE = 5

type Listed = ListedTable['services'][number]

/** Prevents an unhandled rejection if nobody awaits it. */
function quiet<Type>(promise: Promise<Type>): Promise<Type> {
  promise.catch(() => {})
  return promise
}

/** What tells the network namespace of a handle, and of this process, from others. */
function namespacesOf({ namespace }: Ipvs): { there: string, here: string } {
  const text = ({ dev, ino }: Stats): string => `${dev}:${ino}`
  const here = text(statSync('/proc/self/ns/net'))
  return { there: namespace < 0 ? here : text(fstatSync(namespace)), here }
}

/**
 * The descriptor of a handle's network namespace, where it is another one than the process's: to check from there takes a capability more.
 */
function otherNamespace(ipvs: Ipvs): number | undefined {
  const { there, here } = namespacesOf(ipvs)
  return there === here ? undefined : ipvs.namespace
}

/** Destinations that the checks' thread is asked about at once. */
const SLICE = 500
/** New services of which the table is asked one by one; where there are more, it is read whole. */
const FEW = 100
/** A program is asked of no address. */
const NOWHERE = { address: '0.0.0.0', port: 0 }
/** The name that a director has in its network namespace. */
const ONLY_ONE = 'ipvs-director'

/** @throws Error with the code 'ERR_IPVS_DIRECTOR_RUNS' where another director runs in the network namespace */
async function startChecker(options: CheckerOptions): Promise<Checker> {
  try {
    return await Checker.start(options)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code !== 'EADDRINUSE') throw error
    throw Object.assign(new Error(`Another director runs here, and two would undo each other's work: ${message}`), { code: 'ERR_IPVS_DIRECTOR_RUNS' })
  }
}

/** What the checks of a service's destinations are called by. */
const idsOf = ({ known }: Directed): string[] => known.map(({ id }) => id)

/** A configuration on its way. */
interface Accepted {
  /** Fulfilled when the director does as it says. */
  taken: Promise<void>
  /** Fulfilled when the table is as it says. */
  inForce: Promise<InForce>
}

/**
 * A load balancer that runs by itself: it checks the destinations of a configuration, and keeps the kernel's table as it should be for
 * that.
 *
 * It begins with the table that is there: what its services have is up until the checks say otherwise. It removes only services that its
 * configurations have named, or that `owns` or `prune` say are its own. It keeps the process alive until it is closed.
 *
 * A network namespace has one director at a time: `set()` and `inForce()` of a second one reject with the code 'ERR_IPVS_DIRECTOR_RUNS',
 * and it changes nothing. It can be told again when the first has ended.
 *
 * @example
 * ```js
 * import { Ipvs } from 'ipvs'
 * import { Director } from 'ipvs/director'
 *
 * const ipvs = await Ipvs.open()
 * const web = (...servers) => ({
 *   protocol: 'tcp', address: '192.0.2.1', port: 80, checks: [{ type: 'tcp' }],
 *   destinations: servers.map((address) => ({ address, port: 80 })),
 * })
 * const director = new Director({ ipvs, configuration: { services: [web('10.0.0.2', '10.0.0.3')] } })
 * director.on('down', ({ destination, words }) => console.log(destination.address, words))
 * await director.inForce()
 * await director.set({ services: [web('10.0.0.3', '10.0.0.4')] })
 * director.watchAddresses(['192.0.2.1'])
 * for (const { service, destinations } of director.status().services) console.log(service, destinations.length)
 * console.log(await director.checks())
 * await director.close({ remove: true })
 * await ipvs.close()
 * ```
 */
export class Director extends EventEmitter<DirectorEvents> implements AsyncDisposable {
  readonly #ipvs: Ipvs
  readonly #settings: DirectorSettings
  readonly #reconciler: Reconciler
  readonly #programs = new Programs((check) => this.#checker!.check(NOWHERE, check))
  readonly #stop = new AbortController()
  /** What is directed, by what tells services apart. */
  readonly #services = new Map<string, Directed>()
  /** Destinations by what their checks are called by. */
  readonly #known = new Map<string, { directed: Directed, known: Known }>()
  /**
   * Services that a configuration has named since the director began, and those that are remembered from before, by what tells services
   * apart.
   */
  readonly #named = new Map<string, ServiceKey>()
  readonly #memory: Memory | undefined
  /** Whether the file has all of them. */
  #isRemembered = false
  readonly #ids = new WeakMap<CompleteService, string>()
  readonly #holder: Holder
  /** Addresses that move between directors, where they are others than the services'. */
  #addresses: readonly string[] | undefined
  #rest: Pick<CompleteConfiguration, 'timeouts' | 'daemons'> = {}
  #checker: Checker | undefined
  /** Configurations are taken one after another. */
  #taking: Promise<unknown> = Promise.resolve()
  #inForce: Promise<InForce> | undefined
  /** Whether a configuration is in force. */
  #isInForce = false
  #looked: number | undefined
  readonly #counts: DirectorStatus['counts'] = { applied: 0, refused: 0, failed: 0, programs: { good: 0, bad: 0, untried: 0 } }
  /** Whether a configuration has been taken. */
  #begun = false
  /** As of `performance.now()`. */
  #began = 0
  /** Services of which something grows. */
  readonly #growers = new Set<Directed>()
  /** Services of which something waits for its connections to go. */
  readonly #waiting = new Set<Directed>()
  #growing: NodeJS.Timeout | undefined
  #draining: NodeJS.Timeout | undefined
  #looking: Promise<void> = Promise.resolve()
  #iterator: AsyncIterator<DirectorConfiguration> | undefined
  #closing: Promise<void> | undefined

  /**
   * @throws ArgumentError naming the option that is wrong
   * @throws ConfigurationError telling all that is wrong with the configuration
   */
  constructor(options: DirectorOptions) {
    super()
    this.#settings = directorSettings(options)
    const { ipvs, configuration, interval, jitter, backOff } = options
    const { prune, owns } = this.#settings
    const isNamed = (service: ServiceKey): boolean => this.#named.has(serviceId(service)) || owns(service)
    const isFollowed = typeof configuration === 'object' && configuration !== null && Symbol.asyncIterator in configuration
    const given = configuration === undefined || isFollowed ? undefined : this.#complete(configuration)
    this.#ipvs = ipvs
    const { remember } = this.#settings
    if (remember !== false) {
      const { there } = namespacesOf(ipvs)
      this.#memory = new Memory(remember === true ? memoryFile(there) : remember, there)
    }
    this.#addresses = this.#settings.addresses
    this.#holder = this.#watchHolding()
    this.#reconciler = ipvs.reconcile(undefined, {
      interval,
      jitter,
      backOff,
      coalesce: 0,
      ...(prune ? { prune: 'all' } : { prune: 'owned', owns: isNamed }),
    })
    this.#reconciler.on('applied', (result) => {
      this.#looked = Date.now()
      this.#counts.applied += result.done
      this.#counts.refused += result.refused.length
      this.#tell('applied', result)
    })
    this.#reconciler.on('converged', (state) => {
      this.#looked = Date.now()
      this.#tell('converged', state)
    })
    this.#reconciler.on('failed', ({ error, result, retryIn }) =>
      this.#tellFailure({ ...(error !== undefined && { error }), ...(result !== undefined && { result }), retryIn }),
    )
    this.#settings.agreement?.on('agreed', this.#judge)
    this.#settings.agreement?.departures.begin((id) => this.#known.has(id))
    if (given !== undefined) this.#accept(given)
    else if (isFollowed) this.#follow(configuration)
  }

  /**
   * Directs by another configuration from now on. Checks that are the same go on, with what they know; nothing else starts over. A
   * configuration with a mistake is refused whole, and the last good one stays in force.
   *
   * It is checked in the calling thread, which takes about a hundredth of a millisecond for each destination: a tenth of a second for
   * 10,000. (The command reads its files in a thread of their own.)
   *
   * Fulfilled when the table is as it says, or as a later one does; what drains is not waited for. Rejects with a ConfigurationError, or
   * with ERR_IPVS_CLOSED where `close()` came before. Nobody has to wait for it: a mistake is a 'failed' event too.
   */
  set(configuration: DirectorConfiguration): Promise<InForce> {
    return this.#direct(() => this.#complete(configuration))
  }

  /**
   * `set()` for a configuration that was checked elsewhere, its programs too, and that has all defaults. What is the same object as in the
   * configuration before costs nothing.
   *
   * @internal
   */
  take(configuration: CompleteConfiguration): Promise<InForce> {
    return this.#direct(() => configuration)
  }

  /**
   * Changes the configuration that was taken last, service by service. What another server or weight costs depends on these services only,
   * and not on how many there are. They were checked elsewhere, their programs too, and have all defaults. Rejects where there is no
   * configuration yet.
   *
   * @internal
   */
  update(update: CompleteUpdate): Promise<InForce> {
    return this.#direct(() => update)
  }

  #direct(read: () => CompleteConfiguration | CompleteUpdate): Promise<InForce> {
    if (this.#closing !== undefined) return quiet(Promise.reject(closedError()))
    try {
      return this.#accept(read()).inForce
    } catch (error) {
      this.#tellFailure({ error, retryIn: Infinity })
      return quiet(Promise.reject(error as Error))
    }
  }

  /**
   * Fulfilled when the table is as the configuration says that was taken last. Rejects as `set` does, and where there is none yet.
   */
  inForce(): Promise<InForce> {
    return this.#inForce ?? Promise.reject(new Error('the director has no configuration yet'))
  }

  /**
   * Looks for these addresses from now on, which move between directors; `undefined`: for those of the services. As the option `addresses`,
   * for a configuration that names others.
   *
   * @throws ArgumentError naming the address that is wrong
   */
  watchAddresses(addresses: readonly string[] | undefined): void {
    this.#addresses = heldAddresses(addresses, 'addresses')
    if (this.#begun) this.#holder.watch(this.#moving())
  }

  /** How everything stands, as far as it is known without asking anybody. */
  status(): DirectorStatus {
    const holding = this.#holder.status()
    return {
      ...(holding !== undefined && { holding }),
      services: [...this.#services.values()].map((directed) => {
        const weights = new Map(directed.desired.destinations.map((input) => [endpointId(input), input.weight!]))
        const {
          key,
          configuration: { group },
          quorum,
          fallsBack,
          known,
          leaving,
        } = directed
        return {
          service: key,
          ...(group !== undefined && { group }),
          quorum,
          fallback: fallsBack,
          destinations: known.map(({ endpoint, up, since, ups, downs, check, words }) => {
            const weight = weights.get(endpointId(endpoint))
            return {
              destination: endpoint,
              up,
              since,
              ups,
              downs,
              ...(weight !== undefined && { weight }),
              ...(check !== undefined && { check, words }),
            }
          }),
          draining: [...leaving.values()].map(({ endpoint }) => endpoint),
          ...(directed.rests && { resting: true as const }),
        }
      }),
      inForce: this.#isInForce,
      counts: { ...this.#counts, programs: { ...this.#counts.programs } },
      ...(this.#looked !== undefined && { looked: this.#looked }),
    }
  }

  /**
   * How the checks stand, and what they have found: asked of their thread.
   *
   * @throws Error before the first configuration is taken, while the thread is being started again, and of a closed director
   */
  async checks(): Promise<
    CheckerStatus['counts'] & {
      destinations: { service: ServiceKey, destination: DestinationKey, checks: CheckerStatus['destinations'][number]['checks'] }[]
    }
  > {
    const found: Awaited<ReturnType<Director['checks']>>['destinations'] = []
    const ids = [...this.#known.keys()]
    // Thousands of destinations in one answer would hold the event loop.
    for (let from = 0; ; from += SLICE) {
      if (this.#checker === undefined)
        throw this.#closing === undefined ? new Error('the director has no configuration yet') : closedError()
      const { destinations, counts } = await this.#checker.status(ids.slice(from, from + SLICE))
      for (const { id, checks } of destinations) {
        const one = this.#known.get(id)
        if (one !== undefined) found.push({ service: one.directed.key, destination: one.known.endpoint, checks })
      }
      if (from + SLICE >= ids.length) return { ...counts, destinations: found }
    }
  }

  /**
   * Refuses what is wrong with a configuration, programs that the director does not run, and files of TLS that are of no use.
   */
  #complete(configuration: DirectorConfiguration): CompleteConfiguration {
    const checked = structuredClone(checkConfiguration(configuration))
    const mistakes = machineMistakes(checked)
    if (mistakes.length > 0) throw new ConfigurationError(mistakes)
    return completeConfiguration(checked)
  }

  #accept(given: CompleteConfiguration | CompleteUpdate): Accepted {
    const taken = this.#taking.then(() => this.#take(given))
    this.#taking = taken.catch((error: unknown) => {
      if (!this.#stop.signal.aborted) this.#tellFailure({ error, retryIn: Infinity })
    })
    const inForce = quiet(
      taken.then(async (set) => {
        const answer = await set()
        this.#isInForce = true
        return answer
      }),
    )
    this.#inForce = inForce
    return { taken: quiet(taken.then(() => {})), inForce }
  }

  #follow(configurations: AsyncIterable<DirectorConfiguration>): void {
    const iterator = (this.#iterator = configurations[Symbol.asyncIterator]())
    const next = async (): Promise<void> => {
      for (;;) {
        const next = await iterator.next()
        // The last configuration stays when nobody has another.
        if (next.done === true || this.#closing !== undefined) return
        let complete: CompleteConfiguration | undefined
        try {
          complete = this.#complete(next.value)
        } catch (error) {
          this.#tellFailure({ error, retryIn: Infinity })
        }
        if (complete !== undefined) await this.#accept(complete).taken.catch(() => {})
        // The iterable may never wait by itself.
        await turn()
      }
    }
    next().catch((error: unknown) => this.#tellFailure({ error, retryIn: Infinity }))
  }

  #tellFailure(failure: DirectorEvents['failed'][0]): void {
    this.#counts.failed++
    this.#tell('failed', failure)
  }

  #tell<Name extends keyof DirectorEvents>(name: Name, ...args: DirectorEvents[Name]): void {
    tell(this, name, args)
  }

  /** Does from now on as a configuration says, or an update of the one before. Returns what waits until the table is so. */
  async #take(given: CompleteConfiguration | CompleteUpdate): Promise<() => Promise<InForce>> {
    this.#stop.signal.throwIfAborted()
    const isUpdate = 'removed' in given
    if (isUpdate && !this.#begun) throw new Error('an update changes a configuration, and the director has none yet')
    this.#checker ??= await this.#startChecker()
    await this.#holder.start()
    const { services, removed } = isUpdate ? given : this.#difference(given)
    const isNew = (service: CompleteService): boolean => !this.#services.has(this.#idOf(service))
    const table = await this.#read(this.#begun ? services.filter(isNew).map(canonicalKey) : undefined)
    await this.#remember(services.filter((service) => !this.#named.has(this.#idOf(service))), table)
    this.#stop.signal.throwIfAborted()
    // From here on nothing waits: a configuration is taken whole.
    const listed = new Map(table.map((service) => [serviceId(service), service]))
    const fresh = new Set<Directed>()
    // Those that are to be otherwise than before.
    const changed = new Set<Directed>()
    const before: string[] = []
    /** Whether there are other services than before. */
    let isMoved = !this.#begun
    const { drain } = this.#settings
    for (const service of services) {
      const id = this.#idOf(service)
      let directed = this.#services.get(id)
      if (directed === undefined) {
        directed = new Directed(service, listed.get(id), drain !== undefined)
        directed.rests = this.#isToRest(directed)
        this.#services.set(id, directed)
        fresh.add(directed)
        isMoved = true
      } else {
        before.push(...idsOf(directed))
        if (directed.isGone) isMoved = true
        directed.reconfigure(service)
        directed.rest(this.#isToRest(directed))
      }
      changed.add(directed)
    }
    for (const key of removed) {
      const directed = this.#services.get(serviceId(canonicalKey(key)))
      if (directed === undefined || directed.isGone) continue
      before.push(...idsOf(directed))
      directed.abandon()
      changed.add(directed)
      isMoved = true
    }
    if (!this.#begun) for (const leftOver of this.#begin(table)) changed.add(leftOver)
    const rest = isUpdate ? this.#rest : { timeouts: given.timeouts, daemons: given.daemons }
    const isWhole = !this.#begun || !isDeepStrictEqual(rest, this.#rest)
    this.#rest = rest
    for (const id of before) this.#known.delete(id)
    for (const directed of changed) for (const known of directed.known) this.#known.set(known.id, { directed, known })
    this.#checker.replace([...changed].flatMap((directed) => directed.checked()), before)
    this.#agreeAtOnce(changed, before)
    for (const directed of changed) {
      for (const known of directed.unchecked()) this.#announce('up', directed, known, {})
      this.#update(directed)
      if (!this.#begun && fresh.has(directed) && directed.configuration.notifyAtStart) {
        for (const known of directed.known) if (known.up) this.#run(directed, known.configuration.onUp, known)
      }
    }
    this.#begun = true
    if (isMoved) this.#holder.watch(this.#moving())
    const inForce = isWhole ? this.#set() : this.#handOver(changed)
    this.#watchGrowing()
    this.#watchDraining()
    return () => inForce
  }

  /** What a whole configuration changes. A service that is the same object as before, and does as it says, is left alone. */
  #difference({ services }: CompleteConfiguration): CompleteUpdate {
    const wanted = new Set<string>()
    const changed = services.filter((service) => {
      const id = this.#idOf(service)
      wanted.add(id)
      const directed = this.#services.get(id)
      return directed?.configuration !== service || directed.isGone || directed.rests !== this.#isToRest(directed)
    })
    const removed = [...this.#services.values()].filter(({ id, isGone }) => !isGone && !wanted.has(id)).map(({ key }) => key)
    return { services: changed, removed }
  }

  /** What tells a service apart. A service that is the same object as before is the same service. */
  #idOf(service: CompleteService): string {
    let id = this.#ids.get(service)
    if (id === undefined) this.#ids.set(service, id = serviceId(canonicalKey(service)))
    return id
  }

  /** Notes which services the director has named, before anything is done about them. What is not in the table any more is forgotten. */
  async #remember(services: readonly ServiceKey[], table: readonly Listed[]): Promise<void> {
    const memory = this.#memory
    const tell =
      (what: string) =>
      (error: unknown): void => {
        this.#tell('memory', {
          file: memory!.file,
          words: `the services that were named could not be ${what}: ${(error as Error).message}`,
        })
      }
    if (memory !== undefined && !this.#begun) {
      const there = new Set(table.map(serviceId))
      const remembered = (await memory.read().catch(tell('read'))) ?? []
      for (const key of remembered) if (there.has(serviceId(key))) this.#named.set(serviceId(key), key)
    }
    const keys = services.map(canonicalKey)
    for (const key of keys) this.#named.set(serviceId(key), key)
    if (memory === undefined || services.length === 0 && this.#isRemembered) return
    const named = this.#named.values()
    const written = this.#isRemembered ? memory.add(keys, named) : memory.write(named)
    this.#isRemembered = await written.then(() => true, (error: unknown) => {
      tell('written')(error)
      return false
    })
  }

  /** What of the table is not in the first configuration. Returns the services of it that go. */
  #begin(table: readonly Listed[]): Directed[] {
    const { prune, owns, drain } = this.#settings
    this.#began = performance.now()
    const foreign: ServiceKey[] = []
    const leftOvers: Directed[] = []
    for (const listed of table) {
      const key = keyOf(listed)
      const id = serviceId(key)
      if (this.#services.has(id)) continue
      if (!prune && !owns(key) && !this.#named.has(id)) foreign.push(key)
      else if (drain !== undefined) {
        const directed = Directed.leftOver(listed, true)
        if (directed === undefined) continue
        this.#services.set(id, directed)
        leftOvers.push(directed)
      }
    }
    if (foreign.length > 0) this.#tell('foreign', foreign)
    return leftOvers
  }

  async #startChecker(): Promise<Checker> {
    const { sockets, programs } = this.#settings
    const checker = await startChecker({
      netns: otherNamespace(this.#ipvs),
      onlyOne: this.#ipvs.namespace < 0 ? undefined : ONLY_ONE,
      sockets,
      programs,
    })
    checker.on('changes', (changes) => this.#hear(changes))
    checker.on('troubles', (troubles) => troubles.forEach((trouble) => this.#hearTrouble(trouble)))
    checker.on('failures', (failures) => {
      for (const { id, ...failure } of failures) {
        const found = this.#known.get(id)
        if (found !== undefined) this.#tell('bad', { service: found.directed.key, destination: found.known.endpoint, ...failure })
      }
    })
    checker.on('restarted', (reason) => this.#tell('restarted', reason))
    if (this.#stop.signal.aborted) await checker.close()
    return checker
  }

  /**
   * Reads some services of the table, or all, however often that takes: to begin without them would mean to bring dead servers back.
   */
  async #read(some?: readonly ServiceKey[]): Promise<readonly Listed[]> {
    const { signal } = this.#stop
    for (let pause = AGAIN; ; pause = Math.min(LATEST, pause * 2)) {
      try {
        return some === undefined || some.length > FEW ? (await this.#ipvs.snapshot()).services : await this.#readEach(some)
      } catch (error) {
        signal.throwIfAborted()
        this.#tellFailure({ error, retryIn: pause })
        await wait(pause * 1000, undefined, { signal })
      }
    }
  }

  /** Reads services one by one, those that are there. */
  async #readEach(some: readonly ServiceKey[]): Promise<Listed[]> {
    const read = await Promise.all(some.map(async (service) => {
      const listed = await this.#ipvs.getService(service)
      return listed === undefined ? [] : { ...listed, destinations: await this.#ipvs.destinations(service) }
    }))
    return read.flat()
  }

  #watchHolding(): Holder {
    const holder = new Holder(otherNamespace(this.#ipvs), this.#settings.fifo)
    holder.on('change', (change) => {
      if (this.#closing !== undefined) return
      this.#turnChecks()
      this.#tell('holding', change)
    })
    holder.on('vrrp', (state) => this.#tell('vrrp', state))
    holder.on('vrrpGone', () => this.#tell('vrrpGone', { held: holder.status()?.held ?? 'none' }))
    holder.on('shared', (shared) => this.#tell('shared', shared))
    holder.on('failed', (failure) => this.#tellFailure(failure))
    return holder
  }

  /** The addresses of which it is told whether this machine has them. */
  #moving(): readonly string[] {
    return this.#addresses ?? [...this.#services.values()].flatMap(({ key, isGone }) => isGone || hasMark(key) ? [] : key.address)
  }

  /** Whether the checks of a service rest. They do not while it is unknown who holds its address. */
  #isToRest({ key, configuration: { onlyWhileHeld } }: Directed): boolean {
    return onlyWhileHeld && !hasMark(key) && this.#holder.has(key.address) === false
  }

  /** Lets checks rest, and go on, as this machine has the addresses of their services. */
  #turnChecks(): void {
    const turned = [...this.#services.values()].filter((directed) => directed.rest(this.#isToRest(directed)))
    if (turned.length === 0) return
    this.#checker?.replace(turned.flatMap((directed) => directed.checked()), turned.flatMap(({ known }) => known.map(({ id }) => id)))
    for (const directed of turned) this.#update(directed)
    void this.#handOver(turned)
  }

  #hear(changes: readonly HealthChange[]): void {
    if (this.#closing !== undefined) return
    const { agreement } = this.#settings
    const concernsAll = agreement?.see(changes) === true
    const changed = new Set<Directed>()
    for (const change of changes) {
      const found = this.#known.get(change.id)
      if (found === undefined) continue
      const { directed, known } = found
      const up = agreement?.verdict(change.id) ?? change.up
      const what = directed.hear(known, { ...change, up })
      const { check, words, answers, lastGood, at } = change
      const why = { at, check, words, answers, lastGood }
      if (up !== change.up && change.isTransition) {
        const { weight, endpoint } = known
        this.#tell('outvoted', { service: directed.key, destination: endpoint, weight, up: change.up, at, words: agreement!.words(change.id) })
      }
      if (what === undefined) continue
      changed.add(directed)
      this.#announce(what, directed, known, why)
    }
    if (concernsAll) this.#judge()
    this.#carry(changed)
  }

  /** Does as the directors of the fleet have agreed, as far as it is something else than before. */
  readonly #judge = (): void => {
    if (this.#closing !== undefined || !this.#begun) return
    const { agreement } = this.#settings
    const changed = new Set<Directed>()
    for (const [id, { directed, known }] of this.#known) {
      const up = agreement!.verdict(id)
      if (up === undefined || up === known.up) continue
      const at = Date.now()
      directed.hear(known, { id, up, weight: known.weight, isTransition: true, at })
      changed.add(directed)
      this.#announce(up ? 'up' : 'down', directed, known, { at, words: agreement!.words(id) })
    }
    this.#carry(changed)
  }

  /** Begins with what the directors of the fleet have agreed, where destinations are new to this one. */
  #agreeAtOnce(changed: Set<Directed>, before: readonly string[]): void {
    const { agreement } = this.#settings
    if (agreement === undefined) return
    const isChecked = ({ configuration: { checks } }: Known): boolean => checks.length > 0
    const checked = [...changed].flatMap(({ known }) => known.filter(isChecked))
    const concernsAll = agreement.know(checked.map(({ id, endpoint, up }) => ({ id, address: endpoint.address, up })), before)
    const judged = concernsAll ? [...this.#known.values()].flatMap(({ known }) => isChecked(known) ? known : []) : checked
    for (const known of judged) {
      const { id } = known
      const { directed } = this.#known.get(id)!
      const up = agreement.verdict(id)!
      if (up === known.up) continue
      directed.hear(known, { id, up, weight: known.weight, isTransition: true, at: Date.now() })
      changed.add(directed)
      this.#announce(up ? 'up' : 'down', directed, known, { words: agreement.words(id) })
    }
  }

  /** Has the table follow destinations that are up or down now. */
  #carry(changed: ReadonlySet<Directed>): void {
    if (changed.size === 0) return
    for (const directed of changed) this.#update(directed)
    void this.#handOver(changed)
    this.#watchGrowing()
    this.#watchDraining()
  }

  #hearTrouble({ ids, ...trouble }: CheckTrouble): void {
    const destinations = ids.flatMap((id) => {
      const found = this.#known.get(id)
      return found === undefined ? [] : { service: found.directed.key, destination: found.known.endpoint }
    })
    if (destinations.length > 0) this.#tell('trouble', { destinations, ...trouble })
  }

  /** Tells what has become of a destination, to programs too. */
  #announce(what: 'up' | 'down' | 'weight', directed: Directed, known: Known, why: Partial<DestinationChange>): void {
    const { up, weight, since, endpoint, configuration } = known
    const given = Object.fromEntries(Object.entries(why).filter(([, value]) => value !== undefined))
    this.#tell(what, { service: directed.key, destination: endpoint, up, weight, at: since, ...given })
    if (what !== 'weight') this.#run(directed, up ? configuration.onUp : configuration.onDown, known)
  }

  #run(directed: Directed, program: CompleteProgram | undefined, known?: Known): void {
    if (program === undefined || !this.#leads(directed)) return
    const { key: service } = directed
    this.#programs.run(known?.id ?? directed.id, program, ({ outcome, words, duration }) => {
      this.#counts.programs[outcome]++
      this.#tell('program', {
        command: program.command,
        service,
        ...(known !== undefined && { destination: known.endpoint }),
        outcome,
        words,
        duration,
      })
    })
  }

  /** Whether it is the first of its group: programs run once for all of them. */
  #leads(directed: Directed): boolean {
    const { group } = directed.configuration
    if (group === undefined) return true
    for (const other of this.#services.values()) if (other.configuration.group === group && !other.isGone) return other === directed
    return false
  }

  /** Works out how a service should be in the table, and tells of its quorum. */
  #update(directed: Directed): void {
    if (directed.update()) {
      const { key, quorum, livingWeight, fallsBack, configuration } = directed
      this.#tell('quorum', { service: key, reached: quorum, weight: livingWeight, quorum: configuration.quorum, fallback: fallsBack })
      this.#run(directed, quorum ? configuration.onQuorumReached : configuration.onQuorumLost)
    }
    if (directed.isGone && directed.leaving.size === 0) this.#services.delete(directed.id)
    this.#settings.agreement?.departures.see(directed.id, directed.departures())
    const isHere = this.#services.has(directed.id)
    for (const [some, isOne] of [
      [this.#growers, directed.isGrowing],
      [this.#waiting, directed.waiting(this.#began).size > 0],
    ] as const) {
      if (isHere && isOne) some.add(directed)
      else some.delete(directed)
    }
  }

  /** Has the table follow what has changed, whatever else there is. */
  #handOver(changed: Iterable<Directed>): Promise<InForce> {
    const [services, removed]: [Directed['desired'][], ServiceKey[]] = [[], []]
    for (const { id, key, desired } of changed) {
      if (this.#services.has(id)) services.push(desired)
      else removed.push(key)
    }
    return this.#reconciler.update({ services, removed })
  }

  #set(): Promise<InForce> {
    return this.#reconciler.set({ ...this.#rest, services: [...this.#services.values()].map(({ desired }) => desired) })
  }

  /** Lets grow what came back, step by step. */
  #watchGrowing(): void {
    clearTimeout(this.#growing)
    if (this.#growers.size === 0 || this.#closing !== undefined) return
    const now = performance.now()
    let next = Infinity
    for (const directed of this.#growers) next = Math.min(next, directed.untilGrowth(now))
    if (next === Infinity) return
    this.#growing = setTimeout(
      () => {
        const later = performance.now()
        const growers = [...this.#growers]
        for (const directed of growers) {
          directed.grow(later)
          this.#update(directed)
        }
        void this.#handOver(growers)
        this.#watchGrowing()
      },
      Math.max(0, Math.ceil(next)) + 1,
    )
  }

  /** Looks at the connections of what leaves, as long as anything does. */
  #watchDraining(): void {
    if (this.#draining !== undefined || this.#closing !== undefined) return
    if (this.#waiting.size === 0) return
    this.#draining = setTimeout(
      () => {
        this.#looking = this.#look().finally(() => {
          this.#draining = undefined
          this.#watchDraining()
        })
      },
      Math.ceil((this.#settings.drain ?? PATIENCE).interval * 1000) + 1,
    )
  }

  /** Lets go what has no connections any more, or has had its time. Never rejects. */
  async #look(): Promise<void> {
    const { until, timeout, interval } = this.#settings.drain ?? PATIENCE
    const departures = this.#settings.agreement?.departures
    const drained: Drained[] = []
    const changed: Directed[] = []
    for (const directed of [...this.#waiting]) {
      const waiting = directed.waiting(this.#began)
      if (waiting.size === 0) continue
      // An error of the way to the kernel is told by the reconciler too; here the next look is another try.
      const listed = await this.#ipvs.destinations(directed.key).catch(() => undefined)
      if (this.#closing !== undefined) return
      if (listed === undefined) continue
      const there = new Map(listed.map((destination) => [endpointId(destination), destination]))
      // Whether there is any is what counts.
      const persistence = (directed.configuration.persistence ?? null) as Persistence | null
      let released = false
      // What is waited for may have changed meanwhile.
      for (const [id, { endpoint, since, leaves }] of directed.waiting(this.#began)) {
        if (!waiting.has(id)) continue
        const found = there.get(id)
        const waited = performance.now() - since
        // Persistence sends clients to the fallback for as long as it is there, whatever its weight: they are to have their servers back.
        const isLeft = persistence !== null && leaves && directed.isFallback(id)
        const gone = found !== undefined && (isLeft ? connectionsGone(found, 'established', null) : connectionsGone(found, until, persistence))
        const limit = isLeft ? Math.min(timeout, FALLBACK_PATIENCE) : timeout
        // Until it has weight 0 in the table, new connections come. One whose handshake is under way does not count as active yet: it has
        // an interval for that.
        const mayHaveSome = waited < interval * 1000 || found?.weight !== 0 || !gone
        const leaving = directed.leaving.get(id)
        if (leaving !== undefined) leaving.isEmpty = found === undefined || !mayHaveSome
        const isHeldElsewhere = leaves && !directed.isFallback(id) && departures?.mayGo(`${directed.id} ${id}`) === false
        if (found !== undefined && waited < limit * 1000 && (mayHaveSome || isHeldElsewhere)) continue
        directed.release(id)
        released = true
        if (leaves && found !== undefined)
          drained.push({ service: directed.key, destination: endpoint, connections: found.activeConnections + found.inactiveConnections })
      }
      departures?.see(directed.id, directed.departures())
      if (!released) continue
      changed.push(directed)
      this.#update(directed)
    }
    if (changed.length === 0) return
    this.#handOver(changed).then(
      () => drained.forEach((one) => this.#tell('drained', one)),
      () => {},
    )
  }

  /**
   * Ends the director: its checks end, what is being sent is finished, programs that are due are waited for. The table stays as it is, for
   * another instance or the next start; with `remove` its services are removed, at once and with their connections, and the programs of
   * services with `notifyAtEnd` run. Can be called again: the first call counts.
   *
   * Where the services cannot be removed it rejects, and the director has ended all the same.
   */
  close({ remove = false }: { remove?: boolean } = {}): Promise<void> {
    return (this.#closing ??= (async () => {
      this.#stop.abort(closedError())
      this.#settings.agreement?.off('agreed', this.#judge)
      clearTimeout(this.#growing)
      clearTimeout(this.#draining)
      const leave = async (): Promise<unknown> => this.#iterator?.return?.()
      leave().catch(() => {})
      await this.#taking
      await this.#holder.close()
      this.#checker?.replace([])
      await this.#looking
      await this.#reconciler.close()
      try {
        if (remove) await this.#removeAll()
      } finally {
        await this.#programs.ended()
        await this.#checker?.close()
        this.#checker = undefined
        this.#tell('closed')
      }
    })())
  }

  /** Removes everything that is the director's, and runs what is to be run because of that. */
  async #removeAll(): Promise<void> {
    if (!this.#begun) return
    const { prune, owns } = this.#settings
    await this.#ipvs.apply(
      { services: [] },
      prune ? { prune: 'all' } : { prune: 'owned', owns: (service) => this.#named.has(serviceId(service)) || owns(service) },
    )
    for (const directed of this.#services.values()) {
      const {
        configuration: { notifyAtEnd, onQuorumLost },
        quorum,
        known,
      } = directed
      if (!notifyAtEnd) continue
      for (const one of known) if (one.up) this.#run(directed, one.configuration.onDown, one)
      if (quorum) this.#run(directed, onQuorumLost)
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
