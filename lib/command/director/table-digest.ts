import { createHash } from 'node:crypto'
import { pause, worked } from '../../client/pause.js'
import { destinationId, keyOf, serviceId } from '../../model/keys.js'
import type { ListedTable } from '../../model/types.js'
import { choosesByOrder, isInOrder } from '../../state/addition-order.js'
import { configurationOf, serviceConfigurationOf } from '../../state/configuration.js'

/** What is told of a table, so that those of several directors can be compared. */
export interface TableDigest {
  /** The same for tables that say the same. */
  hash: string
  services: number
  destinations: number
  /**
   * Services whose scheduler chooses by the order in which destinations were added, and where that is not the order of addresses: a few
   * flows in a thousand go elsewhere there than at a director that was started later.
   */
  unsorted: number
}

/** Units of work (see `worked`) that a service takes, and each of its destinations. */
const UNITS = 16

/** Sums up the services of a table that are somebody's. Holds the event loop for a moment at a time. */
export async function digestOf({ services }: ListedTable, isOwn: (service: string) => boolean): Promise<TableDigest> {
  const lines: string[] = []
  let destinations = 0
  let unsorted = 0
  for (const service of services) {
    const id = serviceId(keyOf(service))
    if (!isOwn(id)) continue
    // The kernel lists what was added last first.
    if (choosesByOrder(service.scheduler) && !isInOrder([...service.destinations].reverse())) unsorted++
    destinations += service.destinations.length
    const entries = service.destinations.map((destination) => `${destinationId(destination)} ${JSON.stringify(configurationOf(destination))}`).sort()
    lines.push(`${id} ${JSON.stringify(serviceConfigurationOf(service))}\n${entries.join('\n')}\n`)
    if (worked(UNITS * (1 + service.destinations.length))) await pause()
  }
  const hash = createHash('sha256')
  for (const line of lines.sort()) hash.update(line)
  return { hash: hash.digest('hex').slice(0, 16), services: lines.length, destinations, unsorted }
}
