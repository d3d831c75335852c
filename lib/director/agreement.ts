import { EventEmitter } from 'node:events'
import { Departures } from './departures.js'

/**
 * How directors of a fleet agree on which destinations are up. Each tells what it sees, and all follow the same rule over what all living
 * directors see. So their tables are the same, and a connection finds the same server whichever director it goes through.
 */

/**
 * When a destination counts as down:
 *
 * - 'majority': more than half of the living directors that check it see it down. A tie is up.
 * - 'any': at least one sees it down.
 * - 'all': all see it down.
 * - 'own': this director sees it down, whatever others see.
 */
export type AgreementRule = 'majority' | 'any' | 'all' | 'own'

export const AGREEMENT_RULES: readonly AgreementRule[] = ['majority', 'any', 'all', 'own']

/** What a director sees. */
export interface Sight {
  /** Destinations that it sees down. */
  readonly down: { has(id: string): boolean }
  /**
   * Whether it sees everything down that it checks, on several machines. It is more likely that it has lost its own network than that all
   * of them died, so it counts only where all directors see the same.
   */
  readonly isBlind: boolean
}

/**
 * Whether a destination is up by what directors see. `undefined` where nobody has seen anything: it is as it was.
 *
 * One that is alone and blind believes that everything is up: nothing is gained by a table without a server.
 */
export function agree(rule: Exclude<AgreementRule, 'own'>, id: string, sights: readonly Sight[]): boolean | undefined {
  if (sights.length === 0) return undefined
  const seeing = sights.filter(({ isBlind }) => !isBlind)
  if (seeing.length === 0 && sights.length === 1) return true
  const counted = seeing.length === 0 ? sights : seeing
  const down = counted.filter((sight) => sight.down.has(id)).length
  switch (rule) {
    case 'majority': return down * 2 <= counted.length
    case 'any': return down === 0
    case 'all': return down < counted.length
  }
}

/** Machines that must be checked before all of them being down says something about the director. */
const SEVERAL = 2

/** What a director's own checks say of a destination. */
interface Own {
  address: string
  up: boolean
}

/** How a destination stood when the others were lost from sight. */
interface Before {
  agreed: boolean
  own: boolean
}

/** Events of an {@link Agreement} and their arguments. */
export interface AgreementEvents {
  /** The own checks see something else than before. */
  seen: []
  /** What is agreed may be something else than before. */
  agreed: []
}

/**
 * What is known of all destinations of a director, by its own checks and by what other directors tell.
 *
 * While the others are out of sight, because etcd is away, everything is as it was agreed last, and each destination follows the director's
 * own checks from their next change on. One that sees everything down leaves everything as it was.
 *
 * @example
 * ```js
 * import { Agreement } from 'ipvs/director'
 *
 * const agreement = new Agreement('majority')
 * const id = 'tcp 192.0.2.1 80 10.0.0.2 80'
 * agreement.on('agreed', () => console.log(agreement.verdict(id), agreement.words(id)))
 * // A director with the option `agreement` does this, with what its own checks see.
 * agreement.know([{ id, address: '10.0.0.2', up: true }])
 * agreement.ready()
 * agreement.see([{ id, up: false }])
 * // The program does this, with what it tells the other directors and what they tell.
 * console.log(agreement.downs())
 * agreement.hear([{ down: new Set([id]), isBlind: false }])
 * agreement.lose()                                          // the others are out of sight
 * ```
 */
export class Agreement extends EventEmitter<AgreementEvents> {
  /** What leaves at this director and the others. */
  readonly departures = new Departures()
  readonly #rule: AgreementRule
  readonly #own = new Map<string, Own>()
  /** Destinations that are down by the own checks. */
  #downs = 0
  #others: readonly Sight[] = []
  /** While the others are out of sight. */
  #before: Map<string, Before> | undefined
  #isReady = false
  /** What counts, the own sight first. */
  #sights: readonly Sight[] = []

  constructor(rule: AgreementRule = 'majority') {
    super()
    this.#rule = rule
  }

