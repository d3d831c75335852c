/** `npm run test:kernels`: kernel and traffic tests on every kernel supported, in QEMU. `npm run test:kernels -- trixie sid` chooses. */
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { UsageError } from './lab/arguments.js'
import { distributionKernel } from './lab/kernels.js'
import { suites, type Suite } from './lab/suites.js'
import { readTestArguments, type TestArguments } from './test/arguments.js'
import { good, inWords, outcome, type Outcome } from './test/outcome.js'
import { inParallel } from './test/parallel.js'
import { inLab } from './test/stages.js'

if (!process.stdout.isTTY && process.env.FORCE_COLOR === undefined) process.env.NO_COLOR = '1'

/** Half an hour where code is emulated and the processor is the guest's own; others may have work to do. */
const patience = ['--timeout', '7200']

const print = (line: string): void => { process.stdout.write(`${line}\n`) }

/** One kernel's tests. What they printed shows when one failed. */
async function onKernel(suite: Suite, lab: TestArguments['lab']): Promise<{ release: string, result: Outcome }> {
  try {
    const { release } = await distributionKernel(suite)
    const output = new PassThrough()
    const printed = text(output)
    const result = await inLab(`kernel-${suite}`, ['kernel', 'traffic'], { ...lab, on: 'qemu', suite }, { stdout: output, stderr: output })
    output.end()
    if (result.failed > 0) print(await printed)
    return { release, result }
  } catch (error) {
    return { release: '-', result: outcome(0, 1, 0, (error as Error).message) }
  }
}

try {
  const { names, lab } = readTestArguments(process.argv.slice(2), [...suites], patience)
  const outcomes = await inParallel(suites.filter(name => names.includes(name)), async suite => {
    const begun = performance.now()
    const { release, result } = await onKernel(suite, lab)
    print(`${suite.padEnd(8)} ${release.padEnd(22)} ${inWords(result)} (${((performance.now() - begun) / 1000).toFixed(0)} s)${result.note === undefined ? '' : ` ${result.note}`}`)
    return result
  })
  process.exitCode = outcomes.every(good) ? 0 : 1
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`test:kernels: ${error.message}\n`)
  process.exitCode = 2
}
