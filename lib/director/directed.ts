import type { CompleteDestination, CompleteService } from '../configuration/complete.js'
import type { CheckedDestination, HealthChange } from '../checks/index.js'
import { objection } from '../client/draft.js'
import { destinationId, serviceId } from '../model/keys.js'
import type { DestinationInput, DestinationKey, ListedTable, ServiceKey } from '../model/types.js'
import { configurationOf, serviceConfigurationOf } from '../state/configuration.js'
import type { DesiredService } from '../state/types.js'
import { decide, fallsBack, livingWeight, tableOf, type Health, type Standing } from './decide.js'
import { canonicalEndpoint, canonicalKey, destinationInput, endpointId, serviceInput } from './keys.js'

type Listed = ListedTable['services'][number]

/** A destination of a configuration, and what is known of it. */
export interface Known extends Health {
  /** What its checks are called by. */
  readonly id: string
  readonly endpoint: DestinationKey
  configuration: CompleteDestination
  /** What its checks begin with. */
  initially: NonNullable<CheckedDestination['initially']>
  up: boolean
  weight: number
  share: number
  stays: boolean
  /** Since when it is up or down, as of `Date.now()`. */
  since: number
  /** How often it came up and went down since the director began. */
  ups: number
  downs: number
  /** Since when it grows, as of `performance.now()`. */
  growsSince?: number
  /** The check that decided last, and what it found. */
  check?: string
  words?: string
}

/** A destination that nobody wants any more, and that may still have connections. */
export interface Leaving {
  readonly input: DestinationInput
  readonly endpoint: DestinationKey
  /** As of `performance.now()`. */
  readonly since: number
  /** Whether it was up; `undefined` where that is not known. */
  readonly up?: boolean
  /** Whether it was seen without connections. */
  isEmpty: boolean
}

const initialWeight = ({ weight = 1 }: CompleteDestination): number => weight

/** The parts in which a destination grows. */
const STEPS = 20

/** A service that was in the table before, as one that has no destinations of its own any more. */
function unnamed(listed: Listed): CompleteService {
  const decided = {
    quorum: 1,
    hysteresis: 0,
    whenDown: 'remove',
    whenAllDown: 'remove',
    startDown: false,
    rampUp: 0,
    onlyWhileHeld: false,
    notifyAtEnd: false,
    notifyAtStart: false,
  } as const
  return { ...serviceConfigurationOf(listed), ...decided, checks: [], destinations: [] }
}

/** A service, what is known of its destinations, and how it should be in the table. */
export class Directed {
  readonly key: ServiceKey
  readonly id: string
  configuration: CompleteService
  known: Known[] = []
  /** Those that leave, by what tells them apart. */
  readonly leaving = new Map<string, Leaving>()
  /** Whether no configuration names it any more. */
  isGone = false
  /** Whether its checks rest, because this machine does not have its address. */
  rests = false
  /** How it should be in the table. */
  desired: DesiredService & { destinations: DestinationInput[] }
  #standing: Standing = { quorum: true, last: [] }
  /** Whether the quorum was reached when it was told last. */
  #told: boolean | undefined

  /** @param listed the service as the kernel had it before, if it did */
  constructor(configuration: CompleteService, listed: Listed | undefined, readonly drains: boolean) {
    this.key = canonicalKey(configuration)
    this.id = serviceId(this.key)
    this.configuration = configuration
    this.desired = Object.assign(serviceInput(configuration), { destinations: [] })
    if (listed !== undefined) this.#adopt(listed)
    this.#take(configuration, (destination) => firstThought(destination, listed))
  }

  /**
   * A service of the table that is the director's, and that no configuration names; `undefined` where its configuration is another
   * program's, such as this package writes none.
   */
  static leftOver(listed: Listed, drains: boolean): Directed | undefined {
    const service = serviceConfigurationOf(listed)
    if (objection({ type: 'updateService', service }) !== undefined) return undefined
    const directed = new Directed(unnamed(listed), listed, drains)
    directed.isGone = true
    return directed
  }

