import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { IpvsSync } from 'ipvs'
import { median } from 'ipvs/bench'
import { holdProgram, letProgramGo, ownProgram } from '../child.js'
import { startDirector, startKeepalived, type Contender } from '../contender.js'
import { machineTime } from '../moods.js'
import { Namespace } from '../namespace.js'
import { compileChecks } from '../reference-checks.js'
import type { Row } from '../row.js'
import type { Suite } from '../suite.js'
import { oneServer, realAddress, virtualAddress, virtualServers } from '../virtual-servers.js'
import { formatShape, type Shape } from '../workload.js'

const COMMAND = fileURLToPath(new URL('../../../../dist/bin/ipvs.cjs', import.meta.url))
const ROUNDS = 30
/** What is asked again after a bad answer, and after how many seconds. */
const [RETRIES, RETRY_DELAY] = [2, 0.1]
/** Seconds from one check of a real server to the next where there are thousands: a guest has one processor, and that is slow. */
const DELAY = 60
/** Seconds from one check of the only server to the next. */
const LOOP = 0.2
const SERVER = '127.0.0.2'
const PORT = 8080

interface Moments {
  gone: number[]
  there: number[]
}

type Start = (namespace: Namespace, folder: string, file: string) => Promise<Contender>
const contenders: Record<'director' | 'keepalived', Start> = {
  director: (namespace, _, file) => startDirector(namespace, COMMAND, file),
  keepalived: startKeepalived,
}

const milliseconds = (microseconds: number): string => `${(microseconds / 1000).toFixed(1)} ms`

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`

async function inFolder<Result>(work: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-director-'))
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** From the answer that decides until the kernel has said that it is done. */
async function decisionRows(shape: Shape, isQuiet: boolean): Promise<Row[]> {
  await using namespace = await Namespace.create()
  const { output } = await namespace.run(...ownProgram('decide', [shape.services, shape.destinations, 100]))
  const { gone, there } = JSON.parse(output) as Moments
  const row = (what: string, moments: number[]): Row => ({
    what, value: median(moments), unit: 'µs', goal: isQuiet ? 2000 : undefined, note: `of ${moments.length}; the longest took ${milliseconds(Math.max(...moments))}`,
  })
  return [
    row(`deciding answer → rule gone, in a table of ${formatShape(shape)}`, gone), row('deciding answer → rule there', there),
  ]
}

/** From the first answer that is another than those before until the table follows, as somebody sees it who looks every millisecond. */
const reactionRows = (): Promise<Row[]> => inFolder(async (folder) => {
  const file = join(folder, 'keepalived.conf')
  await writeFile(file, oneServer({ address: SERVER, port: PORT, delay: LOOP, retries: RETRIES, retryDelay: RETRY_DELAY }), { mode: 0o644 })
  const found = {} as Record<keyof typeof contenders, Moments>
  for (const [name, start] of Object.entries(contenders) as [keyof typeof contenders, Start][]) {
    await using namespace = await Namespace.create()
    const watching = namespace.run(...ownProgram('reaction', [SERVER, PORT, virtualAddress(0), ROUNDS]))
    // The server is to be there first: the watcher waits for the rest.
    await sleep(3000)
    await using contender = await start(namespace, folder, file)
    void contender
    found[name] = JSON.parse((await watching).output.replace(/^ready\n/, '')) as Moments
  }
  const row = (what: string, which: keyof Moments, due: number): Row => {
    const [ours, theirs] = [found.director[which], found.keepalived[which]].map((moments) => moments.map((moment) => moment - due))
    return {
      what, value: median(ours), reference: median(theirs), unit: 'µs', goal: 20_000,
      note: `of ${ours.length}; the longest took ${milliseconds(Math.max(...ours))}, keepalived's ${milliseconds(Math.max(...theirs))}`,
    }
  }
  return [
    row(`first bad answer → rule gone, less ${RETRIES} retries × ${RETRY_DELAY} s`, 'gone', RETRIES * RETRY_DELAY * 1e6),
    // keepalived wants one good answer more than there are urls, and the next one comes with the next round.
    row(`first good answer → rule there, less ${LOOP} s to the second one`, 'there', LOOP * 1e6),
  ]
})

