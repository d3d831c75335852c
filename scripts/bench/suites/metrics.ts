import { ownProgram } from '../child.js'
import { Namespace } from '../namespace.js'
import type { Row } from '../row.js'
import type { Suite } from '../suite.js'
import { formatShape, type Shape } from '../workload.js'

type Way = 'snapshot' | 'writer' | 'share' | 'collector'
type Figures = Record<'snapshot' | 'scrape' | 'idle' | 'heldBySnapshot' | 'held' | 'length' | 'peak', number>

const standard: { shape: Shape, labels: 'all' | 'service' }[] = [
  { shape: { services: 1000, destinations: 10 }, labels: 'all' },
  { shape: { services: 10_000, destinations: 10 }, labels: 'service' },
]

async function figures(way: Way, { services, destinations }: Shape, labels: string): Promise<Figures> {
  await using namespace = await Namespace.create()
  const { output } = await namespace.run(...ownProgram('metrics', [services, destinations, way, labels]))
  return JSON.parse(output) as Figures
}

/** What a scrape costs beside reading the table: the writer, the collector, and prom-client's part. Each in a process of its own. */
export const metrics: Suite = {
  title: 'Metrics: a scrape beyond the snapshot, medians of 3',
  async measure(run) {
    const rows: Row[] = []
    const slow = run.place === 'tcg' ? 20 : 1
    for (const { shape, labels } of run.shape === undefined ? standard : standard.map(({ labels }) => ({ shape: run.shape!, labels }))) {
      const alone = await figures('snapshot', shape, labels)
      const of = `${formatShape(shape)}, ${labels === 'all' ? 'all labels' : 'labels of the service'}`
      const beyond = ({ scrape, snapshot }: Figures): number => scrape - snapshot
      const heldBeyond = ({ held, idle }: Figures): number => Math.max(0, held - idle)
      const writer = await figures('writer', shape, labels)
      const share = await figures('share', shape, labels)
      const collector = await figures('collector', shape, labels)
      rows.push(
        { what: `${of}: the snapshot`, value: alone.snapshot, unit: 'µs' },
        { what: `the writer, ${(writer.length / 1e6).toFixed(1)} MB of text`, value: beyond(writer), unit: 'µs', goal: 1e6 * slow },
        { what: 'the longest the snapshot alone held the event loop, less an idle run', value: heldBeyond(alone), unit: 'µs' },
        { what: 'the longest the writer held it', value: heldBeyond(writer), unit: 'µs' },
        { what: 'the writer\'s memory, beyond a snapshot\'s', value: (writer.peak - alone.peak) / 1e6, unit: 'MB', goal: 50 },
        { what: 'the collector: our share', value: beyond(share), unit: 'µs' },
        { what: 'our share and prom-client\'s, which writes the text', value: beyond(collector), unit: 'µs' },
        { what: 'the longest our share held the event loop', value: heldBeyond(share), unit: 'µs' },
        { what: 'the longest it was held with prom-client\'s', value: heldBeyond(collector), unit: 'µs' },
      )
    }
    return rows
  },
}
