import { ownProgram } from '../child.js'
import { Namespace } from '../namespace.js'
import { countTable } from '../reference.js'
import type { Suite } from '../suite.js'
import { rulesOf } from '../workload.js'

/** Resident memory of a process that does one thing after the other. */
export const memory: Suite = {
  title: 'Memory: resident, of a process of its own',
  async measure(run) {
    const shape = run.shape ?? { services: 10_000, destinations: 9 }
    await using namespace = await Namespace.create()
    const { output } = await namespace.run(...ownProgram('memory', [shape.services, shape.destinations]))
    await countTable(namespace, shape)
    const { start, open, peakOfBatch, peakOfSnapshot } = JSON.parse(
      output,
    ) as Record<'start' | 'open' | 'peakOfBatch' | 'peakOfSnapshot', number>
    const rules = rulesOf(shape).toLocaleString('en')
    const megabytes = (bytes: number): number => bytes / 1e6
    return [
      { what: 'the package imported', value: megabytes(start), unit: 'MB' },
      { what: 'a handle open', value: megabytes(open), unit: 'MB' },
      { what: `most while ${rules} rules were added from a generator`, value: megabytes(peakOfBatch), unit: 'MB' },
      { what: 'most while all of them were listed by snapshot()', value: megabytes(peakOfSnapshot), unit: 'MB' },
    ]
  },
}
