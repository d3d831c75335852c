import { parseAddress } from '../model/address.js'
import { serviceWords } from '../model/keys.js'
import type { DestinationKey, ServiceKey } from '../model/types.js'
import type { PlanWarning } from './types.js'

/** Schedulers whose choice depends on the order in which destinations were added. */
const BY_ORDER = new Set(['mh', 'sh', 'dh'])

const scratch = Buffer.alloc(16)

/** Text that sorts as the address and port do. */
function placeOf({ address, port }: DestinationKey): string {
  const family = parseAddress(address, scratch, 0)
  return `${family}${scratch.toString('hex', 0, family === 4 ? 4 : 16)}${port.toString(16).padStart(4, '0')}`
}

export const choosesByOrder = (scheduler: string): boolean => BY_ORDER.has(scheduler)

/** Whether destinations stand in the order of their addresses and ports. */
export function isInOrder(destinations: readonly DestinationKey[]): boolean {
  const places = destinations.map(placeOf)
  return places.every((place, index) => index === 0 || places[index - 1] < place)
}

/**
 * Finds out whether the kernel has the destinations of a service in the order in which they would be added to a new table. It is told of
 * each desired destination as it is looked up in the table.
 */
export class AdditionOrder {
  /** The kernel lists the destination that was added last first, so the next one has to stand before this one. */
  #last = Infinity
  #isKept = true

  /** @param found the number that the next desired destination has in the table's list; negative for one that is added */
  next(found: number): void {
    if (found >= this.#last) this.#isKept = false
    this.#last = found < 0 ? -1 : found
  }

  /** Whether a new table would have another order. */
  get isOther(): boolean {
    return !this.#isKept
  }
}

/** The warning about a service whose destinations the kernel has in another order than a new table would. */
export const orderWarning = (key: ServiceKey, scheduler: string): PlanWarning => ({
  code: 'order',
  service: key,
  message: `${serviceWords(key)}: scheduler '${scheduler}' chooses by the order in which destinations were added, too, and that is not the `
    + `order of the desired list: a director that makes its table anew sends ${scheduler === 'mh' ? 'a few in a thousand' : 'many'} clients elsewhere`,
})
