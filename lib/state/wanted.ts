import { serviceId } from '../model/keys.js'
import type { DesiredState } from './desired.js'
import type { ApplyResult } from './types.js'
import type { Changes } from './update.js'

/** What has become of a state that was set, or of an update. */
export interface InForce {
  /** Number of the state that is in force: its own, or that of a later state. */
  generation: number
  /** What the kernel refused of it; for an update, only what is about its own services. It is tried again, with growing pauses. */
  refused: ApplyResult['refused']
}

/** What somebody has asked for, and waits for. */
class Asked {
  readonly inForce: Promise<InForce>
  #resolve!: (answer: InForce) => void
  reject!: (error: unknown) => void

  constructor(readonly generation: number) {
    this.inForce = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.reject = reject
    })
    // Prevents an unhandled rejection if nobody awaits it.
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

/** States of a burst that are kept until one of them is known to be good. More would only take memory. */
const KEPT = 100

/** States and updates that are not known to be good yet, in order. */
export class Pending {
  #all: Wanted[] = []
  #states = 0

  get isEmpty(): boolean {
    return this.#all.length === 0
  }

  get last(): Wanted | undefined {
    return this.#all.at(-1)
  }

  /** The last state that was set: what is before it counts only if it has a mistake. */
  get state(): WantedState | undefined {
    return this.#states === 0 ? undefined : this.#all.findLast((wanted) => wanted instanceof WantedState)
  }

  /** Updates of the state that is known to be good, where no other was set since. */
  get updates(): WantedUpdate[] {
    return this.#all as WantedUpdate[]
  }

  push(wanted: Wanted): void {
    this.#all.push(wanted)
    if (!(wanted instanceof WantedState) || ++this.#states <= KEPT) return
    // With a state go the updates of it.
    const isState = (one: Wanted): boolean => one instanceof WantedState
    const first = this.#all.findIndex(isState)
    const second = this.#all.findIndex((one, i) => i > first && isState(one))
    this.#remove((_, i) => i >= first && i < second)
  }

  /** Forgets what has been decided, and what it has superseded. */
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
