import { Draft } from '../client/draft.js'
import type { PackedDestinations, PackedTable } from '../client/packed-table.js'
import { conflict, invalidType, isArgumentError } from '../model/errors.js'
import { destinationId, endpointWords, keyOf, serviceId, serviceWords } from '../model/keys.js'
import type { Destination, DestinationInput, ServiceKey } from '../model/types.js'
import { PROTOCOLS } from '../model/vocabulary.js'
import { isNamed, type DesiredEntry, type DesiredState } from './desired.js'
import { destinationDifferences, isDestinationAsListed, isServiceAsListed, serviceDifferences } from './differences.js'
import { located } from './located.js'
import type { PlanSettings } from './options.js'
import { Pause } from './pause.js'
import { planDaemons, planTimeouts } from './plan-settings.js'
import { Retirement, type Expired } from './retire.js'
import { emptyPlan, type StagedPlan } from './staged.js'
import type { PlannedOperation } from './types.js'

/** Spreading a list of any length into a call would overflow the stack. */
function append<Element>(to: Element[], elements: readonly Element[]): void {
  for (const element of elements) to.push(element)
}

/** Whether what should be a service has a key that can be written as text. */
const hasPlainKey = (entry: unknown): entry is ServiceKey =>
  typeof entry === 'object' && entry !== null && Object.values(keyOf(entry as ServiceKey)).every((value) => typeof value === 'string' || typeof value === 'number')

/**
 * Compares a desired table with a listed one, service by service: each desired entry is packed, found in the table by the bytes of its key,
 * and compared with what is there byte by byte. Words are made only of what differs.
 */
class Planner {
  readonly staged = emptyPlan()
  readonly #retirement: Retirement
  readonly #removals: PlannedOperation[] = []
  readonly #draft = new Draft()
  readonly pause = new Pause()
  /** By the number of a listed service: 1 where it is desired. */
  readonly #claimed: Uint8Array
  readonly #added = new Set<string>()
  #leftServices = 0
  #leftDestinations = 0

  constructor(readonly table: PackedTable, readonly settings: PlanSettings, expired: Expired) {
    this.#claimed = new Uint8Array((table.services.at(-1) ?? -1) + 1)
    this.#retirement = new Retirement(this.staged, settings, expired)
  }

