import { serviceId } from '../model/keys.js'
import type { DesiredState } from './desired.js'
import type { ApplyResult } from './types.js'
import type { Changes } from './update.js'

/** How a state that was set, or an update, was carried out. */
export interface InForce {
  /** Number of the state that is in force: the state's own, or that of a later state. */
  generation: number
  /** Operations that the kernel refused. For an update, only those about its own services. They are tried again, with growing pauses. */
  refused: ApplyResult['refused']
}

/** A state or an update whose promise somebody has. */
class Asked {
  readonly inForce: Promise<InForce>
  #resolve!: (answer: InForce) => void
  reject!: (error: unknown) => void

  constructor(readonly generation: number) {
    this.inForce = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.reject = reject
    })
    // Prevents an unhandled rejection if nobody awaits the promise.
    this.inForce.catch(() => {})
  }

  resolve(answer: InForce): void {
    this.#resolve(answer)
  }
}

/** A state that was set. */
export class WantedState extends Asked {
  constructor(generation: number, readonly desired: DesiredState) {
    super(generation)
  }
}

/** An update of the state before it. */
export class WantedUpdate extends Asked {
  constructor(generation: number, readonly changes: Changes) {
    super(generation)
  }

  override resolve({ generation, refused }: InForce): void {
    super.resolve({
      generation,
      refused: refused.filter(
        ({ operation }) => 'service' in operation && operation.service !== undefined && this.changes.has(serviceId(operation.service)),
      ),
    })
  }
}

export type Wanted = WantedState | WantedUpdate

/** How many states of a burst are kept until one of them is known to have no mistake. More would only take memory. */
const KEPT = 100

/** States and updates that may still have a mistake, in order. */
export class Pending {
  #all: Wanted[] = []
  #states = 0

  get isEmpty(): boolean {
    return this.#all.length === 0
  }

  get last(): Wanted | undefined {
    return this.#all.at(-1)
  }

  /** The last state that was set. Those before it count only if it has a mistake. */
  get state(): WantedState | undefined {
    return this.#states === 0 ? undefined : this.#all.findLast((wanted) => wanted instanceof WantedState)
  }

  /** The pending updates, if no state is pending. They change the last good state. */
  get updates(): WantedUpdate[] {
    return this.#all as WantedUpdate[]
  }

  push(wanted: Wanted): void {
    this.#all.push(wanted)
    if (!(wanted instanceof WantedState) || ++this.#states <= KEPT) return
    // The updates of a state are removed with it.
    const isState = (one: Wanted): boolean => one instanceof WantedState
    const first = this.#all.findIndex(isState)
    const second = this.#all.findIndex((one, i) => i > first && isState(one))
    this.#remove((_, i) => i >= first && i < second)
  }

  /** Removes what has been decided, and what it has superseded. */
  removeUntil(generation: number): void {
    this.#remove((wanted) => wanted.generation <= generation)
  }

  remove(which: Wanted): void {
    this.#remove((wanted) => wanted === which)
  }

  clear(): Wanted[] {
    this.#states = 0
    return this.#all.splice(0)
  }

  #remove(goes: (wanted: Wanted, i: number) => boolean): void {
    this.#all = this.#all.filter((wanted, i) => !goes(wanted, i))
    this.#states = this.#all.reduce((count, wanted) => count + (wanted instanceof WantedState ? 1 : 0), 0)
  }
}
