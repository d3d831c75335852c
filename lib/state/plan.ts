import { setImmediate as turn } from 'node:timers/promises'
import { conflict, invalidType } from '../model/errors.js'
import { changes } from '../client/operations.js'
import { Requests } from '../wire/pack/requests.js'
import type {
  Daemon, Destination, DestinationInput, ListedDestination, Service, ServiceKey, Timeouts,
} from '../model/types.js'
import { PROTOCOLS } from '../model/vocabulary.js'
import { destinationDifferences, serviceDifferences, surelyAsListed, surelyConfiguredAsListed } from './compare.js'
import {
  canonicalDaemon, completeDestination, completeService, configurationOf, destinationId, endpointWords, isSpelled, keyOf, located, objection, serviceId, serviceWords,
} from './complete.js'
import type { CurrentTable } from './current.js'
import type { DesiredState } from './desired.js'
import { connectionsGone, connectionsOf, TIME_WAIT, turnsClientsAway, type DrainingServices } from './draining.js'
import type { PlanSettings } from './options.js'
import type { DesiredService, DrainingDestination, PlannedOperation, PlanWarning } from './types.js'

/** Destinations that are compared between two turns of the event loop: at most a few milliseconds' worth, even if all of them are new. */
const SLICE = 1000

/** Up to this many destinations of a service, looking at each is quicker than a map. */
const FEW = 16

/** A plan in the stages it is carried out in. */
export interface StagedPlan extends DrainingServices {
  /** Adds and changes, and everything that must come before them. */
  build: PlannedOperation[]
  /** What takes capacity away. */
  retire: PlannedOperation[]
  /** Sync daemons that start or start anew; they refuse to while destinations of the other address family are there. */
  finish: PlannedOperation[]
  warnings: PlanWarning[]
  draining: DrainingDestination[]
}

/** Spreading a list of any length into a call would overflow the stack. */
function append<Element>(to: Element[], elements: readonly Element[]): void {
  for (const element of elements) to.push(element)
}

/** What a run of draining remembers: whether a destination's time limit has passed. */
export type Expired = (service: ServiceKey, destination: ListedDestination) => boolean

const never = (): boolean => false

/** Which elements of a listing have been claimed by something desired; used again from service to service. */
class Claims {
  #claimed = new Uint8Array(64)

  reset(length: number): void {
    if (length > this.#claimed.length) this.#claimed = new Uint8Array(length * 2)
    else this.#claimed.fill(0, 0, length)
  }

  has(i: number): boolean {
    return this.#claimed[i] === 1
  }

  add(i: number): void {
    this.#claimed[i] = 1
  }
}

/** The desired service with the same key as a listed one, by its values alone: true only where both are spelled alike. */
function spelledAlike(desired: DesiredService, listed: Service): boolean {
  if ('fwmark' in listed) return 'fwmark' in desired && desired.fwmark === listed.fwmark && desired.family === listed.family
  return 'address' in desired && desired.port === listed.port && desired.address === listed.address && desired.protocol === listed.protocol
}

/** Compares a desired table with a listed one, service by service. */
class Planner {
  readonly staged: StagedPlan = { build: [], retire: [], finish: [], warnings: [], draining: [], affinity: undefined, oneWay: undefined }
  readonly #removals: PlannedOperation[] = []
  readonly #claims = new Claims()
  readonly #serviceClaims = new Claims()
  readonly #added = new Set<string>()
  #byId: Map<string, number> | undefined
  #next = 0
  #leftServices = 0
  #leftDestinations = 0
  /** A service over TCP with a draining destination whose closed connections are waited for, and seen to be in TIME_WAIT. */
  #timeWait: ServiceKey | undefined
  /** The timeout for closed connections, as it will be. */
  #tcpFin: number

  constructor(readonly current: CurrentTable, readonly settings: PlanSettings, readonly expired: Expired) {
    this.#serviceClaims.reset(current.services.length)
    this.#tcpFin = current.timeouts.tcpFin
  }

  /** Whether services will have to be looked for. The kernel lists them in the order of its hash table, so that where the first is another, all are. */
  needsIndex(desired: readonly DesiredService[]): boolean {
    const { services, matches } = this.current
    if (desired.length === 0 || services.length === 0) return false
    if (matches !== undefined) return matches.listed.includes(-1)
    const [first] = desired as unknown[]
    return typeof first !== 'object' || first === null || !spelledAlike(first as DesiredService, services.at(0)!)
  }

