import { fileURLToPath } from 'node:url'
import { compare, type Contender } from 'ipvs/bench'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Ended } from '../child.js'
import { Namespace } from '../namespace.js'
import { reference } from '../reference.js'
import type { Row } from '../row.js'
import type { Suite } from '../suite.js'
import { empty, formatShape, ipvsadmLines, type Shape } from '../workload.js'
import { verifyAdded } from './cold.js'

const ipvs = fileURLToPath(new URL('../../../../dist/bin/ipvs.cjs', import.meta.url))
const listed: Shape = { services: 1000, destinations: 10 }
const restored: Shape = { services: 10_000, destinations: 10 }

/** Times one program in a namespace that has a table. */
const timedIn = (shape: Shape, command: string, args: readonly string[]): Contender => async () => {
  await using namespace = await Namespace.create()
  await reference(namespace, shape, ['add'])
  return { whole: (await namespace.run(command, args)).microseconds }
}

/** Times one program that fills a table. */
const filling = (fill: (namespace: Namespace) => Promise<Ended>): Contender => async () => {
  await using namespace = await Namespace.create()
  const { microseconds } = await fill(namespace)
  await verifyAdded(namespace, restored)
  return { whole: microseconds }
}

async function listing(rounds: number): Promise<Row[]> {
  const node = [process.execPath, ['-e', '0']] as const
  const { whole } = await compare({
    bare: timedIn(empty, ...node),
    empty: timedIn(empty, process.execPath, [ipvs, '-Ln']),
    'ipvs -Ln': timedIn(listed, process.execPath, [ipvs, '-Ln']),
    'ipvs -Sn': timedIn(listed, process.execPath, [ipvs, '-Sn']),
    'ipvsadm -Ln': timedIn(listed, 'ipvsadm', ['-Ln']),
    'ipvsadm -Sn': timedIn(listed, 'ipvsadm', ['-Sn']),
  }, { rounds })
  const beyond = (words: '-Ln' | '-Sn'): Row => {
    const value = whole[`ipvs ${words}`].median - whole.bare.median
    return {
      what: `ipvs ${words} of ${formatShape(listed)}, beyond node -e 0; against ipvsadm's whole time`, value, unit: 'µs',
      ratio: value / whole[`ipvsadm ${words}`].median, goal: 1,
    }
  }
  return [
    { what: 'node -e 0', value: whole.bare.median, unit: 'µs' },
    { what: 'ipvs -Ln of an empty table, against node -e 0', value: whole.empty.median, unit: 'µs', ratio: whole.empty.ratio, goal: 1.3 },
    beyond('-Ln'),
    beyond('-Sn'),
  ]
}

async function restoring(rounds: number): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'ipvs-bench-'))
  try {
    const saved = join(folder, 'rules')
    writeFileSync(saved, [...ipvsadmLines(restored), ''].join('\n'))
    const { whole } = await compare({
      ipvs: filling((namespace) => namespace.run(process.execPath, [ipvs, '-R'], saved)),
      ipvsadm: filling((namespace) => namespace.run('ipvsadm', ['-R'], saved)),
    }, { rounds })
    return [
      { what: `ipvs -R of ${formatShape(restored)}`, value: whole.ipvs.median, unit: 'µs' },
      { what: 'ipvsadm -R beside it', value: whole.ipvsadm.ratio, unit: '×', goal: 15, atLeast: true },
    ]
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The command `ipvs` beside ipvsadm. */
export const command: Suite = {
  title: 'The command, whole processes; beside ipvsadm and an empty Node',
  async measure(run) {
    return [...await listing(run.rounds), ...await restoring(run.place === 'tcg' ? 1 : Math.min(run.rounds, 3))]
  },
}
