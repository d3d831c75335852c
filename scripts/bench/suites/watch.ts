import { ownProgram } from '../child.js'
import { Namespace } from '../namespace.js'
import type { Row } from '../row.js'
import type { Suite } from '../suite.js'
import { formatShape } from '../workload.js'

/**
 * What it costs to watch a large table once a second, in a process of its own: one that is quiet, and one with traffic through a few
 * services.
 */
export const watch: Suite = {
  title: 'Watching a table at 1 s, 15 looks',
  async measure(run) {
    const shape = run.shape ?? { services: 10_000, destinations: 10 }
    const rows: Row[] = []
    for (const busy of [0, 5]) {
      await using namespace = await Namespace.create()
      const { output } = await namespace.run(...ownProgram('watch', [shape.services, shape.destinations, busy]))
      const figures = JSON.parse(output) as Record<'share' | 'interval' | 'before' | 'mean' | 'most' | 'entries', number>
      const { share, interval, before, mean, most, entries } = figures
      const of = `${formatShape(shape)}, ${busy === 0 ? 'quiet' : `${busy} services more with traffic, ${entries} entries`}`
      rows.push(
        { what: `${of}: share of a processor`, value: share, unit: '×' },
        { what: '… from one look to the next', value: interval * 1e6, unit: 'µs' },
        { what: '… memory, mean; most and before in the note', value: mean / 1e6, unit: 'MB', note: `${(most / 1e6).toFixed(0)} MB, ${(before / 1e6).toFixed(0)} MB` },
      )
    }
    return rows
  },
}