/** From SIGHUP until the changed rule is there, the file being read on the way. */
async function hangUps(
  namespace: Namespace, { pid }: Contender, file: string, texts: readonly string[], changed: number, real: string,
): Promise<number[]> {
  const ipvs = IpvsSync.open({ netns: namespace.path })
  const service = { protocol: 'tcp', address: virtualAddress(changed), port: 80 } as const
  const taken: number[] = []
  for (let round = 0; round < 10; round++) {
    const weight = round % 2 === 0 ? 2 : 1
    await writeFile(file, texts[(round + 1) % 2])
    await sleep(1000)
    const start = machineTime()
    process.kill(pid, 'SIGHUP')
    while (ipvs.destinations(service).find(({ address }) => address === real)?.weight !== weight) {
      if (machineTime() - start > 60e6) throw new Error('the changed rule was not there within a minute')
      await sleep(1)
    }
    taken.push(machineTime() - start)
  }
  ipvs.close()
  return taken
}

const reloadRows = (shape: Shape): Promise<Row[]> => inFolder(async (folder) => {
  const changed = shape.services >> 1
  const checks = compileChecks()
  const [ours, theirs]: Record<'memory' | 'taken', number[]>[] = [{ memory: [], taken: [] }, { memory: [], taken: [] }]
  let own = {} as Record<'reading' | 'taking' | 'worst' | 'held' | 'idle' | 'late' | 'checks' | 'bad', number>
  let lines = 0
  for (const [name, start] of Object.entries(contenders)) {
    await using namespace = await Namespace.create()
    const { pid, output } = await holdProgram('nsenter', [`--net=${namespace.path}`, checks, 'serve'])
    const port = Number(output.split(' ')[0])
    const texts = [1, 2].map((weight) => virtualServers(shape, { port, delay: DELAY, changed: { service: changed, weight } }))
    const files = ['one.conf', 'other.conf', 'keepalived.conf'].map((base) => join(folder, base))
    for (const [number, path] of files.entries()) await writeFile(path, texts[number % 2], { mode: 0o644 })
    lines = texts[0].split('\n').length - 1
    const found = name === 'director' ? ours : theirs
    {
      await using contender = await start(namespace, folder, files[2])
      // The checks have begun, and what starting took is collected.
      await sleep(5000)
      found.memory.push(contender.memory)
      found.taken.push(...await hangUps(namespace, contender, files[2], texts, changed, realAddress(changed * shape.destinations)))
      // The thread that has read the file is still about to end.
      found.memory.push(contender.memory)
      await sleep(5000)
      found.memory.push(contender.memory)
    }
    if (name === 'director') own = JSON.parse((await namespace.run(...ownProgram('reload', [10, files[2], files[1]]))).output) as typeof own
    await letProgramGo(pid)
  }
  const size = formatShape(shape)
  return [
    {
      what: `reload of ${size} with one changed: read → changed rule`, value: own.taking, unit: 'µs', goal: 100_000,
      note: `median of 10, the longest ${milliseconds(own.worst)}; reading ${lines.toLocaleString('en')} lines took ${milliseconds(own.reading)} in its thread`,
    },
    {
      what: 'the event loop held meanwhile, less an idle run', value: own.held - own.idle, unit: 'µs',
      note: `the checks were late by ${own.late} ms in all, ${own.checks} went on, ${own.bad} were bad`,
    },
    {
      what: 'SIGHUP → changed rule, the command', value: median(ours.taken), reference: median(theirs.taken), unit: 'µs',
      note: `the longest took ${milliseconds(Math.max(...ours.taken))}, keepalived's ${milliseconds(Math.max(...theirs.taken))}`,
    },
    {
      what: `memory of the command, ${size} with a check each`, value: ours.memory[0] / 1e6, reference: theirs.memory[0] / 1e6, unit: 'MB', goal: 150,
      note: `at the end of 10 reloads ${megabytes(ours.memory[1])}, 5 s later ${megabytes(ours.memory[2])}; keepalived ${megabytes(theirs.memory[2])}`,
    },
  ]
})

/** What a director reacts within, and what it takes for that, beside keepalived with the same file in the same guest. */
export const reactions: Suite = {
  title: 'The director, beside keepalived with the same file',
  beside: 'keepalived',
  needs: ['keepalived'],
  async measure({ place, shape = { services: 1000, destinations: 10 } }) {
    return [...await decisionRows(shape, place !== 'tcg'), ...await reactionRows(), ...await reloadRows(shape)]
  },
}