  /** Plans what makes a service as desired. */
  async service({ service: given, destinations, list, number }: DesiredEntry): Promise<void> {
    const path = `${list}[${number}]`
    this.#packService(given, path)
    const key = this.#draft.serviceKey()
    const service = this.table.find(this.#draft)
    if (service < 0 ? this.#added.has(serviceId(key)) : this.#claimed[service] === 1) throw conflict(path, `names ${serviceWords(key)} a second time`)
    if (!Array.isArray(destinations)) throw invalidType(`${path}.destinations`, 'an array', destinations)
    if (this.settings.shared && !this.settings.owns(key)) throw conflict(path, `is ${serviceWords(key)}, which is outside what options.owns says`)
    if (service < 0) {
      this.#added.add(serviceId(key))
      await this.#addService(key, destinations, path)
    } else {
      this.#claimed[service] = 1
      await this.#changeService(service, key, destinations, path)
    }
    if (this.pause.isDue()) await this.pause.take()
  }

  /**
   * Puts a desired service into the draft. Other programs' entries can be configured as this library refuses to write: such a one can be
   * desired as it is listed, so that a snapshot is a desired state whatever is in it.
   */
  #packService(entry: unknown, path: string): void {
    try {
      located(path, 'service', () => this.#draft.packService(entry))
    } catch (error) {
      if (!isArgumentError(error) || !hasPlainKey(entry)) throw error
      const number = this.table.numberOf(serviceId(entry))
      if (number < 0 || !isServiceAsListed(entry, this.table.service(number))) throw error
      this.table.copy(number, this.#draft)
    }
  }

  async #addService(key: ServiceKey, desired: readonly unknown[], path: string): Promise<void> {
    const { build } = this.staged
    const service = this.#draft.service()
    build.push({ type: 'addService', service, reason: 'the service is not in the table' })
    const added = new Set<string>()
    for (let i = 0; i < desired.length; i++) {
      this.#packDestination(key, desired[i], path, i)
      build.push({ type: 'addDestination', service: key, destination: this.#once(added, path, i), reason: 'its service is new' })
      if (this.pause.isDue()) await this.pause.take()
    }
    this.#retirement.warnOfZeroWeights(service, key, desired as readonly DestinationInput[])
  }

  #packDestination(key: ServiceKey, destination: unknown, path: string, i: number): void {
    located(`${path}.destinations[${i}]`, 'destination', () => this.#draft.packDestination(key, destination))
  }

  /** Packs a destination of a service that is there. As with services, one that is refused can be desired as it is listed. */
  #packListed(listed: PackedDestinations, key: ServiceKey, destination: unknown, path: string, i: number): void {
    try {
      this.#packDestination(key, destination, path, i)
    } catch (error) {
      if (!isArgumentError(error) || !this.#isListed(listed, destination)) throw error
    }
  }

  /** Whether a destination is listed as it is desired. Then it is in the draft. */
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

  /** The packed destination, which is none of those that were added before. */
  #once(added: Set<string>, path: string, i: number): Destination {
    const destination = this.#draft.destination()
    const id = destinationId(destination)
    if (added.has(id)) throw conflict(`${path}.destinations[${i}]`, `names ${endpointWords(destination)} a second time`)
    added.add(id)
    return destination
  }

  async #changeService(number: number, key: ServiceKey, desired: readonly unknown[], path: string): Promise<void> {
    const { build, retire } = this.staged
    const before = build.length + retire.length
    const leftOver = await this.#changeDestinations(number, key, desired, path)
    if (!this.table.isConfiguredAs(this.#draft, number)) {
      const service = this.#draft.service()
      const differences = serviceDifferences(this.table.service(number), service)
      if (differences.length > 0) build.push({ type: 'updateService', service, reason: differences.join(', ') })
    }
    if (build.length + retire.length > before) this.#retirement.warnOfZeroWeights(this.#draft.service(), key, desired as readonly DestinationInput[])
    if (leftOver.length > 0) await this.#leave(number, key, leftOver)
  }

  /** Plans what makes the destinations of a service as desired; returns the numbers of those that are not desired. */
  async #changeDestinations(service: number, key: ServiceKey, desired: readonly unknown[], path: string): Promise<number[]> {
    const { build, retire } = this.staged
    const listed = this.table.destinations(service)
    const claimed = new Uint8Array(listed.count)
    const added = new Set<string>()
    const raised: PlannedOperation[] = []
    let remaining = listed.count
    for (let i = 0; i < desired.length; i++) {
      if (this.pause.isDue()) await this.pause.take()
      this.#packListed(listed, key, desired[i], path, i)
      const number = listed.find(this.#draft)
      if (number < 0) {
        build.push({ type: 'addDestination', service: key, destination: this.#once(added, path, i), reason: 'the destination is not in the table' })
        continue
      }
      if (claimed[number] === 1) throw conflict(`${path}.destinations[${i}]`, `names ${endpointWords(this.#draft.destination())} a second time`)
      claimed[number] = 1
      remaining--
      if (listed.isConfiguredAs(this.#draft, number)) continue
      const before = listed.read(number)
      const destination = this.#draft.destination()
      const differences = destinationDifferences(before, destination)
      if (differences.length === 0) continue
      const update: PlannedOperation = { type: 'updateDestination', service: key, destination, reason: differences.join(', ') };
      (destination.weight < before.weight ? retire : raised).push(update)
    }
    append(build, raised)
    const leftOver: number[] = []
    if (remaining > 0) for (let number = 0; number < listed.count; number++) if (claimed[number] === 0 && !listed.isRepeated(number)) leftOver.push(number)
    return leftOver
  }

  /** Plans what becomes of destinations that are not desired, of a service that stays. */
  async #leave(service: number, key: ServiceKey, leftOver: readonly number[]): Promise<void> {
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
      if (this.pause.isDue()) await this.pause.take()
    }
  }

  #removeDestination(service: ServiceKey, { address, port }: Destination, reason: string): void {
    this.staged.retire.push({ type: 'removeDestination', service, destination: { address, port }, reason })
  }

  /** Plans what becomes of a service that is not desired. */
  async leftOver(number: number): Promise<void> {
    if (this.#claimed[number] === 1) return
    if (this.pause.isDue()) await this.pause.take()
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
    const removable = await this.#retireAll(number, key)
    if (removable === undefined) this.#removals.push({ type: 'removeService', service: key, reason: 'the service is not desired' })
    else for (const [destination, reason] of removable) this.#removeDestination(key, destination, reason)
  }

  /** The destinations of a service that can be removed now, and why, where others have to drain first; `undefined` where none has to. */
  async #retireAll(number: number, key: ServiceKey): Promise<[Destination, string][] | undefined> {
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
      if (this.pause.isDue()) await this.pause.take()
    }
    return draining ? removable : undefined
  }

  /** @param tcpFin the timeout for closed connections, as it is going to be */
  finish(tcpFin: number): StagedPlan {
    const { retire, warnings } = this.staged
    append(retire, this.#removals)
    this.#retirement.warnOfInactiveConnections(tcpFin)
    const left = [[this.#leftServices, 'service'], [this.#leftDestinations, 'destination']] as const
    const words = left.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}${count === 1 ? '' : 's'}`)
    if (words.length > 0) {
      warnings.push({ code: 'left-over', message: `${words.join(' and ')} of the table not in the desired state, kept because options.prune is 'none'` })
    }
    return this.staged
  }
}

/**
 * Plans how the listed table becomes the desired one. Where some services are named, these alone: then the table has nothing else. The event
 * loop has its turns meanwhile.
 */
export async function planTable(desired: DesiredState, table: PackedTable, settings: PlanSettings, expired: Expired = () => false): Promise<StagedPlan> {
  const planner = new Planner(table, settings, expired)
  const { only } = desired
  for (const entry of desired.services) {
    if (only === undefined || isNamed(entry, only)) await planner.service(entry)
    else if (planner.pause.isDue()) await planner.pause.take()
  }
  for (const service of table.services) await planner.leftOver(service)
  const { timeouts, daemons } = only === undefined ? desired : { timeouts: undefined, daemons: undefined }
  if (timeouts !== undefined) planTimeouts(timeouts, table.timeouts, planner.staged)
  // No range of services says whose a daemon is.
  if (daemons !== undefined) planDaemons(daemons, table.daemons, settings.prune && !settings.shared, planner.staged)
  return planner.finish(timeouts?.tcpFin === undefined || timeouts.tcpFin === 0 ? table.timeouts.tcpFin : timeouts.tcpFin)
}
