import { setTimeout as wait } from 'node:timers/promises'
import { boolean } from '../arguments/validate.js'
import type { PackedDestinations, PackedTable } from '../client/packed-table.js'
import { inPieces, worked, type Steps } from '../client/pause.js'
import type { Destination, DestinationKey, ListedDestination, ListedTable, Rates, Service, ServiceKey, Statistics } from '../model/types.js'
import { configurationOf, destinationDifferences, serviceConfigurationOf, serviceDifferences } from './configuration.js'
import type { TableHandle } from './handle.js'
import { optionsObject, seconds, signalOption } from './options.js'
import { TrafficMeter, type Counted, type Place } from './rates.js'

/** Options of `watch`. */
export interface WatchOptions {
  /** Seconds from one look at the table to the next, 0.001 to 2,147,483, fractions allowed. 1 by default. */
  interval?: number
  /** Ends the iteration, without an error. */
  signal?: AbortSignal
  /**
   * Whether everything that is in the table at the beginning is reported as added, in a first observation without rates. False by default:
   * the first observation then comes after an interval.
   */
  initial?: boolean
  /**
   * Whether destinations are read too. True by default. Without them a look at a large table costs a fraction, and the services of `table`
   * have no destinations.
   */
  destinations?: boolean
}

/** A change of the configuration of a service or a destination. */
export type Change =
  | { type: 'serviceAdded', service: ServiceKey, after: Service }
  | { type: 'serviceRemoved', service: ServiceKey, before: Service }
  | { type: 'serviceChanged', service: ServiceKey, before: Service, after: Service }
  | { type: 'destinationAdded', service: ServiceKey, destination: DestinationKey, after: Destination }
  | { type: 'destinationRemoved', service: ServiceKey, destination: DestinationKey, before: Destination }
  | { type: 'destinationChanged', service: ServiceKey, destination: DestinationKey, before: Destination, after: Destination }

/** The traffic of a service, or of one of its destinations, since the look before. */
export interface Traffic {
  service: ServiceKey
  /** Missing if this is the traffic of the whole service. */
  destination?: DestinationKey
  /**
   * By how much the counters grew since the look before, never below 0. Counters that were zeroed count from there. All are 0 if the kernel
   * added up nothing in between.
   */
  difference: Statistics
  /**
   * The rate of the last two-second periods that the kernel has added up, which does not depend on the interval. It is the kernel's own
   * average until a period has been seen.
   */
  perSecond: Rates
}

/** What changed from one look at the table to the next. `JSON.stringify` writes its counters as decimal text, which keeps all 64 bits. */
export interface Observation {
  /** When the table was read, in milliseconds of `Date.now()`. */
  time: number
  /** Seconds since the look before, 0 in an initial observation. */
  elapsed: number
  /** Services and destinations that were added, removed and changed. An entry that was removed and added again in between does not show. */
  changes: Change[]
  /**
   * One entry for each service and destination that has traffic and was listed before too, in the kernel's order. A new entry has no rate
   * yet, because the kernel can revive one with its old counters, which are no traffic.
   */
  rates: Traffic[]
  /**
   * The table itself. The kernel's answer is kept as it came. Objects are made of it in one go, when this property is read for the first
   * time. That takes about a second for a million destinations.
   */
  readonly table: ListedTable
}

/** The number that stands for a service itself, whose destinations have numbers from 0 on. */
const ITSELF = -1

/** Compares two looks at the table. There is nothing to report about most entries of a large table, and nothing is made for them. */
class Observer {
  readonly changes: Change[] = []
  readonly rates: Traffic[] = []

  constructor(
    private readonly before: PackedTable | undefined,
    private readonly after: PackedTable,
    private readonly meter: TrafficMeter,
  ) {}

  /** Finds the changes and the traffic from one look to the next, which the meter has begun. */
  *compare(): Steps {
    const { before, after, meter } = this
    const present = new Set<number>()
    for (const service of after.services) {
      if (worked()) yield
      const was = before === undefined ? -1 : after.numberIn(before, service)
      if (was < 0) {
        yield* this.#added(service)
        continue
      }
      present.add(was)
      if (meter.knowsOf(was) || !after.isQuiet(service, before!, was)) yield* this.#changed(before!, was, service)
    }
    if (before === undefined) return
    for (const was of before.services) if (!present.has(was)) yield* this.#removed(before, was)
  }

