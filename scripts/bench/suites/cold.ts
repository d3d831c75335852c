import { Ipvs } from 'ipvs'
import { compare, median } from 'ipvs/bench'
import { ownProgram, runProgram } from '../child.js'
import { Namespace } from '../namespace.js'
import { reference, warmUp } from '../reference.js'
import { clocked, type Suite } from '../suite.js'
import { formatShape, rulesOf, verify, weightAfter, type Shape } from '../workload.js'

/** Reads a namespace's whole table and compares it with what should be in it after additions. */
export async function verifyAdded(namespace: Namespace, shape: Shape): Promise<void> {
  const ipvs = await Ipvs.open({ netns: namespace.path })
  try {
    verify(await ipvs.snapshot(), shape, weightAfter.add)
  } finally {
    await ipvs.close()
  }
}

/** What a program that has only just started pays. */
export const cold: Suite = {
  title: 'Cold: in a new process',
  async measure(run) {
    const shape = run.shape ?? { services: 1000, destinations: 10 }
    const { add, second } = await compare({
      c: async () => {
        await using namespace = await Namespace.create()
        return { add: (await reference(namespace, shape, [...warmUp, 'add'])).add }
      },
      batch: async () => {
        await using namespace = await Namespace.create()
        await using another = await Namespace.create()
        const { output } = await namespace.run(...ownProgram('cold-batch', [another.path, shape.services, shape.destinations]))
        await verifyAdded(namespace, shape)
        await verifyAdded(another, shape)
        const [add, second] = JSON.parse(output) as [number, number]
        return { add, second }
      },
    }, { rounds: run.rounds })
    const node: number[] = []
    const opened: number[] = []
    for (let i = 0; i < run.rounds; i++) {
      node.push((await runProgram(process.execPath, ['-e', '0'])).microseconds)
      opened.push(await clocked(async () => { await (await Ipvs.open()).close() }))
    }
    const perRule = (microseconds: number): number => microseconds / rulesOf(shape)
    const goal = (value: number): { goal?: number } => run.place === 'uml' ? { goal: value } : {}
    return [
      {
        what: `${formatShape(shape)}: open and add in one batch, first in its process`, value: perRule(add.batch.median), unit: 'µs/rule',
        reference: perRule(add.c.median), ratio: add.batch.ratio, ...(run.place === 'tcg' ? { goal: 3 } : {}), note: 'the C reference is warm',
      },
      { what: `${formatShape(shape)}: the first table of a process`, value: perRule(add.batch.median), unit: 'µs/rule', ...goal(5) },
      { what: `${formatShape(shape)}: the second`, value: perRule(second.batch.median), unit: 'µs/rule', ...goal(2.5) },
      { what: 'open and close a handle, warm', value: median(opened), unit: 'µs' },
      { what: 'node -e 0', value: median(node), unit: 'µs' },
    ]
  },
}
