import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compare, type Contender } from 'ipvs/bench'
import { ownProgram, type Ended } from '../child.js'
import { Namespace } from '../namespace.js'
import { reference, warmUp } from '../reference.js'
import type { Row } from '../row.js'
import type { Suite } from '../suite.js'
import { formatShape, ipvsadmLines, rulesOf, type Shape } from '../workload.js'
import { verifyAdded } from './cold.js'

/** Rules that are added with a process each; what one takes is the same for the next. */
const oneByOne: Shape = { services: 10, destinations: 9 }

/** Fills a table with a program, in a namespace of its own: microseconds a rule from the program's start to its end. */
const filledBy = (shape: Shape, fill: (namespace: Namespace) => Promise<Ended>): Contender => async () => {
  await using namespace = await Namespace.create()
  const { microseconds } = await fill(namespace)
  await verifyAdded(namespace, shape)
  return { add: microseconds / rulesOf(shape) }
}

const inC = (shape: Shape): Contender => async () => {
  await using namespace = await Namespace.create()
  const { add, snapshot } = await reference(namespace, shape, [...warmUp, 'add', 'snapshot'])
  return { add: add / rulesOf(shape), list: snapshot / rulesOf(shape) }
}

async function restoring(shape: Shape, folder: string, rounds: number): Promise<Row[]> {
  const saved = join(folder, 'rules')
  writeFileSync(saved, [...ipvsadmLines(shape), ''].join('\n'))
  const { add, list } = await compare({
    c: inC(shape),
    script: filledBy(shape, namespace => namespace.run(...ownProgram('script', [shape.services, shape.destinations]))),
    restore: filledBy(shape, namespace => namespace.run('ipvsadm-restore', [], saved)),
    ipvsadm: filledBy(shape, namespace => namespace.run('ipvsadm', ['-R'], saved)),
    list: async () => {
      await using namespace = await Namespace.create()
      await reference(namespace, shape, ['add'])
      return { list: (await namespace.run('ipvsadm', ['-Ln', '--stats', '--exact'])).microseconds / rulesOf(shape) }
    },
  }, { rounds })
  const row = (what: string, contender: 'script' | 'restore' | 'ipvsadm'): Row =>
    ({
      what: `${formatShape(shape)}: ${what}`, value: add[contender].median, unit: 'µs/rule', reference: add.c.median,
      ratio: add[contender].ratio,
    })
  return [
    row('a script with this package, Node\'s start included', 'script'),
    row('ipvsadm-restore', 'restore'),
    row('ipvsadm -R', 'ipvsadm'),
    {
      what: `${formatShape(shape)}: ipvsadm -R beside the script`, value: add.ipvsadm.median / add.script.median, unit: '×',
      ...(shape.services === 10_000 && shape.destinations === 10 ? { goal: 5, atLeast: true } : {}),
    },
    {
      what: `${formatShape(shape)}: ipvsadm -Ln --stats`, value: list.list.median, unit: 'µs/object', reference: list.c.median,
      ratio: list.list.ratio,
    },
  ]
}

async function processForEach(folder: string, rounds: number): Promise<Row> {
  const script = join(folder, 'rules.sh')
  writeFileSync(script, ['set -e', ...[...ipvsadmLines(oneByOne)].map(line => `ipvsadm ${line}`), ''].join('\n'))
  const { add } = await compare({ c: inC(oneByOne), each: filledBy(oneByOne, namespace => namespace.run('sh', [script])) }, { rounds })
  return {
    what: 'ipvsadm once a rule, from a shell script', value: add.each.median, unit: 'µs/rule', reference: add.c.median,
    ratio: add.each.ratio,
    note: `measured with ${rulesOf(oneByOne)} rules`,
  }
}

/** The same rules through the tools that people use today. */
export const ipvsadm: Suite = {
  title: 'ipvsadm at the same work, whole processes; beside the C reference, batched',
  async measure(run) {
    const folder = mkdtempSync(join(tmpdir(), 'ipvs-bench-'))
    const rounds = Math.min(run.rounds, 3)
    try {
      const rows = [
        await processForEach(folder, rounds), ...await restoring(run.shape ?? { services: 1000, destinations: 10 }, folder, rounds),
      ]
      if (run.shape === undefined) {
        rows.push(...await restoring({ services: 10_000, destinations: 10 }, folder, run.place === 'tcg' ? 1 : rounds))
      }
      return rows
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
}
