import { setTimeout as sleep } from 'node:timers/promises'
import { Ipvs, type ListedTable } from 'ipvs'
import { median } from 'ipvs/bench'
import { longestDelay } from '../longest-delay.js'
import { Namespace } from '../namespace.js'
import type { Suite } from '../suite.js'
import { operations, rulesOf, verify, weightAfter } from '../workload.js'

const shape = { services: 10_000, destinations: 9 }

/** Microseconds. */
const goal = { native: 5000, uml: 10_000, tcg: 100_000 } as const

/** Whether timers and other people's requests get their turn meanwhile. */
export const eventLoop: Suite = {
  title: 'Event loop: the longest it was held, median of five runs',
  async measure(run) {
    let listed: Pick<ListedTable, 'services'> = { services: [] }
    const held: Record<'idle' | 'batch' | 'snapshot', number[]> = { idle: [], batch: [], snapshot: [] }
    for (let i = 0; i < 5; i++) {
      await using namespace = await Namespace.create()
      const ipvs = await Ipvs.open({ netns: namespace.path })
      try {
        const start = performance.now()
        held.batch.push(await longestDelay(() => ipvs.batch(operations('add', shape))))
        const took = performance.now() - start
        held.idle.push(await longestDelay(() => sleep(took)))
        held.snapshot.push(await longestDelay(async () => { listed = await ipvs.snapshot() }))
        verify(listed, shape, weightAfter.add)
        listed = { services: [] }
      } finally {
        await ipvs.close()
      }
    }
    const idle = median(held.idle)
    const rules = rulesOf(shape).toLocaleString('en')
    return [
      { what: 'an idle run', value: idle, unit: 'µs' },
      {
        what: `${rules} rules given as an iterable, less the idle run`, value: median(held.batch) - idle, unit: 'µs',
        goal: goal[run.place],
      },
      { what: 'snapshot of them, less the idle run', value: median(held.snapshot) - idle, unit: 'µs', goal: goal[run.place] },
    ]
  },
}