  /** What was there before may have to leave, and the fallback that served goes on. */
  #adopt(listed: Listed): void {
    const { fallback, destinations } = this.configuration
    const service = this.key
    const adopted = listed.destinations.map((destination) => configurationOf(destination))
      .filter((destination) => objection({ type: 'updateDestination', service, destination }) === undefined)
    this.desired = { ...this.desired, destinations: adopted }
    if (fallback === undefined) return
    const id = endpointId(fallback)
    const isOwn = destinations.some((destination) => endpointId(destination) === id)
    const served = !isOwn && listed.destinations.some((destination) => endpointId(destination) === id && destination.weight > 0)
    this.#standing = { quorum: !served, last: [] }
  }

  /** Takes a configuration over: what is known of destinations that stay is kept. */
  #take(configuration: CompleteService, thought: (destination: CompleteDestination) => Pick<Known, 'up' | 'initially' | 'stays'>): void {
    // Of a new service there is nothing, and thousands can be new at once.
    const before = this.known.length === 0 ? undefined : new Map(this.known.map((known) => [destinationId(known.endpoint), known]))
    const last = before && new Set(this.#standing.last.map((number) => this.known[number].id))
    this.configuration = configuration
    const since = Date.now()
    this.known = configuration.destinations.map((destination): Known => {
      const endpoint = canonicalEndpoint(destination)
      const id = destinationId(endpoint)
      const known = before?.get(id)
      const weight = initialWeight(destination)
      if (known === undefined) {
        const { up, initially, stays } = thought(destination)
        return { id: `${this.id} ${id}`, endpoint, configuration: destination, weight, share: 1, since, ups: 0, downs: 0, up, initially, stays }
      }
      // Where the checks say nothing about the weight, it is the configured one; otherwise they say it anew.
      if (known.weight === initialWeight(known.configuration)) known.weight = weight
      known.configuration = destination
      return known
    })
    const kept = last === undefined ? [] : this.known.flatMap(({ id }, number) => last.has(id) ? [number] : [])
    this.#standing = { quorum: this.#standing.quorum, last: kept }
  }

  /** Does from now on what another configuration says. */
  reconfigure(configuration: CompleteService): void {
    this.isGone = false
    this.#take(configuration, (destination) => {
      const left = this.leaving.get(endpointId(destination))
      if (left?.up === undefined || destination.checks.length === 0) return firstThought(destination, undefined)
      return { up: left.up, initially: left.up ? 'up' : 'down', stays: false }
    })
  }

  /** No configuration names it any more: it goes when its destinations have gone. */
  abandon(): void {
    this.isGone = true
    this.#take({ ...this.configuration, fallback: undefined, destinations: [] }, (destination) => firstThought(destination, undefined))
  }

  /** What its checks are told. */
  checked(): CheckedDestination[] {
    if (this.rests) return []
    return this.known
      .filter(({ configuration: { checks } }) => checks.length > 0)
      .map(({ id, endpoint, initially, configuration }) => ({
        id,
        address: endpoint.address,
        port: configuration.port,
        weight: initialWeight(configuration),
        checks: configuration.checks,
        initially,
      }))
  }

  /** Lets its checks rest, or begin with what was known when they last ran. Returns whether that is news. */
  rest(rests: boolean): boolean {
    if (rests === this.rests) return false
    this.rests = rests
    for (const known of this.known) {
      if (rests) known.initially = known.up ? 'up' : 'down'
      // What the checks said about the weight they say anew, against the configured one.
      else known.weight = initialWeight(known.configuration)
    }
    return true
  }

  /** Takes news of a destination. Returns what has changed. */
  hear(known: Known, { up, weight, at, check, words }: HealthChange): 'up' | 'down' | 'weight' | undefined {
    const before = { up: known.up, weight: known.weight }
    known.weight = weight
    // What the checks find out is known better than what was there at the start.
    known.stays = known.stays && !up
    if (check !== undefined) Object.assign(known, { check, words })
    if (up === before.up) return weight === before.weight ? undefined : 'weight'
    this.#turn(known, up, at)
    return up ? 'up' : 'down'
  }

  /** A destination that is not checked any more is up. */
  unchecked(): Known[] {
    const risen = this.known.filter(({ up, configuration: { checks } }) => !up && checks.length === 0)
    for (const known of risen) {
      this.#turn(known, true, Date.now())
      known.weight = initialWeight(known.configuration)
      delete known.check
      delete known.words
    }
    return risen
  }

  #turn(known: Known, up: boolean, at: number): void {
    known.up = up
    if (up) known.ups++
    else known.downs++
    known.since = at
    known.stays = false
    const grows = up && known.configuration.rampUp > 0 && known.weight > 1
    known.growsSince = grows ? performance.now() : undefined
    known.share = grows ? 0 : 1
  }

  /** Gives what grows the share that it has reached by now, a moment of `performance.now()`. The table has it after the next update. */
  grow(now: number): void {
    for (const known of this.known) {
      if (known.growsSince === undefined) continue
      const whole = known.configuration.rampUp * 1000
      const part = whole === 0 ? 1 : (now - known.growsSince) / whole
      known.share = Math.min(1, Math.floor(part * STEPS) / STEPS)
      if (known.share === 1) delete known.growsSince
    }
  }

  /** Milliseconds from now until something has reached its next share, 0 or less where it has; `Infinity` where nothing grows. */
  untilGrowth(now: number): number {
    let next = Infinity
    for (const { growsSince, share, configuration: { rampUp } } of this.known) {
      if (growsSince === undefined) continue
      next = Math.min(next, growsSince + (Math.round(share * STEPS) + 1) / STEPS * rampUp * 1000 - now)
    }
    return next
  }

  get isGrowing(): boolean {
    return this.known.some(({ growsSince }) => growsSince !== undefined)
  }

  /**
   * Works out anew how it should be in the table. What goes and is not down leaves in peace. Returns whether there is something to tell
   * about the quorum.
   */
  update(): boolean {
    this.#standing = decide(this.configuration, this.known, this.#standing)
    const table = tableOf(this.configuration, this.known, this.#standing)
    if (this.drains) this.#leave(table.destinations)
    for (const { input } of this.leaving.values()) table.destinations.push(input)
    this.desired = table
    const isNews = !this.isGone && this.#standing.quorum !== this.#told
    if (isNews) this.#told = this.#standing.quorum
    return isNews
  }

  /** Lets leave what was in the table and is not to be there now. */
  #leave(table: readonly DestinationInput[]): void {
    const before = this.#before
    this.#before = this.known
    if (this.desired.destinations.length === 0 && this.leaving.size === 0) return
    const stay = new Set([...table.map(endpointId), ...this.known.map(({ endpoint }) => destinationId(endpoint))])
    for (const id of stay) this.leaving.delete(id)
    const gone = this.desired.destinations.filter((input) => !stay.has(endpointId(input)) && !this.leaving.has(endpointId(input)))
    if (gone.length === 0) return
    const was = new Map(before.map(({ endpoint, up }) => [destinationId(endpoint), up]))
    for (const input of gone) {
      const id = endpointId(input)
      this.leaving.set(id, {
        input: destinationInput(input, 0),
        endpoint: canonicalEndpoint(input),
        since: performance.now(),
        up: was.get(id),
        isEmpty: false,
      })
    }
  }

  /** The destinations by which the table was worked out last. */
  #before: readonly Known[] = []

  /** Nobody waits for a destination any more that left, or that kept its place. */
  release(id: string): void {
    if (this.leaving.delete(id))
      this.desired = { ...this.desired, destinations: this.desired.destinations.filter((input) => endpointId(input) !== id) }
    for (const known of this.known) if (destinationId(known.endpoint) === id) known.stays = false
  }

  /** Destinations whose connections are waited for: since when, by what tells them apart. */
  waiting(began: number): Map<string, { endpoint: DestinationKey, since: number, leaves: boolean }> {
    const waiting = new Map<string, { endpoint: DestinationKey, since: number, leaves: boolean }>()
    for (const [id, { endpoint, since }] of this.leaving) waiting.set(id, { endpoint, since, leaves: true })
    for (const { endpoint, stays, configuration } of this.known) {
      if (stays && configuration.whenDown === 'remove') waiting.set(destinationId(endpoint), { endpoint, since: began, leaves: false })
    }
    return waiting
  }

  /** Destinations that leave and that no configuration names any more: whether each is empty, by what its checks were called by. */
  departures(): Map<string, boolean> {
    const departures = new Map<string, boolean>()
    for (const [id, { isEmpty }] of this.leaving) if (!this.isFallback(id)) departures.set(`${this.id} ${id}`, isEmpty)
    return departures
  }

  get quorum(): boolean {
    return this.#standing.quorum
  }

  get fallsBack(): boolean {
    return fallsBack(this.configuration, this.#standing)
  }

  /** Whether that is its fallback, and not a destination of its own. */
  isFallback(id: string): boolean {
    const { fallback } = this.configuration
    return fallback !== undefined && endpointId(fallback) === id && !this.known.some(({ endpoint }) => destinationId(endpoint) === id)
  }

  get livingWeight(): number {
    return livingWeight(this.known)
  }
}

/**
 * What is thought of a destination before its checks have said anything. What the kernel has was known last: a destination that is in the
 * table is up, one that its service lacks, or has at weight 0, is down until it was good. Of a service that is not in the table, nothing is
 * known.
 */
function firstThought(destination: CompleteDestination, listed: Listed | undefined): Pick<Known, 'up' | 'initially' | 'stays'> {
  const { checks } = destination
  if (checks.length === 0) return { up: true, initially: 'new', stays: false }
  if (listed === undefined) return { up: !checks.some(({ startDown }) => startDown), initially: 'new', stays: false }
  const id = endpointId(destination)
  const there = listed.destinations.find((other) => endpointId(other) === id)
  const up = there !== undefined && (there.weight > 0 || initialWeight(destination) === 0)
  return { up, initially: up ? 'up' : 'down', stays: there !== undefined && !up }
}
