import { constants } from 'node:os'
import { integer, object, refuseUnknown, string, type Known } from '../arguments/validate.js'
import { nativeOptions } from '../client/open-options.js'
import { openError } from '../client/open-error.js'
import { onAbort } from '../client/until-aborted.js'
import { addressFamily } from '../model/address.js'
import { closedError, conflict, invalidType, invalidValue } from '../model/errors.js'
import type { OpenOptions } from '../model/types.js'
import { readText } from '../proc/namespace-file.js'
import type { NativeChannel, NativeOpenOptions } from '../wire/addon.js'
import { addon } from '../wire/load.js'
import { AddressWatch } from './address-watch.js'
import { Conversation, type Answer } from './conversation.js'
import { networkError } from './error.js'
import {
  addressHeader, GROUP, linkHeader, NETLINK_ROUTE, neighbourQuestion, readAddress, readLink, readNeighbour, readRoute, routeQuestion, RTM,
} from './rtnetlink.js'
import type { AddressEvent, InterfaceAddress, Link, Neighbour, Route, RouteOptions } from './types.js'

/** What `Network.open` takes. */
export type NetworkOptions = Pick<OpenOptions, 'netns'>

const OPTIONS: Known = { what: 'the options of open', names: new Set(['netns']) }
const ROUTE_OPTIONS: Known = { what: 'the options of route', names: new Set(['from', 'mark']) }
const EVENT_OPTIONS: Known = { what: 'the options of addressEvents', names: new Set(['signal']) }

const MARK = { min: 1, max: 2 ** 32 - 1 }
const INDEX = { min: 1, max: 2 ** 31 - 1 }

const { ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL, ENOENT } = constants.errno

const RECEIVE_BUFFER_OF_THE_SYSTEM = 0

/** Where a network is. */
type Place = Pick<NativeOpenOptions, 'netnsPath' | 'netnsFd'>

/** @throws IpvsError */
function openChannel(place: Place, groups: readonly number[], options: OpenOptions | undefined): NativeChannel {
  try {
    return addon.openChannel(NETLINK_ROUTE, Uint32Array.from(groups), RECEIVE_BUFFER_OF_THE_SYSTEM, place.netnsPath ?? place.netnsFd)
  } catch (failure) {
    throw openError(failure, place, options)
  }
}

/** What the kernel answers in the place of a route that sends nothing. */
const NO_ROUTE: Partial<Record<number, Route['type']>> = {
  [-ENETUNREACH]: 'unreachable', [-EHOSTUNREACH]: 'unreachable', [-EACCES]: 'prohibit', [-EINVAL]: 'blackhole',
}

function givenAddress(value: unknown, field: string): string {
  const address = string(value, field, 'an IP address, a string')
  if (addressFamily(address) === 0) throw invalidValue(field, 'an IPv4 or IPv6 address', address)
  return address
}

/**
 * The network of one namespace, as the kernel tells it by rtnetlink: addresses, interfaces, routes, neighbours. It changes nothing, and
 * needs no capability in the namespace that the process is in.
 *
 * The event loop never waits for the kernel. Bad input rejects with a `TypeError` or `RangeError` that names the field; what the kernel
 * refuses with an error that has its `code` and `errno`; every call after {@link close} with `ERR_IPVS_CLOSED`.
 *
 * @example
 * ```js
 * import { Network } from 'ipvs/network'
 *
 * const network = await Network.open()
 * for (const { address, interface: name } of await network.addresses()) console.log(address, name)
 * const { type, gateway, interface: by } = await network.route('192.0.2.1')
 * console.log(type, gateway, by)
 * for (const { name, index } of await network.links()) console.log(name, await network.neighbour('192.0.2.1', index))
 * for await (const event of network.addressEvents()) {
 *   console.log(event.type)                                 // first a list, then what changes
 *   break
 * }
 * await network.close()
 * ```
 */
export class Network implements AsyncDisposable {
  readonly #channel: NativeChannel
  readonly #conversation: Conversation
  /** How to open another channel there. */
  readonly #place: Place
  readonly #watches = new Set<AddressWatch>()
  #closed = false

  private constructor(channel: NativeChannel, place: Place) {
    this.#channel = channel
    this.#conversation = new Conversation(channel)
    const isElsewhere = place.netnsPath !== undefined || place.netnsFd !== undefined
    this.#place = isElsewhere && channel.namespace >= 0 ? { netnsFd: channel.namespace } : place
  }

