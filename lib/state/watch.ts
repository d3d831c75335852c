import { setTimeout as wait, setImmediate as turn } from 'node:timers/promises'
import { boolean } from '../arguments/validate.js'
import type {
  Daemon, Destination, DestinationKey, ListedDestination, ListedService, ListedTable, ListedTableService, Rates, Service, ServiceKey, Statistics, Timeouts,
} from '../model/types.js'
import { destinationId, keyOf, serviceId } from '../model/keys.js'
import { configurationOf, serviceConfigurationOf } from './configuration.js'
import { destinationDifferences, serviceDifferences } from './differences.js'
import { optionsObject, seconds, signalOption } from './options.js'
import { TrafficMeter, type Counted } from './rates.js'

/** Options of `watch`. */
export interface WatchOptions {
  /** Seconds from one look at the table to the next, fractions allowed. 1 by default. */
  interval?: number
  /** Ends the iteration, without an error. */
  signal?: AbortSignal
  /**
   * Whether everything that is there at the beginning is reported as added, in a first observation without rates. Without it (the default)
   * the first observation comes after an interval.
   */
  initial?: boolean
  /**
   * Whether destinations are looked at too. True by default; without them a look at a large table costs a fraction, and `table` has
   * services without destinations.
   */
  destinations?: boolean
}

/** Something about the configuration that is not what it was. */
export type Change =
  | { type: 'serviceAdded', service: ServiceKey, after: Service }
  | { type: 'serviceRemoved', service: ServiceKey, before: Service }
  | { type: 'serviceChanged', service: ServiceKey, before: Service, after: Service }
  | { type: 'destinationAdded', service: ServiceKey, destination: DestinationKey, after: Destination }
  | { type: 'destinationRemoved', service: ServiceKey, destination: DestinationKey, before: Destination }
  | { type: 'destinationChanged', service: ServiceKey, destination: DestinationKey, before: Destination, after: Destination }

/** What a service, or a destination of it, did in an interval. */
export interface Traffic {
  service: ServiceKey
  /** Missing where it is about the whole service. */
  destination?: DestinationKey
  /**
   * What the counters grew by since the look before, never below 0. Counters that were zeroed count from there. All 0 where the kernel
   * added nothing up in between.
   */
  difference: Statistics
  /**
   * The rate of the last two-second periods that the kernel has added up: the same at any interval. The kernel's own average until one has
   * been seen.
   */
  perSecond: Rates
}

/** What changed from one look at the table to the next. `JSON.stringify` writes its counters as decimal text, which keeps all 64 bits. */
export interface Observation {
  /** When the table was read, in milliseconds as of `Date.now()`. */
  time: number
  /** Seconds since the look before, 0 in an initial observation. */
  elapsed: number
  /** Services and destinations added, removed and changed. What was removed and added again in between is not seen. */
  changes: Change[]
  /**
   * One entry for each service and destination that has traffic and was there before too, in the kernel's order. What is new has no rate
   * yet, so that old counters the kernel revives are no traffic.
   */
  rates: Traffic[]
  /** The table itself. */
  table: ListedTable
}

/** Destinations that are compared between two turns of the event loop. */
const SLICE = 1000

/** What of a handle is needed here. */
interface Handle { snapshot(): Promise<ListedTable> }

/** What of a handle is needed to look at services alone. */
interface ServicesHandle {
  services(): Promise<ListedService[]>
  timeouts(): Promise<Timeouts>
  daemons(): Promise<Daemon[]>
}

/** What tells the entries of a listing apart: as text, and of two of them without making any. */
interface Kind<Entry> {
  idOf: (entry: Entry) => string
  same: (one: Entry, other: Entry) => boolean
}

const SERVICE: Kind<ServiceKey> = {
  idOf: serviceId,
  same: (one, other) => 'fwmark' in one ? 'fwmark' in other && one.fwmark === other.fwmark && one.family === other.family
    : !('fwmark' in other) && one.port === other.port && one.address === other.address && one.protocol === other.protocol,
}

const DESTINATION: Kind<DestinationKey> = { idOf: destinationId, same: (one, other) => one.port === other.port && one.address === other.address }

/**
 * The entries of two listings side by side: pairs, and those that one of them lacks. The kernel mostly lists them in the same order, and
 * then no map is needed.
 */
function* pairs<Entry>(before: readonly Entry[], after: readonly Entry[], { idOf, same }: Kind<Entry>): Generator<[Entry | undefined, Entry | undefined]> {
  let alike = 0
  for (const most = Math.min(before.length, after.length); alike < most && same(before[alike], after[alike]); alike++) yield [before[alike], after[alike]]
  if (alike === before.length && alike === after.length) return
  const old = new Map(before.slice(alike).map((entry) => [idOf(entry), entry]))
  const seen = new Set(after.slice(0, alike).map(idOf))
  for (const entry of after.slice(alike)) {
    const id = idOf(entry)
    // A dump that was edited while it was read can have an entry twice.
    if (seen.has(id)) continue
    seen.add(id)
    yield [old.get(id), entry]
    old.delete(id)
  }
  for (const entry of old.values()) yield [entry, undefined]
}

