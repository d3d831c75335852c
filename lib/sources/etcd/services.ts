import { isDeepStrictEqual } from 'node:util'
import type { DirectedDestination, DirectedService } from '../../configuration/index.js'
import { pause, worked } from '../../client/pause.js'
import { canonicalAddress, parseAddress } from '../../model/address.js'
import { endpointWords, hasMark, serviceWords } from '../../model/keys.js'
import { subjectOf } from './keys.js'
import type { KeyProblem } from './types.js'
import { readDestination, readService, whyNotIn, type Judged, type Judgement, type Refused } from './value.js'

/** A key's new value; `undefined` for a key that is gone. */
export interface Change {
  /** Without what all keys of services begin with: 'web', 'web/destinations/a'. */
  key: string
  value: Uint8Array | undefined
}

/** A key with a value that is good. */
export interface GoodValue {
  /** Without what all keys of services begin with. */
  key: string
  value: DirectedService | DirectedDestination
}

/** A key that there is: what is wrong with its value, and the last value that was good. */
interface Held<Type> {
  refused?: Refused
  good?: Type
}

/** All that is known of a service's name. */
interface Named {
  base?: Held<DirectedService>
  registered: Map<string, Held<DirectedDestination>>
  /** As it is in force. */
  service?: DirectedService
  /** What tells the service from others, in words, while it is in force. */
  id?: string
}

/** Units of work (see `worked`) that a key takes, and the bytes of its value for each unit more. */
const [UNITS, BYTES] = [16, 16]

/** The place of an address among others, which is the same on all directors. */
const scratch = Buffer.alloc(16)
function addressOrder(address: string): string {
  const family = parseAddress(address, scratch, 0)
  return `${family}${scratch.toString('hex', 0, family === 4 ? 4 : 16)}`
}

/**
 * Sorts destinations by address and port. Some schedulers (mh, sh) choose by the order in which destinations were added, and all directors
 * of a fleet must choose alike.
 */
function sorted(destinations: readonly DirectedDestination[]): DirectedDestination[] {
  const keyed = destinations.map((destination) => ({ destination, order: addressOrder(destination.address) }))
  keyed.sort((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : a.destination.port - b.destination.port))
  return keyed.map(({ destination }) => destination)
}

/** Not by a spread, which gives every object a hidden class of its own, and there are thousands. */
const withDestinations = (service: DirectedService, destinations: DirectedDestination[]): DirectedService =>
  Object.assign({}, service, { destinations })

const endpointOf = ({ address, port }: { address: string, port: number }): string =>
  endpointWords({ address: canonicalAddress(address)!, port })

/** What tells a service from others, in words. */
export const idOf = (service: DirectedService): string =>
  serviceWords(hasMark(service) ? service : { ...service, address: canonicalAddress(service.address)! })

const taken = (id: string, holder: string): Refused => ({ message: `is ${id} a second time: ${holder} is that already`, mistakes: [] })

/** What a key holds after a new value: the last good one stays where this one is refused. */
const hold = <Type>({ good, refused }: Judged<Type>, before: Held<Type> | undefined): Held<Type> =>
  refused === undefined ? { good } : { refused, good: before?.good }

/**
 * The services that the keys of a prefix stand for. A service or destination whose new value is refused stays as it was, with its last good
 * value. Nothing else depends on it.
 */
export class Services {
  readonly #prefix: string
  readonly #judgement: Judgement
  readonly #names = new Map<string, Named>()
  /** Which name has a service, by what tells services apart. */
  readonly #holders = new Map<string, string>()
  /** Names whose service another name has. */
  readonly #waiting = new Set<string>()
  /** By the key below the prefix. */
  readonly #problems = new Map<string, Refused>()
  /** Names whose service may be another than when {@link changed} was asked last. */
  readonly #changed = new Set<string>()

  /**
   * @param prefix what all keys of services begin with
   * @param judgement what values are judged by
   */
  constructor(prefix: string, judgement: Judgement) {
    this.#prefix = prefix
    this.#judgement = judgement
  }

  /** All keys that there are. */
  * keys(): Generator<string> {
    for (const [name, { base, registered }] of this.#names) {
      if (base !== undefined) yield name
      for (const id of registered.keys()) yield `${name}/destinations/${id}`
    }
  }

  /** The last good value of each key. */
  * goodValues(): Generator<GoodValue> {
    for (const [name, { base, registered }] of this.#names) {
      if (base?.good !== undefined) yield { key: name, value: base.good }
      for (const [id, { good }] of registered) if (good !== undefined) yield { key: `${name}/destinations/${id}`, value: good }
    }
  }

  /** Number of services in force. */
  get count(): number {
    return this.#holders.size
  }

