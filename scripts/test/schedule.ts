import { createWriteStream, mkdirSync, readFileSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { LabArguments } from '../lab/arguments.js'
import type { Outputs } from '../lab/job.js'
import { good, inWords, outcome, type Outcome } from './outcome.js'
import { inParallel } from './parallel.js'
import type { Stage } from './stages.js'
import { resultsFolder } from './vitest.js'

export interface Done { name: string, outcome: Outcome, seconds: number }

/** As many at a time as there are processors and memory for guests. */
const atOnce = Math.max(1, Math.min(availableParallelism(), Math.floor(totalmem() / (3 * 2 ** 30))))

/**
 * Runs stages side by side. The output of each goes to build/tests/NAME.log and is shown if it fails; a single stage prints directly. A
 * stage that throws has failed.
 */
export function runStages(stages: Stage[], lab: LabArguments, print: (text: string) => void): Promise<Done[]> {
  mkdirSync(resultsFolder, { recursive: true })
  return inParallel(stages, async ({ name, what, run }) => {
    print(`${name}: ${what} …`)
    const begun = performance.now()
    const file = join(resultsFolder, `${name}.log`)
    const log = createWriteStream(file)
    const alone = stages.length === 1
    const both = new PassThrough()
    both.pipe(log)
    if (alone) both.pipe(process.stdout, { end: false })
    const outputs: Outputs = { stdout: both, stderr: both }
    const result = await run(lab, outputs).catch((error: unknown) => outcome(0, [(error as Error).message]))
    both.end()
    await finished(log)
    if (!alone && !good(result)) print(readFileSync(file, 'utf8'))
    if (result.note !== undefined) print(`${name}: ${result.note}`)
    const seconds = (performance.now() - begun) / 1000
    print(`${name}: ${inWords(result)} (${seconds.toFixed(0)} s)`)
    return { name, outcome: result, seconds }
  }, atOnce)
}