  /**
   * Takes destinations that are checked from now on, with what is thought of those that are new. Returns whether it may change what is
   * agreed of others too.
   *
   * @param before those that were checked, and are not any more unless they are named again
   */
  know(destinations: Iterable<{ id: string, address: string, up: boolean }>, before: Iterable<string> = []): boolean {
    const wasBlind = this.isBlind
    const known = new Map<string, boolean>()
    for (const id of before) {
      const own = this.#own.get(id)
      if (own === undefined) continue
      known.set(id, own.up)
      this.#forget(id, own)
    }
    for (const { id, address, up: thought } of destinations) {
      const own = this.#own.get(id)
      const up = own?.up ?? known.get(id) ?? thought
      if (own !== undefined) this.#forget(id, own)
      this.#own.set(id, { address, up })
      if (!up) this.#downs++
    }
    this.emit('seen')
    return wasBlind !== this.isBlind
  }

  #forget(id: string, { up }: Own): void {
    this.#own.delete(id)
    if (!up) this.#downs--
  }

  /** Takes what the own checks see of some destinations. Returns whether it may change what is agreed of others too. */
  see(seen: Iterable<{ id: string, up: boolean }>): boolean {
    const wasBlind = this.isBlind
    for (const { id, up } of seen) {
      const own = this.#own.get(id)
      if (own === undefined || own.up === up) continue
      own.up = up
      this.#downs += up ? -1 : 1
    }
    this.emit('seen')
    return wasBlind !== this.isBlind
  }

  /** The own checks have all answered once: from now on they have a vote. */
  ready(): void {
    if (this.#isReady) return
    this.#isReady = true
    this.#count()
    this.emit('seen')
  }

  /** Whether the own checks have a vote. */
  get isReady(): boolean {
    return this.#isReady
  }

  /** Whether everything is down by the own checks, on several machines. */
  get isBlind(): boolean {
    if (this.#downs === 0 || this.#downs < this.#own.size) return false
    const machines = new Set<string>()
    for (const { address } of this.#own.values()) {
      machines.add(address)
      if (machines.size === SEVERAL) return true
    }
    return false
  }

  /** What the own checks see down. */
  downs(): string[] {
    return this.#downs === 0 ? [] : [...this.#own].flatMap(([id, { up }]) => up ? [] : id)
  }

  /** Takes what the other living directors see. */
  hear(others: readonly Sight[]): void {
    this.#others = others
    this.#before = undefined
    this.#count()
  }

  /** The others are out of sight from now on. */
  lose(): void {
    if (this.#before !== undefined) return
    const before = new Map<string, Before>()
    for (const [id, { up }] of this.#own) before.set(id, { agreed: this.#agreed(id, up), own: up })
    this.#before = before
  }

  /** Whether a destination is up; `undefined` for one that is not checked. */
  verdict(id: string): boolean | undefined {
    const own = this.#own.get(id)
    if (own === undefined) return undefined
    if (this.#before === undefined) return this.#agreed(id, own.up)
    const before = this.#before.get(id)
    if (before === undefined) return own.up || this.isBlind
    return own.up === before.own || this.isBlind ? before.agreed : own.up
  }

  /** What others see, in words: '2 of 3 directors see it down'. */
  words(id: string): string {
    if (this.#before !== undefined) return 'the other directors are out of sight'
    const down = this.#sights.filter((sight) => sight.down.has(id)).length
    return `${down} of ${this.#sights.length} director${this.#sights.length === 1 ? '' : 's'} see${down === 1 ? 's' : ''} it down`
  }

  #count(): void {
    const isBlind = (): boolean => this.isBlind
    const own: Sight = { down: { has: (id) => this.#own.get(id)?.up === false }, get isBlind() { return isBlind() } }
    this.#sights = this.#isReady ? [own, ...this.#others] : this.#others
    this.emit('agreed')
  }

  #agreed(id: string, own: boolean): boolean {
    if (this.#rule === 'own') return own || this.isBlind
    return agree(this.#rule, id, this.#sights) ?? own
  }
}
