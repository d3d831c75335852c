import { Ipvs } from 'ipvs'
import { compare } from 'ipvs/bench'
import { Namespace } from '../namespace.js'
import { countTable, reference, warmUp } from '../reference.js'
import type { Row } from '../row.js'
import { clockedWarm, type Suite } from '../suite.js'
import { formatShape, operations, rulesOf, verify, weightAfter, type Shape } from '../workload.js'

const usual = [10, 100, 1000, 10_000]
const large = [50_000]

/** The largest table that is read back field by field; of larger ones the entries are counted. */
const readBackWhole = 11_000

/** Adds a table in one batch, on a handle that has done as much work before. */
async function inOneBatch(shape: Shape): Promise<{ add: number }> {
  await using namespace = await Namespace.create()
  const ipvs = await Ipvs.open({ netns: namespace.path })
  try {
    const services = { services: Math.min(rulesOf(shape), 11_000), destinations: 0 }
    const rules = [...operations('add', shape)]
    const comeAndGo = async (): Promise<void> => {
      await ipvs.batch(operations('add', services))
      await ipvs.batch(operations('remove', services))
    }
    const add = await clockedWarm(comeAndGo, () => ipvs.batch(rules)) / rules.length
    if (rules.length <= readBackWhole) verify(await ipvs.snapshot(), shape, weightAfter.add)
    await countTable(namespace, shape)
    return { add }
  } finally {
    await ipvs.close()
  }
}

/** Whether a rule costs the same in a large table as in a small one, beside how the C reference grows on this kernel. */
export const growth: Suite = {
  title: 'Growth: a table added in one batch, from small to large; beside the C reference, batched',
  async measure(run) {
    const rows: Row[] = []
    for (const services of run.large ? [...usual, ...large] : usual) {
      const shape: Shape = { services, destinations: 10 }
      const { add } = await compare({
        c: async () => {
          await using namespace = await Namespace.create()
          return { add: (await reference(namespace, shape, [...warmUp, 'add'])).add / rulesOf(shape) }
        },
        batch: () => inOneBatch(shape),
      }, { rounds: services > 1000 ? Math.min(3, run.rounds) : run.rounds })
      rows.push({ what: formatShape(shape), value: add.batch.median, unit: 'µs/rule', reference: add.c.median, ratio: add.batch.ratio })
    }
    const beside = rows.map(row => (row.ratio as number) / (rows[0].ratio as number))
    return [
      ...rows,
      {
        what: 'growth, beside the C reference\'s own', value: Math.max(...beside), unit: '×', goal: 1.3,
        note: 'the largest ratio by the first',
      },
    ]
  },
}