  /** Keys whose values are refused. */
  problems(): KeyProblem[] {
    return [...this.#problems].map(([key, refused]) => ({ key: `${this.#prefix}${key}`, ...refused }))
  }

  /** The services in force of names that have changed since this was asked last; `undefined` for a name that has none. */
  changed(): Map<string, DirectedService | undefined> {
    const changed = new Map([...this.#changed].map((name) => [name, this.#names.get(name)?.service]))
    this.#changed.clear()
    return changed
  }

  /** Takes changes, which belong together. Holds the event loop for a moment at a time. */
  async change(changes: Iterable<Change>): Promise<void> {
    const touched = new Set<string>()
    for (const { key, value } of changes) {
      const name = this.#store(key, value)
      if (name !== undefined) touched.add(name)
      if (worked(UNITS + (value?.length ?? 0) / BYTES)) await pause()
    }
    // A service that changes its address, or goes, makes room for others that change with it.
    for (const name of touched) this.#release(name)
    for (const name of [...touched].sort()) {
      this.#renew(name)
      if (worked(UNITS)) await pause()
    }
    // One that has waited for its service gets it when it is free, and may free another.
    for (let next = this.#ready(); next !== undefined; next = this.#ready()) {
      this.#release(next)
      this.#renew(next)
    }
  }

  /** The first name that has waited for a service which no other name has any more. */
  #ready(): string | undefined {
    return [...this.#waiting].sort().find((name) => !this.#holders.has(idOf(this.#names.get(name)!.base!.good!)))
  }

  /** Stores a value. Returns the name of the service that it is about, `undefined` for a key that stands for nothing. */
  #store(key: string, value: Uint8Array | undefined): string | undefined {
    const subject = subjectOf(key)
    if (subject === undefined) {
      const message = 'stands for nothing: the name of a service is expected, or NAME/destinations/ID'
      this.#problem(key, value === undefined ? undefined : { message, mistakes: [] })
      return undefined
    }
    const { name, id } = subject
    let named = this.#names.get(name)
    if (named === undefined) {
      if (value === undefined) return undefined
      this.#names.set(name, named = { registered: new Map() })
    }
    if (value === undefined) {
      this.#problem(key, undefined)
      if (id === undefined) named.base = undefined
      else named.registered.delete(id)
    } else if (id === undefined) named.base = hold(readService(value, this.#judgement), named.base)
    else named.registered.set(id, hold(readDestination(value, this.#judgement), named.registered.get(id)))
    return name
  }

  /** Gives up what the name has, unless it goes on to have it. */
  #release(name: string): void {
    const named = this.#names.get(name)!
    const { id, base } = named
    if (id === undefined || base?.good !== undefined && idOf(base.good) === id) return
    this.#holders.delete(id)
    named.id = undefined
  }

  /** Works out anew what a name has in force. What says the same as before stays the same object, and has not changed. */
  #renew(name: string): void {
    const before = this.#names.get(name)!.service
    this.#claim(name)
    const named = this.#names.get(name)
    if (named !== undefined && isDeepStrictEqual(before, named.service)) named.service = before
    if (before !== named?.service) this.#changed.add(name)
  }

  /** Puts the service of a name in force, as far as it is good and no other name has it. */
  #claim(name: string): void {
    const named = this.#names.get(name)!
    const { base, registered, service: before } = named
    this.#waiting.delete(name)
    named.service = undefined
    if (base === undefined && registered.size === 0) {
      this.#names.delete(name)
      return
    }
    if (base?.good === undefined) {
      this.#problem(name, base?.refused)
      const message = `belongs to service ${name}, which is not there${base === undefined ? '' : ', because its value is refused'}`
      const refused = { message, mistakes: [] }
      for (const [id, held] of registered) this.#problem(`${name}/destinations/${id}`, held.refused ?? refused)
      return
    }
    const id = idOf(base.good)
    const holder = this.#holders.get(id)
    if (holder !== undefined && holder !== name) {
      this.#waiting.add(name)
      this.#problem(name, taken(id, `${this.#prefix}${holder}`))
      // What was in force stays, if it is another service that nobody else has taken.
      if (before !== undefined && !this.#holders.has(idOf(before))) this.#put(name, named, before)
      return
    }
    this.#problem(name, base.refused)
    this.#put(name, named, registered.size === 0 ? base.good : this.#withRegistered(name, base.good, registered))
  }

  #put(name: string, named: Named, service: DirectedService): void {
    named.service = withDestinations(service, sorted(service.destinations ?? []))
    named.id = idOf(service)
    this.#holders.set(named.id, name)
  }

  /** A service with the destinations that have registered themselves and go with it. */
  #withRegistered(name: string, service: DirectedService, registered: Map<string, Held<DirectedDestination>>): DirectedService {
    const destinations = [...service.destinations ?? []]
    const there = new Map(destinations.map((one) => [endpointOf(one), `the service's own list`]))
    for (const [id, { good, refused }] of [...registered].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const key = `${name}/destinations/${id}`
      const why = good === undefined ? refused : whyNotIn(service, good, this.#judgement)
      const at = good === undefined ? '' : endpointOf(good)
      const before = there.get(at)
      if (good !== undefined && why === undefined && before === undefined) {
        destinations.push(good)
        there.set(at, `destinations/${id}`)
      }
      this.#problem(key, refused ?? why ?? (before === undefined ? undefined : taken(at, before)))
    }
    return withDestinations(service, destinations)
  }

  #problem(key: string, refused: Refused | undefined): void {
    if (refused === undefined) this.#problems.delete(key)
    else this.#problems.set(key, refused)
  }
}
