/** `npm test`: every check there is, all set-up included. `npm test -- unit kernel --on qemu --suite trixie` chooses stages and the kernel. */
import { UsageError } from './lab/arguments.js'
import { readTestArguments } from './test/arguments.js'
import { good, inWords, outcome, total, type Outcome } from './test/outcome.js'
import { stages } from './test/stages.js'

// Vitest would colour its output also where nobody sees colours.
if (!process.stdout.isTTY && process.env.FORCE_COLOR === undefined) process.env.NO_COLOR = '1'

const print = (line: string): void => { process.stdout.write(`${line}\n`) }

try {
  const { names, lab } = readTestArguments(process.argv.slice(2), stages.map(({ name }) => name))
  const lines: string[] = []
  const outcomes: Outcome[] = []
  for (const stage of stages.filter(({ name }) => names.includes(name))) {
    print(`\n${stage.name}: ${stage.what}`)
    const begun = performance.now()
    const result = await stage.run(lab).catch((error: unknown) => outcome(0, 1, 0, (error as Error).message))
    outcomes.push(result)
    if (result.note !== undefined) print(result.note)
    const line = `${stage.name.padEnd(8)} ${inWords(result)} (${((performance.now() - begun) / 1000).toFixed(1)} s)`
    lines.push(result.failed === 0 && result.note !== undefined ? `${line} ${result.note}` : line)
    print(line)
  }
  const sum = total(outcomes)
  print(`\n${lines.join('\n')}\n\n${inWords(sum)}`)
  process.exitCode = good(sum) ? 0 : 1
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`test: ${error.message}\n`)
  process.exitCode = 2
}