  /** Compares a desired service with the listed one. Returns how many destinations were looked at. */
  service(number: number, entry: DesiredService, destinations: unknown): number {
    const path = `desired.services[${number}]`
    if (typeof entry !== 'object' || entry === null) throw invalidType(path, 'an object', entry)
    const { matches } = this.current
    let index = matches === undefined ? this.#next : matches.listed[number]
    let listed = this.#listed(index)
    let complete: Service | undefined
    if (listed === undefined || this.#serviceClaims.has(index) || !spelledAlike(entry, listed)) {
      // The kernel lists services in the order of its hash table.
      index = isSpelled(entry) ? this.#find(entry) : -1
      listed = this.#listed(index)
      if (listed === undefined || !spelledAlike(entry, listed)) {
        complete = this.#complete(entry, path)
        index = this.#find(complete)
        listed = this.#listed(index)
      }
    }
    if (listed === undefined ? this.#added.has(serviceId(complete!)) : this.#serviceClaims.has(index)) {
      throw conflict(path, `names ${serviceWords(complete ?? listed!)} a second time`)
    }
    const other = matches?.desired[index] ?? -1
    if (other >= 0 && other !== number) throw conflict(`desired.services[${Math.max(number, other)}]`, `names ${serviceWords(listed!)} a second time`)
    if (!Array.isArray(destinations)) throw invalidType(`${path}.destinations`, 'an array', destinations)
    const key = keyOf(complete ?? listed!)
    if (this.settings.shared && !this.settings.owns(key)) throw conflict(path, `is ${serviceWords(key)}, which is outside what options.owns says`)
    if (listed === undefined) {
      this.#added.add(serviceId(key))
      this.#addService(complete!, key, destinations as DestinationInput[], path)
    } else {
      this.#serviceClaims.add(index)
      this.#next = index + 1
      this.#changeService(entry, complete, key, listed, index, destinations as DestinationInput[], path)
    }
    return (listed === undefined ? 0 : this.current.destinations[index].count) + destinations.length + 1
  }

  #listed(index: number): Service | undefined {
    return index < 0 ? undefined : this.current.services.at(index)
  }

