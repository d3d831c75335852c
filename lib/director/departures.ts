import { EventEmitter } from 'node:events'

/**
 * How a destination that was taken out of the configuration stands at a director:
 *
 * - 'busy': it has connections, or it is not known yet whether it has.
 * - 'empty': it has none any more.
 * - 'gone': it is not in the table, though it still is in that of another director.
 */
export type Departure = 'busy' | 'empty' | 'gone'

export const DEPARTURES: readonly Departure[] = ['busy', 'empty', 'gone']

/** Destinations that are told of at once, at most: etcd takes a megabyte, and each other director gets all of it. */
export const MOST_DEPARTURES = 2_000

/** Destinations that leave, or are gone, by what tells them apart. */
export type DepartureSight = ReadonlyMap<string, Departure>

/** Events of {@link Departures} and their arguments. */
export interface DeparturesEvents {
  /** What this director tells of them may be something else than before. */
  changed: []
}

/**
 * When destinations that leave are removed in a fleet: as soon as no living director has a connection to them. A flow can move to another
 * director at any time, and has to find its server there. So each director tells what leaves at its own, and waits for the others.
 *
 * A director that has not said anything of a destination has not heard yet that it leaves, and may send clients to it: it is waited for.
 *
 * @example
 * ```js
 * import { Departures } from 'ipvs/director'
 *
 * const departures = new Departures()
 * const id = 'tcp 192.0.2.1 80 10.0.0.2 80'
 * departures.on('changed', () => console.log(departures.tells()))
 * // A director does this with its own, which are those of its option `agreement`.
 * departures.begin(() => false)
 * departures.see('tcp 192.0.2.1 80', new Map([[id, true]]))
 * // The program does this, with what the other directors tell.
 * departures.hear([new Map([[id, 'busy']])])
 * console.log(departures.mayGo(id))                         // false: another director has connections to it
 * ```
 */
export class Departures extends EventEmitter<DeparturesEvents> {
  /** Whether each is empty, by service. */
  readonly #own = new Map<string, ReadonlyMap<string, boolean>>()
  #others: readonly DepartureSight[] = []
  #isNamed: (id: string) => boolean = () => false

  /** @param isNamed whether the configuration of this director has a destination */
  begin(isNamed: (id: string) => boolean): void {
    this.#isNamed = isNamed
  }

  /** Takes what leaves of a service: whether each is empty. */
  see(service: string, leaving: ReadonlyMap<string, boolean>): void {
    const before = this.#own.get(service)
    if (leaving.size === 0 && before === undefined) return
    if (leaving.size === 0) this.#own.delete(service)
    else this.#own.set(service, leaving)
    if (before?.size !== leaving.size || [...leaving].some(([id, isEmpty]) => before.get(id) !== isEmpty)) this.emit('changed')
  }

  /** Takes what the other living directors tell. */
  hear(others: readonly DepartureSight[]): void {
    this.#others = others
    this.emit('changed')
  }

  /** Whether no other living director has a connection to a destination any more. */
  mayGo(id: string): boolean {
    return this.#others.every((other) => other.has(id) && other.get(id) !== 'busy')
  }

  /** What this director tells: of the first ones where there are too many, which are the same at all directors. */
  tells(): Map<string, Departure> {
    const told = new Map<string, Departure>()
    for (const leaving of this.#own.values()) for (const [id, isEmpty] of leaving) told.set(id, isEmpty ? 'empty' : 'busy')
    for (const other of this.#others) {
      for (const [id, departure] of other) if (departure !== 'gone' && !told.has(id) && !this.#isNamed(id)) told.set(id, 'gone')
    }
    if (told.size <= MOST_DEPARTURES) return told
    return new Map([...told].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, MOST_DEPARTURES))
  }
}
