import { execFileSync } from 'node:child_process'
import { mkdirSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Timings } from 'ipvs/bench'
import type { Namespace } from './namespace.js'
import { rulesOf, type Shape } from './workload.js'

const source = fileURLToPath(new URL('../../../scripts/bench/reference.c', import.meta.url))
const folder = fileURLToPath(new URL('../../bench/', import.meta.url))
const program = `${folder}reference`

const modified = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0

/** Compiles the C reference if it is missing or older than its source. */
export function compileReference(): void {
  if (modified(program) > modified(source)) return
  mkdirSync(folder, { recursive: true })
  execFileSync(
    'c++', ['-x', 'c', '-std=c11', '-O2', '-Wall', '-Wextra', '-o', program, source], { stdio: ['ignore', 'inherit', 'inherit'] },
  )
}

/** What the C reference says of one phase. */
interface Phase {
  phase: string
  seconds: number
  requests: number
  refused: number
  services: number
  destinations: number
}

/** Anything that programs run in: a namespace, or the one that this process is in. */
type Runner = Pick<Namespace, 'run'>

/**
 * Runs phases of the C reference, in order, in a process of its own. It counts what it receives; here the counts are checked.
 *
 * @returns microseconds by phase, of the whole phase
 * @throws Error when a request was refused, or a snapshot has not as many entries as the table should
 */
export async function reference(where: Runner, shape: Shape, phases: readonly string[]): Promise<Timings> {
  const { output } = await where.run(program, ['--services', `${shape.services}`, '--destinations', `${shape.destinations}`, ...phases])
  const timings: Timings = {}
  for (const { phase, seconds, refused, services, destinations } of JSON.parse(output) as Phase[]) {
    if (refused > 0) throw new Error(`the kernel refused ${refused} requests of the C reference's phase '${phase}'`)
    if (phase === 'snapshot' && services + destinations !== rulesOf(shape))
      throw new Error(
        `the C reference counts ${services} services and ${destinations} destinations where there should be ${rulesOf(shape)} in all`,
      )
    timings[phase] = seconds * 1e6
  }
  return timings
}

/** Has the C reference, a witness that shares nothing with this package, count the kernel's table. */
export const countTable = (where: Runner, shape: Shape): Promise<Timings> => reference(where, shape, ['snapshot'])

/** Phases that make a socket and its kernel warm without leaving a trace: services that come and go are not kept as destinations are. */
export const warmUp = ['add-services', 'remove-services'] as const
