import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { formatDuration, median } from 'ipvs/bench'
import { ownProgram, runProgram } from '../child.js'
import type { Row } from '../row.js'
import type { Suite } from '../suite.js'

const checkout = fileURLToPath(new URL('../../../../', import.meta.url))

/** Compiles the program that measures the C++ part, from the sources of the addon. */
function compile(): string {
  type Sources = { variables: Record<'netlink_sources' | 'ipvs_sources', string[]> }
  const { variables } = JSON.parse(readFileSync(join(checkout, 'native/sources.gypi'), 'utf8')) as Sources
  const addon = [...variables.netlink_sources, ...variables.ipvs_sources].map((path) => `native/${path}`)
  const sources = ['scripts/bench/native.cc', ...addon].map((path) => join(checkout, path))
  const program = join(checkout, 'build/bench/native')
  mkdirSync(join(checkout, 'build/bench'), { recursive: true })
  execFileSync('c++', ['-std=c++20', '-O2', '-fno-exceptions', '-fno-rtti', `-I${join(checkout, 'native')}`, '-o', program, ...sources], { stdio: ['ignore', 'inherit', 'inherit'] })
  return program
}

type Samples = Record<string, number[]>

/** So many rounds at the beginning are told apart: the code was not compiled yet. */
const COLD = 1
const WARM = 10

const ranged = (samples: readonly number[], format = formatDuration): string => `${format(Math.min(...samples))} to ${format(Math.max(...samples))}`

/** A row of the median; the note tells the spread. */
function row(what: string, samples: readonly number[], unit: Row['unit'], goal?: number): Row {
  return { what, value: median([...samples]), unit, goal, note: ranged(samples) }
}

/** A row of what is warm; the note tells the first round too. */
function warm(what: string, samples: readonly number[], unit: Row['unit'], goal?: number): Row {
  const rest = samples.slice(WARM)
  return { what, value: median(rest), unit, goal, note: `${ranged(rest)}; the first ${formatDuration(median(samples.slice(0, COLD)))}` }
}

const megabytes = (bytes: number): number => bytes / 1e6

/** The package's own share, in processor time, so that other programs on the machine count little. No IPVS is needed. */
export const native: Suite = {
  title: 'The package\'s own share: processor time, the median and the spread of the rounds',
  anywhere: true,
  async measure(run) {
    const part = async (name: string): Promise<Samples> => JSON.parse((await runProgram(...ownProgram('native', [name]))).output) as Samples
    const native = run.place === 'native'
    const goal = (value: number): number | undefined => native ? value : undefined

    const inC = JSON.parse((await runProgram(compile(), [`${run.rounds * 3}`])).output) as Samples
    const { encode, decode, ...conversations } = inC
    const pack = await part('pack')
    const { read } = await part('read')
    const { together, snapshot, calls } = await part('listings')
    const held = await part('held')
    const updates: { services: number, update: number[] }[] = []
    for (const services of [10, 1000, 10_000, 100_000]) updates.push({ services, update: (await part(`updateAmong${services}`)).update })
    const smallest = median(updates[0].update.slice(WARM))
    const imports: number[] = []
    for (let i = 0; i < run.rounds; i++) imports.push(...(await part('import')).import)
    const batches: Samples[] = []
    const loops: Samples[] = []
    for (let i = 0; i < Math.min(run.rounds, 3); i++) {
      batches.push(await part('memory'))
      loops.push(await part('emptyLoop'))
    }
    const beyond = batches.map(({ peak }, i) => megabytes(peak[0] - loops[i].peak[0]))
    const kept = batches.map(({ kept }) => megabytes(kept[0]))
    const inMegabytes = (value: number): string => `${value.toFixed(1)} MB`
    const ofSnapshot = median(together.slice(WARM)) / median(snapshot.slice(WARM))

    return [
      ...Object.entries(pack).map(([verb, samples]) => warm(`packing a destination, ${verb}, validation included`, samples, 'µs/rule', goal(0.12))),
      row('encoding it, and what a transaction does for it', encode, 'µs/rule'),
      row('decoding a listed destination', decode, 'µs/object'),
      warm('reading it', read, 'µs/object', goal(0.25)),
      warm('10,000 single calls, Promise.all', calls, 'µs/rule'),
      warm('snapshot() of 1,000 × 10, the answers made too', snapshot, 'µs/object'),
      {
        ...warm('destinations() of 1,000 services, Promise.all; against snapshot()', together, 'µs/object', goal(1.25)),
        ratio: ofSnapshot,
      },
      ...Object.entries(conversations).map(([what, samples]) => row(`${what}, of the family nlctrl`, samples, 'µs/call')),
      ...updates.map(({ services, update }): Row => ({
        ...warm(`update() of one service among ${services.toLocaleString('en')}, against ${updates[0].services}`, update, 'µs/call'),
        ...services > updates[0].services && { ratio: median(update.slice(WARM)) / smallest, goal: goal(1.2) },
      })),
      row(
        'event loop held by a batch of 110,000 rules, an array (before Node 22.19 V8\'s helper threads count in all of these)',
        held.array, 'µs', goal(5000),
      ),
      row('the same, an iterable', held.iterable, 'µs', goal(5000)),
      row('… by snapshot() of 10,000 × 10', held.snapshot, 'µs', goal(5000)),
      row('… by destinations() of all of them, Promise.all', held.listings, 'µs'),
      row('… by an empty plan', held.plan, 'µs', goal(5000)),
      row('… by the metrics writer, labels of the service', held.scrape, 'µs', goal(20_000)),
      {
        what: '1,000,000 rules from a generator: most memory, beyond the generator in an empty loop',
        value: median(beyond), unit: 'MB', goal: 20, note: ranged(beyond, inMegabytes),
      },
      {
        what: 'the same: heap beyond before, after a collection',
        value: median(kept), unit: 'MB', goal: 1, note: ranged(kept, inMegabytes),
      },
      row('import \'ipvs\'', imports, 'µs', goal(20_000)),
    ]
  },
}