  /**
   * Opens a network namespace: that of the calling thread, or another, as `Ipvs.open` takes it (which needs CAP_SYS_ADMIN).
   *
   * Rejects with an `IpvsError` whose `reason` is 'permission' or 'namespace', as `Ipvs.open` does.
   */
  // eslint-disable-next-line @typescript-eslint/require-await
  static async open(options: NetworkOptions = {}): Promise<Network> {
    refuseUnknown(object(options, 'options'), 'options', OPTIONS)
    const place = nativeOptions(options.netns === undefined ? {} : { netns: options.netns })
    return new Network(openChannel(place, [], options), place)
  }

  /** @internal Descriptor of the namespace, open until the network is closed; negative where there is none. */
  get namespace(): number {
    if (this.#closed) throw closedError()
    return this.#channel.namespace
  }

  /** @internal Reads a file of /proc as a thread inside the namespace would. */
  async readFile(path: string): Promise<string> {
    if (this.#closed) throw closedError()
    return readText(this.#channel, { path, operation: { type: 'getSysctl', name: path } })
  }

  /** Every address of every interface. */
  async addresses(): Promise<InterfaceAddress[]> {
    const names = new Map((await this.links()).map(({ index, name }) => [index, name]))
    const answer = this.#complete(
      'the addresses',
      await this.#conversation.ask({ type: RTM.getAddress, fixed: addressHeader(), dump: true }),
    )
    return answer.map(readAddress).filter((address) => address !== undefined)
      .map((address) => ({ ...address, interface: names.get(address.index) ?? `if${address.index}` }))
  }

  /** Every interface. */
  async links(): Promise<Link[]> {
    const answer = this.#complete('the interfaces', await this.#conversation.ask({ type: RTM.getLink, fixed: linkHeader(), dump: true }))
    return answer.map(readLink).filter((link) => link !== undefined)
  }

  /** What the kernel would do with a packet to an address, as `ip route get` tells it. */
  async route(address: string, options: RouteOptions = {}): Promise<Route> {
    const to = givenAddress(address, 'address')
    const given = object(options, 'options')
    refuseUnknown(given, 'options', ROUTE_OPTIONS)
    const from = given.from === undefined ? undefined : givenAddress(given.from, 'options.from')
    if (from !== undefined && addressFamily(from) !== addressFamily(to)) throw conflict('options.from', 'is not of the address\'s family')
    const mark = given.mark === undefined ? undefined : integer(given.mark, 'options.mark', MARK)
    const answer = await this.#conversation.ask({ type: RTM.getRoute, ...routeQuestion(to, from, mark), dump: false })
    const none = NO_ROUTE[answer.errno]
    if (none) return { type: none, gateway: null, interface: null, source: null }
    const [payload] = this.#complete(`the route to ${to}`, answer)
    const { index, ...route } = readRoute(payload)
    const link = index === 0 ? undefined : (await this.links()).find((one) => one.index === index)
    return { ...route, interface: link?.name ?? null }
  }

  /** What is known of a machine on a link; `undefined` for nothing. Asks nobody. */
  async neighbour(address: string, index: number): Promise<Neighbour | undefined> {
    const question = neighbourQuestion(givenAddress(address, 'address'), integer(index, 'index', INDEX))
    const answer = await this.#conversation.ask({ type: RTM.getNeighbour, ...question, dump: false })
    if (answer.errno === -ENOENT) return undefined
    const [payload] = this.#complete(`neighbour ${address}`, answer)
    return readNeighbour(payload)
  }

  /**
   * What happens to the addresses of the namespace, as it happens: a list of all, then each change. The iteration ends when the signal is
   * aborted and when the network is closed; it keeps the event loop alive meanwhile. A reader may be as slow as it likes.
   */
  addressEvents(options: { signal?: AbortSignal } = {}): AsyncIterableIterator<AddressEvent> {
    const given = object(options, 'options')
    refuseUnknown(given, 'options', EVENT_OPTIONS)
    const { signal } = given
    if (signal !== undefined && !(signal instanceof AbortSignal)) throw invalidType('options.signal', 'an AbortSignal', signal)
    if (this.#closed) throw closedError()
    const channel = openChannel(this.#place, [GROUP.link, GROUP.ipv4Address, GROUP.ipv6Address], undefined)
    let forget = (): void => undefined
    const watch = new AddressWatch(channel, () => {
      forget()
      this.#watches.delete(watch)
    })
    this.#watches.add(watch)
    forget = onAbort(signal, () => watch.close())
    if (signal?.aborted) watch.close()
    return watch
  }

  /** Closes the network at once: questions that were not answered reject, and iterations end. Can be called again. */
  // eslint-disable-next-line @typescript-eslint/require-await
  async close(): Promise<void> {
    this.#closed = true
    for (const watch of [...this.#watches]) watch.close()
    this.#conversation.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #complete(what: string, { payloads, errno }: Answer): DataView[] {
    if (errno !== 0) throw networkError(what, errno)
    return payloads
  }
}
