import { ownProgram } from '../child.js'
import { Namespace } from '../namespace.js'
import { reference } from '../reference.js'
import type { Suite } from '../suite.js'
import { formatShape } from '../workload.js'

/** What a desired state costs beside reading the table, in a process of its own. */
export const desiredState: Suite = {
  title: 'Desired state: plan and apply, medians of 20',
  async measure(run) {
    const shape = run.shape ?? { services: 10_000, destinations: 10 }
    await using namespace = await Namespace.create()
    const { output } = await namespace.run(...ownProgram('desired-state', [shape.services, shape.destinations]))
    const { snapshot, plan, ten, idle, heldBySnapshot, held, peak } = JSON.parse(
      output,
    ) as Record<'snapshot' | 'plan' | 'ten' | 'idle' | 'heldBySnapshot' | 'held' | 'peak', number>
    await using other = await Namespace.create()
    const ofTen = await reference(other, { services: 1, destinations: 10 }, ['add', 'update-destinations'])
    const allowed = snapshot * 1.5 + ofTen['update-destinations'] + 1000
    return [
      { what: `snapshot of ${formatShape(shape)}`, value: snapshot, unit: 'µs' },
      { what: 'an empty plan, against the snapshot', value: plan, unit: 'µs', ratio: plan / snapshot, goal: 1.5 },
      {
        what: 'ten changed rules in force, against the snapshot × 1.5 + the C reference\'s ten + 1 ms', value: ten, unit: 'µs',
        ratio: ten / allowed, goal: 1,
      },
      { what: 'the longest the snapshot alone held the event loop, less an idle run', value: heldBySnapshot - idle, unit: 'µs' },
      {
        what: 'the longest an empty plan held the event loop, less an idle run', value: held - idle, unit: 'µs',
        goal: 10_000 * (run.place === 'tcg' ? 20 : 1),
      },
      { what: 'most memory, desired state included', value: peak / 1e6, unit: 'MB', goal: 300 },
    ]
  },
}
