import { canonicalAddress } from '../model/address.js'
import type { AddressEvent, InterfaceAddress } from '../network/index.js'
import type { HeldAddress, HoldingChange } from './types.js'

const idOf = ({ index, prefixLength }: InterfaceAddress): string => `${index}/${prefixLength}`

const listed = (words: readonly string[]): string => words.join(', ')

/** Which of the addresses that are looked for this machine has, from what the kernel tells of its addresses. */
export class Holding {
  /** What the machine has and can use, by address: one can be on several interfaces. */
  readonly #machine = new Map<string, Map<string, InterfaceAddress>>()
  #looked = new Map<string, HeldAddress>()
  /** Addresses that came, and that went, since it was told last; with the interface. */
  #came = new Map<string, string>()
  #went = new Map<string, string>()
  #isKnown = false
  #told: HoldingChange['held'] | undefined
  #since = Date.now()

  /** Takes what the kernel tells. */
  take(event: AddressEvent): void {
    if (event.type === 'list') {
      this.#machine.clear()
      for (const address of event.addresses) this.#put(address)
      this.#isKnown = true
    } else if (event.type === 'removed') this.#remove(event.address)
    else this.#put(event.address)
    for (const one of this.#looked.values()) this.#look(one)
  }

  /** An IPv6 address of which it is still asked whether another machine has it is not held. */
  #put(address: InterfaceAddress): void {
    if (address.tentative) return this.#remove(address)
    const places = this.#machine.get(address.address) ?? new Map<string, InterfaceAddress>()
    places.set(idOf(address), address)
    this.#machine.set(address.address, places)
  }

  #remove(address: InterfaceAddress): void {
    const places = this.#machine.get(address.address)
    if (places?.delete(idOf(address)) === true && places.size === 0) this.#machine.delete(address.address)
  }

  /** Looks for these addresses from now on. */
  watch(addresses: Iterable<string>): void {
    const before = this.#looked
    this.#looked = new Map()
    const since = Date.now()
    for (const text of addresses) {
      // There can be thousands, of which few are new.
      const known = before.get(text)
      if (known !== undefined) {
        this.#looked.set(text, known)
        continue
      }
      const address = canonicalAddress(text)!
      const one = before.get(address) ?? { address, held: false, since }
      this.#looked.set(address, one)
      this.#look(one)
    }
    for (const moved of [this.#came, this.#went]) for (const address of moved.keys()) if (!this.#looked.has(address)) moved.delete(address)
  }

  #look(one: HeldAddress): void {
    const [place] = this.#machine.get(one.address)?.values() ?? []
    const held = place !== undefined
    const where = place?.interface ?? one.interface
    if (held !== one.held) {
      one.held = held
      one.since = Date.now()
      const [news, past] = held ? [this.#came, this.#went] : [this.#went, this.#came]
      // What came and went again in between is no news.
      if (!past.delete(one.address)) news.set(one.address, where ?? 'the machine')
    }
    if (where !== undefined && held) one.interface = where
    else if (!held) delete one.interface
  }

  /** Whether the machine has an address; `undefined` before the kernel has told. */
  has(address: string): boolean | undefined {
    return this.#isKnown ? this.#machine.has(canonicalAddress(address)!) : undefined
  }

  /** Where the machine has an address that is looked for. */
  placeOf(address: string): InterfaceAddress | undefined {
    return this.#machine.get(address)?.values().next().value
  }

  /** The addresses that are looked for. */
  get addresses(): readonly HeldAddress[] {
    return [...this.#looked.values()]
  }

  get held(): HoldingChange['held'] {
    const count = this.addresses.filter(({ held }) => held).length
    return count === 0 ? 'none' : count === this.#looked.size ? 'all' : 'some'
  }

  /** Since when, as of `Date.now()`. */
  get since(): number {
    return this.#since
  }

  /** What has changed since it was asked last; `undefined` for nothing, before the kernel has told, and where nothing is looked for. */
  news(): HoldingChange | undefined {
    if (!this.#isKnown || this.#looked.size === 0) return undefined
    const { held } = this
    const came = [...this.#came.keys()]
    const went = [...this.#went.keys()]
    if (held === this.#told && came.length === 0 && went.length === 0) return undefined
    const isFirst = this.#told === undefined
    const why = isFirst ? 'as the kernel has it at the start' : listed([
      ...came.map((address) => `${address} came to ${this.#came.get(address)}`),
      ...went.map((address) => `${address} has gone from ${this.#went.get(address)}`),
    ]) || 'other addresses are looked for'
    if (held !== this.#told) this.#since = Date.now()
    this.#told = held
    this.#came = new Map()
    this.#went = new Map()
    return { held, came, went, why, at: this.#since }
  }
}
