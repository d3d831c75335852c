import { Draft } from '../client/draft.js'
import type { PackedDestinations, PackedTable } from '../client/packed-table.js'
import { inPieces, worked, type Steps } from '../client/pause.js'
import { conflict, invalidType, isArgumentError } from '../model/errors.js'
import { destinationId, endpointWords, keyOf, serviceId, serviceWords } from '../model/keys.js'
import type { Destination, DestinationInput, DestinationKey, ServiceInput, ServiceKey } from '../model/types.js'
import { PROTOCOLS } from '../model/vocabulary.js'
import { AdditionOrder, choosesByOrder, isInOrder, orderWarning } from './addition-order.js'
import { destinationDifferences, isDestinationAsListed, isServiceAsListed, serviceDifferences } from './configuration.js'
import { isNamed, placed, type DesiredEntry, type DesiredState } from './desired.js'
import { Retirement, type Expired } from './draining.js'
import type { TableHandle } from './handle.js'
import type { PlanSettings } from './options.js'
import { planDaemons, planTimeouts } from './plan-settings.js'
import { emptyPlan, type StagedPlan } from './staged.js'
import type { PlannedOperation } from './types.js'

/** Adds elements to a list. Spreading them into a call of `push` would overflow the stack if there are many. */
function append<Element>(to: Element[], elements: readonly Element[]): void {
  for (const element of elements) to.push(element)
}

const servicePath = ({ list, number }: DesiredEntry): string => `${list}[${number}]`

const destinationPath = (entry: DesiredEntry, i: number): string => `${servicePath(entry)}.destinations[${i}]`

/** Whether an entry that should be a service has a key that can be written as text. */
const hasPlainKey = (entry: unknown): entry is ServiceKey =>
  typeof entry === 'object' &&
  entry !== null &&
  Object.values(keyOf(entry as ServiceKey)).every((value) => typeof value === 'string' || typeof value === 'number')

/**
 * Compares a desired table with a listed one, service by service. Each desired entry is packed, found in the table by the bytes of its key,
 * and compared byte by byte. Only differences become objects and words.
 */
class Planner {
  readonly staged = emptyPlan()
  readonly #retirement: Retirement
  readonly #removals: PlannedOperation[] = []
  readonly #draft = new Draft()
  /** By the number of a listed service: 1 if the service is desired. */
  readonly #claimed: Uint8Array
  /** The same for the listed destinations of the service that is being planned. */
  #destinationClaims = new Uint8Array(64)
  readonly #added = new Set<string>()
  #leftServices = 0
  #leftDestinations = 0

  constructor(readonly table: PackedTable, readonly settings: PlanSettings, expired: Expired) {
    this.#claimed = new Uint8Array((table.services.at(-1) ?? -1) + 1)
    this.#retirement = new Retirement(this.staged, settings, expired)
  }