  *#added(number: number): Steps {
    const service = this.after.key(number)
    this.changes.push({ type: 'serviceAdded', service, after: this.after.service(number) })
    const destinations = this.after.destinations(number)
    for (let i = 0; i < destinations.count; i++) {
      if (worked()) yield
      if (!destinations.isRepeated(i)) this.#destinationAdded(service, destinations.read(i))
    }
  }

  *#removed(table: PackedTable, number: number): Steps {
    const service = table.key(number)
    const destinations = table.destinations(number)
    for (let i = 0; i < destinations.count; i++) {
      if (worked()) yield
      if (!destinations.isRepeated(i)) this.#destinationRemoved(service, destinations.read(i))
    }
    this.changes.push({ type: 'serviceRemoved', service, before: table.service(number) })
  }

  *#changed(table: PackedTable, was: number, is: number): Steps {
    const service = this.after.key(is)
    const before = table.listedService(was)
    const after = this.after.listedService(is)
    if (serviceDifferences(before, after).length > 0) {
      this.changes.push({ type: 'serviceChanged', service, before: serviceConfigurationOf(before), after: serviceConfigurationOf(after) })
    }
    this.#traffic(service, undefined, { service: was, destination: ITSELF }, before, { service: is, destination: ITSELF }, after)
    yield* this.#destinations(service, was, table.destinations(was), is, this.after.destinations(is))
  }

  *#destinations(service: ServiceKey, was: number, old: PackedDestinations, is: number, present: PackedDestinations): Steps {
    const found = new Uint8Array(old.count)
    for (let i = 0; i < present.count; i++) {
      if (worked()) yield
      // A list that was edited while it was read can have an entry twice.
      if (present.isRepeated(i)) continue
      const then = present.numberIn(old, i)
      if (then < 0) {
        this.#destinationAdded(service, present.read(i))
        continue
      }
      found[then] = 1
      const place = { service: was, destination: then }
      if (!this.meter.knows(place) && present.isQuiet(i, old, then)) continue
      this.#destinationChanged(service, place, old.read(then), { service: is, destination: i }, present.read(i))
    }
    for (let i = 0; i < old.count; i++) if (found[i] === 0 && !old.isRepeated(i)) this.#destinationRemoved(service, old.read(i))
  }

  #destinationAdded(service: ServiceKey, after: ListedDestination): void {
    const { address, port } = after
    this.changes.push({ type: 'destinationAdded', service, destination: { address, port }, after: configurationOf(after) })
  }

  #destinationRemoved(service: ServiceKey, before: ListedDestination): void {
    const { address, port } = before
    this.changes.push({ type: 'destinationRemoved', service, destination: { address, port }, before: configurationOf(before) })
  }

  #destinationChanged(service: ServiceKey, was: Place, before: ListedDestination, is: Place, after: ListedDestination): void {
    const { address, port } = after
    const destination = { address, port }
    if (destinationDifferences(before, after).length > 0) {
      this.changes.push({
        type: 'destinationChanged',
        service,
        destination,
        before: configurationOf(before),
        after: configurationOf(after),
      })
    }
    this.#traffic(service, destination, was, before, is, after)
  }

  #traffic(service: ServiceKey, destination: DestinationKey | undefined, was: Place, before: Counted, is: Place, after: Counted): void {
    const traffic = this.meter.compare(was, before, is, after)
    if (traffic !== undefined) this.rates.push({ service, ...(destination === undefined ? {} : { destination }), ...traffic })
  }
}

/** Makes an observation, whose table is unpacked when it is asked for. */
function observation(elapsed: number, { changes, rates }: Observer, packed: PackedTable): Observation {
  let table: ListedTable | undefined
  return {
    time: Date.now(), elapsed, changes, rates,
    get table() {
      return table ??= packed.unpack()
    },
  }
}

/** `Ipvs.watch`. */
export function watch(handle: Pick<TableHandle, 'table'>, options?: WatchOptions): AsyncGenerator<Observation, void, undefined> {
  const given = optionsObject(options, 'watch', ['interval', 'signal', 'initial', 'destinations']) as WatchOptions
  const interval = given.interval === undefined ? 1 : seconds(given.interval, 'options.interval', 0.001)
  const initial = given.initial === undefined ? false : boolean(given.initial, 'options.initial')
  const destinations = given.destinations === undefined ? true : boolean(given.destinations, 'options.destinations')
  return observations(() => handle.table({ destinations }), interval, initial, signalOption(given.signal))
}

async function* observations(
  look: () => Promise<PackedTable>,
  interval: number,
  initial: boolean,
  signal: AbortSignal | undefined,
): AsyncGenerator<Observation, void, undefined> {
  const ended = (): boolean => signal?.aborted === true
  if (ended()) return
  const meter = new TrafficMeter()
  const observe = async (before: PackedTable | undefined, after: PackedTable): Promise<Observer> => {
    const observer = new Observer(before, after, meter)
    await inPieces(observer.compare())
    return observer
  }
  let last = await look()
  let at = performance.now()
  meter.look(at / 1000)
  if (initial) yield observation(0, await observe(undefined, last), last)
  for (let due = at + interval * 1000; ; due = Math.max(due + interval * 1000, performance.now())) {
    await wait(Math.max(0, due - performance.now()), undefined, { signal }).catch((error: unknown) => {
      if (!ended()) throw error
    })
    if (ended()) return
    const table = await look()
    const now = performance.now()
    const elapsed = (now - at) / 1000
    meter.look(now / 1000)
    const observer = await observe(last, table)
    if (ended()) return
    last = table
    at = now
    yield observation(elapsed, observer, table)
  }
}
