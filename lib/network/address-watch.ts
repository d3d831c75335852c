import { constants } from 'node:os'
import type { NativeChannel } from '../wire/addon.js'
import { networkError } from './error.js'
import { messagesOf, request, type Message } from './message.js'
import { addressHeader, linkHeader, readAddress, readLink, RTM } from './rtnetlink.js'
import type { AddressEvent, InterfaceAddress } from './types.js'

type Unnamed = Omit<InterfaceAddress, 'interface'>

/** So many events may wait for a slow reader. With more, a list takes their place. */
const MOST_WAITING = 1_000

const keyOf = ({ index, address, prefixLength }: Unnamed): string => `${index} ${address}/${prefixLength}`

const same = (one: Unnamed, other: Unnamed): boolean => one.scope === other.scope && one.tentative === other.tentative

/** The lists that are asked for, in this order: names first. */
const LISTS = [
  { type: RTM.getLink, fixed: linkHeader },
  { type: RTM.getAddress, fixed: addressHeader },
]

/**
 * The addresses of a namespace, kept up to date by a channel that listens to the groups of links and addresses.
 *
 * The lists are asked for over the same channel, after it has begun to listen. What is told of an address meanwhile is newer than what the
 * list says of it, or says the same.
 */
export class AddressWatch implements AsyncIterableIterator<AddressEvent> {
  readonly #channel: NativeChannel
  readonly #closed: () => void
  readonly #names = new Map<number, string>()
  readonly #addresses = new Map<string, Unnamed>()
  readonly #events: AddressEvent[] = []
  readonly #readers: { resolve: (result: IteratorResult<AddressEvent, undefined>) => void, reject: (error: Error) => void }[] = []
  #failure: Error | undefined
  #isClosed = false
  #sequence = 0
  /** Which list is being read; `undefined` once all have been. */
  #list: number | undefined
  #interrupted = false
  /** What the list that is being read says. */
  #listedNames = new Map<number, string>()
  #listedAddresses = new Map<string, Unnamed>()
  /** What was told while it was being read; `undefined` for what is gone. */
  readonly #toldNames = new Map<number, string | undefined>()
  readonly #toldAddresses = new Map<string, Unnamed | undefined>()

  constructor(channel: NativeChannel, closed: () => void) {
    this.#channel = channel
    this.#closed = closed
    channel.onMessages = (bytes, errno) => this.#arrived(bytes, errno)
    channel.hold(true)
    this.#startOver()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<AddressEvent, undefined>> {
    const value = this.#events.shift()
    if (value) return Promise.resolve({ done: false, value })
    if (this.#failure) {
      const failure = this.#failure
      this.#failure = undefined
      return Promise.reject(failure)
    }
    if (this.#isClosed) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve, reject) => { this.#readers.push({ resolve, reject }) })
  }

  return(): Promise<IteratorResult<AddressEvent, undefined>> {
    this.close()
    this.#events.length = 0
    return Promise.resolve({ done: true, value: undefined })
  }

  /** Ends the iteration, for those who wait too. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#channel.close()
    for (const { resolve } of this.#readers.splice(0)) resolve({ done: true, value: undefined })
    this.#closed()
  }

  #fail(error: Error): void {
    const reader = this.#readers.shift()
    if (reader) reader.reject(error)
    else this.#failure = error
    this.close()
  }

  #startOver(): void {
    this.#toldNames.clear()
    this.#toldAddresses.clear()
    this.#ask(0)
  }

  #ask(list: number): void {
    this.#list = list
    this.#interrupted = false
    if (list === 0) this.#listedNames = new Map()
    else this.#listedAddresses = new Map()
    this.#sequence = this.#sequence + 1 >>> 0
    this.#channel.send(request(LISTS[list].type, { dump: true, sequence: this.#sequence, fixed: LISTS[list].fixed() }))
  }

  #arrived(bytes: ArrayBuffer, errno: number): void {
    if (errno === -constants.errno.ENOBUFS) this.#startOver()
    else if (errno !== 0) this.#fail(networkError('the addresses', errno))
    for (const message of messagesOf(bytes)) {
      if (this.#isClosed) return
      // What is told of another program's change has the sequence number of its request, which may be the same.
      const answers = message.sequence === this.#sequence && (message.listed || message.end !== undefined)
      if (this.#list !== undefined && answers) this.#takeListed(message)
      else this.#takeTold(message)
    }
  }

  #takeListed({ type, payload, interrupted, end }: Message): void {
    this.#interrupted ||= interrupted
    if (end !== undefined && end < 0) return this.#fail(networkError('the addresses', end))
    if (end === undefined) {
      const link = type === RTM.newLink ? readLink(payload) : undefined
      if (link) this.#listedNames.set(link.index, link.name)
      const address = type === RTM.newAddress ? readAddress(payload) : undefined
      if (address) this.#listedAddresses.set(keyOf(address), address)
      return
    }
    // A list that changed while it was written may lack what did not change.
    if (this.#interrupted) this.#ask(this.#list!)
    else if (this.#list! + 1 < LISTS.length) this.#ask(this.#list! + 1)
    else this.#finish()
  }

  #finish(): void {
    this.#list = undefined
    replace(this.#names, this.#listedNames, this.#toldNames)
    replace(this.#addresses, this.#listedAddresses, this.#toldAddresses)
    this.#events.length = 0
    this.#tell(this.#wholeList())
  }

  #wholeList(): AddressEvent {
    return { type: 'list', addresses: [...this.#addresses.values()].map((address) => this.#named(address)) }
  }

  #takeTold({ type, payload }: Message): void {
    if (type === RTM.newLink || type === RTM.delLink) {
      const link = readLink(payload)
      if (!link) return
      const name = type === RTM.newLink ? link.name : undefined
      if (this.#list !== undefined) this.#toldNames.set(link.index, name)
      else set(this.#names, link.index, name)
    } else if (type === RTM.newAddress || type === RTM.delAddress) {
      const address = readAddress(payload)
      if (address) this.#addressTold(address, type === RTM.newAddress)
    }
  }

  #addressTold(address: Unnamed, there: boolean): void {
    const key = keyOf(address)
    if (this.#list !== undefined) {
      this.#toldAddresses.set(key, there ? address : undefined)
      return
    }
    const before = this.#addresses.get(key)
    set(this.#addresses, key, there ? address : undefined)
    if (there && before && same(before, address) || !there && !before) return
    this.#tell({ type: !there ? 'removed' : before ? 'changed' : 'added', address: this.#named(address) })
  }

  /** An address with the name of its interface; one that is gone already has its number instead. */
  #named(address: Unnamed): InterfaceAddress {
    return { ...address, interface: this.#names.get(address.index) ?? `if${address.index}` }
  }

  #tell(event: AddressEvent): void {
    const reader = this.#readers.shift()
    if (reader) return reader.resolve({ done: false, value: event })
    if (this.#events.length >= MOST_WAITING) {
      this.#events.length = 0
      this.#events.push(this.#wholeList())
    } else this.#events.push(event)
  }
}

function set<Key, Value>(map: Map<Key, Value>, key: Key, value: Value | undefined): void {
  if (value === undefined) map.delete(key)
  else map.set(key, value)
}

/** Fills a map with what a list says, and then with what was told meanwhile. */
function replace<Key, Value>(map: Map<Key, Value>, listed: Map<Key, Value>, told: Map<Key, Value | undefined>): void {
  map.clear()
  for (const [key, value] of listed) map.set(key, value)
  for (const [key, value] of told) set(map, key, value)
}