  /** Plans the operations that make a service as desired. */
  *service(entry: DesiredEntry): Steps {
    const { destinations } = entry
    this.#packService(entry)
    const key = this.#draft.serviceKey()
    const service = this.table.find(this.#draft)
    if (service < 0 ? this.#added.has(serviceId(key)) : this.#claimed[service] === 1) throw conflict(servicePath(entry), `names ${serviceWords(key)} a second time`)
    if (!Array.isArray(destinations)) throw invalidType(`${servicePath(entry)}.destinations`, 'an array', destinations)
    if (this.settings.shared && !this.settings.owns(key)) throw conflict(servicePath(entry), `is ${serviceWords(key)}, which is outside what options.owns says`)
    if (service < 0) {
      this.#added.add(serviceId(key))
      yield* this.#addService(key, destinations, entry)
    } else {
      this.#claimed[service] = 1
      yield* this.#changeService(service, key, destinations, entry)
    }
    if (worked()) yield
  }

  /**
   * Puts a desired service into the draft. Entries of other programs can have a configuration that this library refuses to write. Such an
   * entry may be desired exactly as it is listed, so that every snapshot is a valid desired state.
   */
  #packService(entry: DesiredEntry): void {
    const given: unknown = entry.service
    try {
      this.#draft.packService(given)
    } catch (error) {
      const refusal = placed(error, servicePath(entry), 'service')
      if (!isArgumentError(error) || !hasPlainKey(given)) throw refusal
      const service = this.table.numberOf(serviceId(given))
      if (service < 0 || !isServiceAsListed(given, this.table.service(service))) throw refusal
      this.table.copy(service, this.#draft)
    }
  }

  *#addService(key: ServiceKey, desired: readonly unknown[], entry: DesiredEntry): Steps {
    const { build } = this.staged
    const service = this.#draft.service()
    build.push({ type: 'addService', service, reason: 'the service is not in the table' })
    const added = new Set<string>()
    for (let i = 0; i < desired.length; i++) {
      this.#packDestination(key, desired[i], entry, i)
      build.push({ type: 'addDestination', service: key, destination: this.#once(added, entry, i), reason: 'its service is new' })
      if (worked()) yield
    }
    this.#retirement.warnOfZeroWeights(service, key, desired as readonly DestinationInput[])
  }

  #packDestination(key: ServiceKey, destination: unknown, entry: DesiredEntry, i: number): void {
    try {
      this.#draft.packDestination(key, destination)
    } catch (error) {
      throw placed(error, destinationPath(entry, i), 'destination')
    }
  }

  /**
   * Packs a destination of a service that is in the table. As with services, a destination that is refused may be desired exactly as it is
   * listed.
   */
  #packListed(listed: PackedDestinations, key: ServiceKey, destination: unknown, entry: DesiredEntry, i: number): void {
    try {
      this.#packDestination(key, destination, entry, i)
    } catch (error) {
      if (!isArgumentError(error) || !this.#isListed(listed, destination)) throw error
    }
  }

  /** Whether a destination is listed exactly as it is desired. If so, it is put into the draft. */
  #isListed(listed: PackedDestinations, destination: unknown): boolean {
    try {
      this.#draft.packDestinationKey(destination as Destination)
    } catch {
      return false
    }
    const number = listed.find(this.#draft)
    if (number < 0 || !isDestinationAsListed(destination as object, listed.read(number))) return false
    listed.copy(number, this.#draft)
    return true
  }

  /** The packed destination. Refuses one that was added before. */
  #once(added: Set<string>, entry: DesiredEntry, i: number): Destination {
    const destination = this.#draft.destination()
    const id = destinationId(destination)
    if (added.has(id)) throw conflict(destinationPath(entry, i), `names ${endpointWords(destination)} a second time`)
    added.add(id)
    return destination
  }

  *#changeService(service: number, key: ServiceKey, desired: readonly unknown[], entry: DesiredEntry): Steps {
    const { build, retire } = this.staged
    const from = build.length
    const before = from + retire.length
    const order = new AdditionOrder()
    const leftOver = yield* this.#changeDestinations(service, key, desired, entry, order)
    if (order.isOther) this.#warnOfOrder(service, key, entry, from)
    if (!this.table.isConfiguredAs(this.#draft, service)) {
      const configuration = this.#draft.service()
      const differences = serviceDifferences(this.table.service(service), configuration)
      if (differences.length > 0) build.push({ type: 'updateService', service: configuration, reason: differences.join(', ') })
    }
    if (build.length + retire.length > before)
      this.#retirement.warnOfZeroWeights(this.#draft.service(), key, desired as readonly DestinationInput[])
    if (leftOver !== undefined) yield* this.#leave(service, key, leftOver)
  }

  /**
   * Plans the operations that make the destinations of a service as desired. Returns the numbers of the destinations that are not desired,
   * `undefined` if there are none.
   */
  *#changeDestinations(
    service: number, key: ServiceKey, desired: readonly unknown[], entry: DesiredEntry, order: AdditionOrder,
  ): Steps<number[] | undefined> {
    const { build, retire } = this.staged
    const listed = this.table.destinations(service)
    const { count } = listed
    const claimed = this.#claims(count)
    let added: Set<string> | undefined
    let raised: PlannedOperation[] | undefined
    let remaining = count
    for (let i = 0; i < desired.length; i++) {
      if (worked()) yield
      this.#packListed(listed, key, desired[i], entry, i)
      const found = listed.find(this.#draft)
      order.next(found)
      if (found < 0) {
        const destination = this.#once(added ??= new Set(), entry, i)
        build.push({ type: 'addDestination', service: key, destination, reason: 'the destination is not in the table' })
        continue
      }
      if (claimed[found] === 1) throw conflict(destinationPath(entry, i), `names ${endpointWords(this.#draft.destination())} a second time`)
      claimed[found] = 1
      remaining--
      if (listed.isConfiguredAs(this.#draft, found)) continue
      const before = listed.read(found)
      const destination = this.#draft.destination()
      const differences = destinationDifferences(before, destination)
      if (differences.length === 0) continue
      const update: PlannedOperation = { type: 'updateDestination', service: key, destination, reason: differences.join(', ') }
      if (destination.weight < before.weight) retire.push(update)
      else (raised ??= []).push(update)
    }
    if (raised !== undefined) append(build, raised)
    if (remaining === 0) return undefined
    const leftOver: number[] = []
    for (let i = 0; i < count; i++) if (claimed[i] === 0 && !listed.isRepeated(i)) leftOver.push(i)
    return leftOver
  }

  /**
   * Warns if the destinations of a service are not added in the desired order, and its scheduler depends on that order. Does not warn if
   * they are in the order of addresses, because directors of a fleet add them in that order.
   *
   * @param from where the operations of the service begin
   */
  #warnOfOrder(service: number, key: ServiceKey, entry: DesiredEntry, from: number): void {
    const { scheduler = 'wlc' } = entry.service as ServiceInput
    if (!choosesByOrder(scheduler)) return
    const listed = this.table.destinations(service)
    const destinations: DestinationKey[] = []
    for (let i = listed.count - 1; i >= 0; i--) if (this.#destinationClaims[i] === 1) destinations.push(listed.read(i))
    for (const operation of this.staged.build.slice(from)) if (operation.type === 'addDestination') destinations.push(operation.destination)
    if (!isInOrder(destinations)) this.staged.warnings.push(orderWarning(key, scheduler))
  }

  /** An array of `count` zeros. It is reused for each service, because a typed array is expensive to make. */
  #claims(count: number): Uint8Array {
    if (count > this.#destinationClaims.length) this.#destinationClaims = new Uint8Array(2 * count)
    else this.#destinationClaims.fill(0, 0, count)
    return this.#destinationClaims
  }

  /** Plans the removal of undesired destinations of a service that stays. */
  *#leave(service: number, key: ServiceKey, leftOver: readonly number[]): Steps {
    if (!this.settings.prune) {
      this.#leftDestinations += leftOver.length
      return
    }
    const listed = this.table.destinations(service)
    const configuration = this.#draft.service()
    for (const number of leftOver) {
      const destination = listed.read(number)
      const reason = this.#retirement.reason(key, configuration, destination)
      if (reason !== undefined) this.#removeDestination(key, destination, reason)
      if (worked()) yield
    }
  }

  #removeDestination(service: ServiceKey, { address, port }: Destination, reason: string): void {
    this.staged.retire.push({ type: 'removeDestination', service, destination: { address, port }, reason })
  }

  /** Plans the removal of an undesired service. */
  *leftOver(number: number): Steps {
    if (worked()) yield
    const key = this.table.key(number)
    if (this.settings.shared && !this.settings.owns(key)) return
    if (!this.settings.prune) {
      this.#leftServices++
      return
    }
    if ('protocol' in key && !PROTOCOLS.number.has(key.protocol)) {
      this.staged.warnings.push({
        code: 'cannot-remove', service: key, message: `${serviceWords(key)} is not desired and stays: its protocol is none that IPVS balances`,
      })
      return
    }
    const removable = yield* this.#retireAll(number, key)
    if (removable === undefined) this.#removals.push({ type: 'removeService', service: key, reason: 'the service is not desired' })
    else for (const [destination, reason] of removable) this.#removeDestination(key, destination, reason)
  }

  /**
   * Decides how the destinations of an undesired service are removed. Returns `undefined` if none has to drain. Otherwise returns those
   * that can be removed now, with the reasons.
   */
  *#retireAll(number: number, key: ServiceKey): Steps<[Destination, string][] | undefined> {
    if (this.settings.drain === undefined) return undefined
    const listed = this.table.destinations(number)
    const configuration = this.table.service(number)
    const removable: [Destination, string][] = []
    let draining = false
    for (let i = 0; i < listed.count; i++) {
      if (listed.isRepeated(i)) continue
      const destination = listed.read(i)
      const reason = this.#retirement.reason(key, configuration, destination)
      if (reason === undefined) draining = true
      else removable.push([destination, reason])
      if (worked()) yield
    }
    return draining ? removable : undefined
  }

  /** Plans all services: the desired ones, then those that are left over. */
  *services({ services, only }: DesiredState): Steps {
    for (const entry of services) {
      if (only === undefined || isNamed(entry, only)) yield* this.service(entry)
      else if (worked()) yield
    }
    for (const service of this.table.services) if (this.#claimed[service] === 0) yield* this.leftOver(service)
  }

  /**
   * Adds the operations and warnings that come last, and returns the plan.
   *
   * @param tcpFin where destinations drain: the timeout for closed connections that is in force after the plan, in seconds
   */
  finish(tcpFin?: number): StagedPlan {
    const { retire, warnings } = this.staged
    append(retire, this.#removals)
    if (tcpFin !== undefined) this.#retirement.warnOfInactiveConnections(tcpFin)
    const left = [[this.#leftServices, 'service'], [this.#leftDestinations, 'destination']] as const
    const words = left.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}${count === 1 ? '' : 's'}`)
    if (words.length > 0) {
      warnings.push({ code: 'left-over', message: `${words.join(' and ')} of the table not in the desired state, kept because options.prune is 'none'` })
    }
    return this.staged
  }
}

/** A table, and the plan that makes it as desired. */
export interface Found {
  table: PackedTable
  staged: StagedPlan
}

/**
 * Reads the table and plans how it becomes the desired one. If services are named, only these are read and planned. Pauses now and then, so
 * that the event loop is not held for long.
 *
 * @param expired says whether the time limit of a draining destination has passed
 * @param signal ends the reading and the planning, with its reason
 */
export async function look(
  handle: TableHandle, desired: DesiredState, settings: PlanSettings, expired: Expired = () => false, signal?: AbortSignal,
): Promise<Found> {
  const { only } = desired
  const table = await (only === undefined
    ? handle.table({ signal })
    : handle.services([...only.values()], { timeouts: settings.drain !== undefined }))
  const planner = new Planner(table, settings, expired)
  await inPieces(planner.services(desired), signal)
  const { timeouts, daemons } = only === undefined ? desired : { timeouts: undefined, daemons: undefined }
  if (timeouts !== undefined) planTimeouts(timeouts, table.timeouts, planner.staged)
  // A range of services does not say whose a daemon is.
  if (daemons !== undefined) planDaemons(daemons, table.daemons, settings.prune && !settings.shared, planner.staged)
  if (settings.drain === undefined) return { table, staged: planner.finish() }
  const tcpFin = timeouts?.tcpFin === undefined || timeouts.tcpFin === 0 ? table.timeouts.tcpFin : timeouts.tcpFin
  return { table, staged: planner.finish(tcpFin) }
}