  #complete(entry: DesiredService, path: string): Service {
    const service = { ...entry }
    delete service.destinations
    return located(path, 'service', () => completeService(service))
  }

  #find(service: ServiceKey): number {
    if (this.#byId === undefined) {
      const index = this.index()
      while (index.next().done !== true);
    }
    return this.#byId!.get(serviceId(service)) ?? -1
  }

  /** Makes it possible to find services whatever their order; stops for a breath now and then. */
  *index(): Generator<void> {
    const byId = new Map<string, number>()
    const { services } = this.current
    for (let i = 0; i < services.length; i++) {
      byId.set(serviceId(services.at(i)!), i)
      if (i % SLICE === SLICE - 1) yield
    }
    this.#byId = byId
  }

  #addService(service: Service, key: ServiceKey, destinations: DestinationInput[], path: string): void {
    const { build } = this.staged
    build.push({ type: 'addService', service, reason: 'the service is not in the table' })
    const added = new Set<string>()
    for (let i = 0; i < destinations.length; i++) {
      const destination = this.#completeDestination(key, destinations[i], path, i)
      this.#once(added, destination, path, i)
      build.push({ type: 'addDestination', service: key, destination, reason: 'its service is new' })
    }
    this.#warnOfZeroWeights(service, key, destinations)
  }

  #completeDestination(key: ServiceKey, destination: DestinationInput, path: string, i: number): Destination {
    return located(`${path}.destinations[${i}]`, 'destination', () => completeDestination(key, destination))
  }

  #once(seen: Set<string>, destination: Destination, path: string, i: number): void {
    const id = destinationId(destination)
    if (seen.has(id)) throw conflict(`${path}.destinations[${i}]`, `names ${endpointWords(destination)} a second time`)
    seen.add(id)
  }

  #changeService(entry: DesiredService, known: Service | undefined, key: ServiceKey, listed: Service, index: number, desired: DestinationInput[], path: string): void {
    const { build, retire } = this.staged
    const before = build.length + retire.length
    const destinations = this.current.destinations[index]
    const leftOver = destinations.are(desired) ? [] : this.#destinations(key, destinations.read(), desired, path)
    let service: Service = listed
    if (!surelyConfiguredAsListed(entry, listed)) {
      service = known ?? this.#complete(entry, path)
      const differences = serviceDifferences(listed, service)
      if (differences.length > 0) build.push({ type: 'updateService', service: { ...service, ...key }, reason: differences.join(', ') })
    }
    if (build.length + retire.length > before) this.#warnOfZeroWeights(service, key, desired)
    if (leftOver.length > 0) this.#leave(service, key, leftOver)
  }

  /** Plans what makes the destinations of a service as desired; returns those that are not. */
  #destinations(key: ServiceKey, listed: ListedDestination[], desired: DestinationInput[], path: string): ListedDestination[] {
    const { build, retire } = this.staged
    const claims = this.#claims
    claims.reset(listed.length)
    let claimed = 0
    let added: Set<string> | undefined
    let byId: Map<string, number> | undefined
    const raised: PlannedOperation[] = []
    const find = (address: string, port: number): number => {
      if (listed.length <= FEW) return listed.findIndex((other) => other.port === port && other.address === address)
      byId ??= new Map(listed.map((destination, i) => [destinationId(destination), i]))
      return byId.get(`${address} ${port}`) ?? -1
    }
    // The kernel lists the destinations of a service from the last that was added to the first, other programs' tables run the other way.
    const last = listed.length - 1
    const backwards = desired.length > 0 && last > 0 && listed[last].port === desired[0]?.port && listed[last].address === desired[0].address
    let next = backwards ? last : 0
    const step = backwards ? -1 : 1
    for (let i = 0; i < desired.length; i++) {
      const destination = desired[i]
      if (typeof destination !== 'object' || destination === null) throw invalidType(`${path}.destinations[${i}]`, 'an object', destination)
      const { address, port } = destination
      let complete: Destination | undefined
      let at = next
      let other = listed[at]
      if (other === undefined || other.port !== port || other.address !== address) {
        at = typeof address === 'string' && typeof port === 'number' ? find(address, port) : -1
        if (at < 0) {
          complete = this.#completeDestination(key, destination, path, i)
          at = find(complete.address, complete.port)
        }
        if (at < 0) {
          this.#once(added ??= new Set(), complete!, path, i)
          build.push({ type: 'addDestination', service: key, destination: complete!, reason: 'the destination is not in the table' })
          continue
        }
        other = listed[at]
      }
      if (claims.has(at)) throw conflict(`${path}.destinations[${i}]`, `names ${endpointWords(other)} a second time`)
      claims.add(at)
      claimed++
      next = at + step
      if (surelyAsListed(destination, other)) continue
      complete ??= this.#completeDestination(key, destination, path, i)
      const differences = destinationDifferences(other, complete)
      if (differences.length === 0) continue
      const update: PlannedOperation = { type: 'updateDestination', service: key, destination: complete, reason: differences.join(', ') };
      (complete.weight < other.weight ? retire : raised).push(update)
    }
    append(build, raised)
    if (claimed === listed.length) return []
    // A dump that was edited while it was read can have an entry twice.
    const kept = new Set<string>()
    for (let i = 0; i < listed.length; i++) if (claims.has(i)) kept.add(destinationId(listed[i]))
    return listed.filter((destination) => {
      const id = destinationId(destination)
      if (kept.has(id)) return false
      kept.add(id)
      return true
    })
  }

  /** Destinations of a service that stays, which nobody wants. */
  #leave(service: Service, key: ServiceKey, destinations: ListedDestination[]): void {
    if (!this.settings.prune) {
      this.#leftDestinations += destinations.length
      return
    }
    for (const destination of destinations) {
      const reason = this.#whyGone(key, service, destination)
      if (reason !== undefined) this.#removeDestination(key, destination, reason)
    }
  }

  #removeDestination(service: ServiceKey, { address, port }: ListedDestination, reason: string): void {
    this.staged.retire.push({ type: 'removeDestination', service, destination: { address, port }, reason })
  }

  /** Why a destination can go; `undefined` where it drains, or begins to. */
  #whyGone(key: ServiceKey, service: Service, destination: ListedDestination): string | undefined {
    const { drain } = this.settings
    if (drain === undefined) return 'the destination is not desired'
    if (this.expired(key, destination)) return 'the destination is not desired, and its time to drain has passed'
    if (destination.weight === 0) {
      if (connectionsGone(destination, drain.until, service.persistence)) return 'the destination is not desired, and drained'
    } else {
      const lowered: PlannedOperation = {
        type: 'updateDestination', service: key, destination: { ...configurationOf(destination), weight: 0 },
        reason: `the destination is not desired: weight ${destination.weight} → 0, to drain it`,
      }
      const obstacle = objection(lowered)
      if (obstacle !== undefined) return `the destination is not desired, and cannot be brought to weight 0 to drain it: ${obstacle}`
      this.staged.retire.push(lowered)
    }
    this.#warnOfRefusedClients(service, key, endpointWords(destination))
    this.#note(key, service, destination, drain.until)
    this.staged.draining.push({ service: key, destination: { address: destination.address, port: destination.port }, ...connectionsOf(destination) })
    return undefined
  }

  /** Keeps in mind what there is to say about a draining destination. */
  #note(key: ServiceKey, { persistence }: Service, { forward }: ListedDestination, until: 'all' | 'established'): void {
    const { staged } = this
    if (persistence !== null) staged.affinity ??= key
    if ('protocol' in key && key.protocol !== 'tcp') return
    const waitsForClosed = until === 'all' || persistence !== null
    if (waitsForClosed && forward === 'nat') this.#timeWait ??= key
    if (!waitsForClosed && (forward === 'dr' || forward === 'tun')) staged.oneWay ??= key
  }

  #warnOfInactiveConnections(): void {
    const { affinity, warnings } = this.staged
    if (affinity !== undefined && this.settings.drain?.until === 'established') {
      warnings.push({
        code: 'inactive-connections', service: affinity,
        message: `${serviceWords(affinity)}: a persistence template stays until the last of its connections is forgotten, closed ones too; until 'established' waits as long as 'all' where a service has persistence`,
      })
    }
    const timeWait = this.#timeWait
    if (timeWait !== undefined && this.#tcpFin !== TIME_WAIT) {
      warnings.push({
        code: 'inactive-connections', service: timeWait,
        message: `${serviceWords(timeWait)}: with nat, the kernel remembers closed connections for ${TIME_WAIT} seconds, whatever timeouts.tcpFin says (${this.#tcpFin}); `
          + 'until \'established\' does not wait for them where a service has no persistence',
      })
    }
  }

  #warnOfZeroWeights(service: Service, key: ServiceKey, destinations: DestinationInput[]): void {
    const zero = destinations.find(({ weight }) => weight === 0)
    if (zero !== undefined) this.#warnOfRefusedClients(service, key, endpointWords(zero))
  }

  readonly #warned = new Set<string>()

  #warnOfRefusedClients(service: Service, key: ServiceKey, destination: string): void {
    const advice = turnsClientsAway(service)
    if (advice === undefined || this.#warned.has(serviceId(key))) return
    this.#warned.add(serviceId(key))
    this.staged.warnings.push({ code: 'refuses-clients', service: key, message: `${serviceWords(key)}: scheduler '${service.scheduler}' refuses clients that hash to a destination of weight 0 (${destination}); ${advice}` })
  }

  /** Services that nobody wants. Returns how many destinations were looked at. */
  leftOver(index: number): number {
    if (this.#serviceClaims.has(index)) return 1
    const service = this.current.services.at(index)!
    const id = serviceId(service)
    if (this.#gone.has(id) || this.#claimedElsewhere(id, index)) return 1
    this.#gone.add(id)
    const key = keyOf(service)
    if (this.settings.shared && !this.settings.owns(key)) return 1
    if (!this.settings.prune) {
      this.#leftServices++
      return 1
    }
    if ('protocol' in key && !PROTOCOLS.number.has(key.protocol)) {
      this.staged.warnings.push({ code: 'cannot-remove', service: key, message: `${serviceWords(key)} is not desired and stays: its protocol is none that IPVS balances` })
      return 1
    }
    const destinations = this.current.destinations[index].read()
    const reasons = destinations.map((destination) => this.#whyGone(key, service, destination))
    if (!reasons.includes(undefined)) this.#removals.push({ type: 'removeService', service: key, reason: 'the service is not desired' })
    else reasons.forEach((reason, i) => reason === undefined || this.#removeDestination(key, destinations[i], reason))
    return 1 + destinations.length
  }

  readonly #gone = new Set<string>()

  /** Whether a dump had the service twice, and the other one was found. */
  #claimedElsewhere(id: string, index: number): boolean {
    const other = this.#byId?.get(id)
    return other !== undefined && other !== index && this.#serviceClaims.has(other)
  }

  timeouts(desired: Partial<Timeouts>): void {
    located('desired.timeouts', 'timeouts', () => changes.setTimeouts.pack(new Requests(256), desired, undefined))
    if (desired.tcpFin !== undefined && desired.tcpFin !== 0) this.#tcpFin = desired.tcpFin
    const changed = (['tcp', 'tcpFin', 'udp'] as const).filter((name) => desired[name] !== undefined && desired[name] !== 0 && desired[name] !== this.current.timeouts[name])
    if (changed.length === 0) return
    this.staged.build.push({
      type: 'setTimeouts', timeouts: Object.fromEntries(changed.map((name) => [name, desired[name]])),
      reason: changed.map((name) => `${name} ${this.current.timeouts[name]} → ${desired[name]} seconds`).join(', '),
    })
  }

  daemons(desired: readonly unknown[]): void {
    const { daemons } = this.current
    const roles = new Set<unknown>()
    desired.forEach((entry, i) => {
      const path = `desired.daemons[${i}]`
      const daemon = located(path, 'daemon', () => canonicalDaemon(entry as Daemon))
      if (roles.has(daemon.role)) throw conflict(`${path}.role`, `is '${daemon.role}' a second time: there can be one daemon of each role`)
      roles.add(daemon.role)
      const running = daemons.find(({ role }) => role === daemon.role)
      if (running === undefined) {
        this.staged.finish.push({ type: 'startDaemon', daemon, reason: 'the daemon is not running' })
        return
      }
      const differences = daemonDifferences(running, daemon)
      if (differences.length === 0) return
      const reason = `${differences.join(', ')}: a daemon that runs cannot be changed`
      this.staged.finish.push({ type: 'stopDaemon', daemon: { role: daemon.role }, reason }, { type: 'startDaemon', daemon, reason })
    })
    // No range of services says whose a daemon is.
    if (!this.settings.prune || this.settings.shared) return
    for (const { role } of daemons) {
      if (!roles.has(role)) this.staged.build.unshift({ type: 'stopDaemon', daemon: { role }, reason: 'the daemon is not desired' })
    }
  }

  finish(): StagedPlan {
    const { retire, warnings } = this.staged
    append(retire, this.#removals)
    this.#warnOfInactiveConnections()
    const left = [[this.#leftServices, 'service'], [this.#leftDestinations, 'destination']] as const
    const words = left.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}${count === 1 ? '' : 's'}`)
    if (words.length > 0) warnings.push({ code: 'left-over', message: `${words.join(' and ')} of the table not in the desired state, kept because options.prune is 'none'` })
    return this.staged
  }
}

/** Smallest message of a backup: the kernel raises what is below (`start_sync_thread`). */
const BACKUP_MIN_LENGTH = 1024
/** Largest sync message within a UDP datagram over IPv6; the kernel lowers what is above. */
const IPV6_MAX_LENGTH = 65535 - 48

/** The kernel fits the length of messages to the role and the group. */
function kernelLength(maxLength: number, role: string, group: string): number {
  const atLeast = role === 'backup' ? Math.max(maxLength, BACKUP_MIN_LENGTH) : maxLength
  return group.includes(':') ? Math.min(atLeast, IPV6_MAX_LENGTH) : atLeast
}

function daemonDifferences(running: Daemon, desired: Partial<Daemon>): string[] {
  const length = desired.maxLength === undefined ? {} : { maxLength: kernelLength(desired.maxLength, running.role, desired.group ?? running.group) }
  return Object.entries({ ...desired, ...length }).filter(([name, value]) => running[name as keyof Daemon] !== value)
    .map(([name, value]) => `${name} ${running[name as keyof Daemon]} → ${value}`)
}

/** Plans how the listed table becomes the desired one. In pieces: the event loop is never held for long. */
export async function planTable(desired: DesiredState, current: CurrentTable, settings: PlanSettings, expired: Expired = never): Promise<StagedPlan> {
  const planner = new Planner(current, settings, expired)
  let seen = 0
  const pause = async (): Promise<void> => {
    seen = 0
    await turn()
  }
  if (planner.needsIndex(desired.services)) {
    const index = planner.index()
    while (index.next().done !== true) await pause()
  }
  for (let i = 0; i < desired.services.length; i++) {
    seen += planner.service(i, desired.services[i], desired.destinations[i])
    if (seen >= SLICE) await pause()
  }
  for (let i = 0; i < current.services.length; i++) {
    seen += planner.leftOver(i)
    if (seen >= SLICE) await pause()
  }
  if (desired.timeouts !== undefined) planner.timeouts(desired.timeouts)
  if (desired.daemons !== undefined) planner.daemons(desired.daemons)
  return planner.finish()
}

/** All operations of a plan, in order. */
export const operationsOf = ({ build, retire, finish }: StagedPlan): PlannedOperation[] => [...build, ...retire, ...finish]

