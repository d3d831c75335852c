import { setTimeout } from 'node:timers/promises'
import { inspect } from 'node:util'

/**
 * Waits until something holds. This is for changes that come without a notification: the kernel adds up the counters of packets every two
 * seconds, for example. After the time is over, it fails and shows what was seen last.
 */
export async function until<Seen>(look: () => Promise<Seen>, holds: (seen: Seen) => boolean, seconds = 120): Promise<Seen> {
  for (const end = Date.now() + seconds * 1000; ;) {
    const seen = await look()
    if (holds(seen)) return seen
    if (Date.now() > end) throw new Error(`this did not come about in ${seconds} seconds; last seen: ${inspect(seen)}`)
    await setTimeout(50)
  }
}
