import { setTimeout } from 'node:timers/promises'
import { inspect } from 'node:util'

/**
 * Waits until something holds, for what the kernel does in its own time and tells nobody: it adds up the counters of packets, for one,
 * every two seconds.
 * Fails with what was seen last.
 */
export async function until<Seen>(look: () => Promise<Seen>, holds: (seen: Seen) => boolean, seconds = 120): Promise<Seen> {
  for (const end = Date.now() + seconds * 1000; ;) {
    const seen = await look()
    if (holds(seen)) return seen
    if (Date.now() > end) throw new Error(`this did not come about in ${seconds} seconds; last seen: ${inspect(seen)}`)
    await setTimeout(50)
  }
}