/** Compares what was listed with what is listed now. */
class Observer {
  readonly changes: Change[] = []
  readonly rates: Traffic[] = []

  constructor(private readonly meter: TrafficMeter) {}

  traffic(service: ServiceKey, destination: DestinationKey | undefined, before: Counted, after: Counted): void {
    const traffic = this.meter.compare(before, after)
    if (traffic !== undefined) this.rates.push({ service, ...destination === undefined ? {} : { destination }, ...traffic })
  }

  service(before: ListedTableService | undefined, after: ListedTableService | undefined): number {
    const service = keyOf((after ?? before)!)
    if (before === undefined) this.changes.push({ type: 'serviceAdded', service, after: serviceConfigurationOf(after!) })
    else if (after !== undefined) {
      if (serviceDifferences(before, after).length > 0) {
        this.changes.push({ type: 'serviceChanged', service, before: serviceConfigurationOf(before), after: serviceConfigurationOf(after) })
      }
      this.traffic(service, undefined, before, after)
    }
    const old = before?.destinations ?? []
    const present = after?.destinations ?? []
    for (const [was, is] of pairs(old, present, DESTINATION)) this.destination(service, was, is)
    if (after === undefined) this.changes.push({ type: 'serviceRemoved', service, before: serviceConfigurationOf(before!) })
    return 1 + old.length + present.length
  }

  destination(service: ServiceKey, before: ListedDestination | undefined, after: ListedDestination | undefined): void {
    const { address, port } = (after ?? before)!
    const destination = { address, port }
    if (before === undefined) this.changes.push({ type: 'destinationAdded', service, destination, after: configurationOf(after!) })
    else if (after === undefined) this.changes.push({ type: 'destinationRemoved', service, destination, before: configurationOf(before) })
    else {
      if (destinationDifferences(before, after).length > 0) {
        this.changes.push({ type: 'destinationChanged', service, destination, before: configurationOf(before), after: configurationOf(after) })
      }
      this.traffic(service, destination, before, after)
    }
  }
}

/** What happened from one table to the next, whose look the meter has begun. In pieces: the event loop is never held for long. */
export async function observe(before: ListedTable, after: ListedTable, meter: TrafficMeter): Promise<Pick<Observation, 'changes' | 'rates'>> {
  const observer = new Observer(meter)
  let seen = 0
  for (const [was, is] of pairs(before.services, after.services, SERVICE)) {
    seen += observer.service(was, is)
    if (seen >= SLICE) {
      seen = 0
      await turn()
    }
  }
  return { changes: observer.changes, rates: observer.rates }
}

const EMPTY: ListedTable = { services: [], timeouts: { tcp: 0, tcpFin: 0, udp: 0 }, daemons: [] }

/** `Ipvs.watch`. */
export function watch(handle: Handle | Handle & ServicesHandle, options?: WatchOptions): AsyncGenerator<Observation, void, undefined> {
  const given = optionsObject(options, 'watch', ['interval', 'signal', 'initial', 'destinations']) as WatchOptions
  const interval = given.interval === undefined ? 1 : seconds(given.interval, 'options.interval', 0.001)
  const initial = given.initial === undefined ? false : boolean(given.initial, 'options.initial')
  const destinations = given.destinations === undefined ? true : boolean(given.destinations, 'options.destinations')
  return observations(destinations ? () => handle.snapshot() : () => withoutDestinations(handle as Handle & ServicesHandle), interval, initial, signalOption(given.signal))
}

async function withoutDestinations(handle: ServicesHandle): Promise<ListedTable> {
  const [services, timeouts, daemons] = await Promise.all([handle.services(), handle.timeouts(), handle.daemons()])
  for (const service of services as ListedTableService[]) service.destinations = []
  return { services: services as ListedTableService[], timeouts, daemons }
}

async function* observations(look: () => Promise<ListedTable>, interval: number, initial: boolean, signal: AbortSignal | undefined): AsyncGenerator<Observation, void, undefined> {
  const ended = (): boolean => signal?.aborted === true
  if (ended()) return
  const meter = new TrafficMeter()
  let last = await look()
  let at = performance.now()
  meter.look(at / 1000)
  if (initial) yield { time: Date.now(), elapsed: 0, ...await observe(EMPTY, last, meter), table: last }
  for (let due = at + interval * 1000; ; due = Math.max(due + interval * 1000, performance.now())) {
    await wait(Math.max(0, due - performance.now()), undefined, { signal }).catch((error: unknown) => {
      if (!ended()) throw error
    })
    if (ended()) return
    const table = await look()
    const now = performance.now()
    const elapsed = (now - at) / 1000
    meter.look(now / 1000)
    const seen = await observe(last, table, meter)
    if (ended()) return
    last = table
    at = now
    yield { time: Date.now(), elapsed, ...seen, table }
  }
}
