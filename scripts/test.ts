/**
 * `npm test`: the everyday checks, including all set-up. `npm test -- --all` adds what a change must pass before it is merged.
 * `npm test -- unit kernel --on qemu --suite trixie` chooses stages and the kernel.
 */
import { UsageError, usage as labUsage } from './lab/arguments.js'
import { readTestArguments } from './test/arguments.js'
import { good, summary, total } from './test/outcome.js'
import { runStages } from './test/schedule.js'
import { leftOut, stages } from './test/stages.js'

// Vitest would colour its output even in files.
if (!process.stdout.isTTY && process.env.FORCE_COLOR === undefined) process.env.NO_COLOR = '1'

const print = (line: string): void => { process.stdout.write(`${line}\n`) }

/** An emulated processor on a busy machine takes longer than the lab's usual limit. */
const patience = ['--timeout', '3600']

const usage = (): string => `Usage: npm test -- [--all] [STAGE…] [OPTION…]

Runs stages side by side, one for each processor, and ends with the names of the tests that failed and the sum of all.

${stages.map(({ name, what, extra }) => `  ${name.padEnd(14)} ${what}${extra ? ' (named, or with --all)' : ''}`).join('\n')}

Options for the lab:
${labUsage.slice(labUsage.indexOf('  --on'))}`

try {
  const words = process.argv.slice(2)
  const all = words.includes('--all')
  const { names, lab } = readTestArguments(words.filter(word => word !== '--all'), stages.map(({ name }) => name), patience)
  if (lab.help) process.stdout.write(usage())
  else {
    const chosen = stages.filter(({ name, extra }) => names === undefined ? all || !extra : names.includes(name))
    const done = await runStages(chosen, lab, print)
    const inOrder = chosen.map(({ name }) => done.find(one => one.name === name)!)
    const sum = total(done.map(({ outcome }) => outcome))
    print('')
    if (names === undefined) {
      print(all ? leftOut : `left out: ${stages.filter(({ extra }) => extra).map(({ name }) => name).join(', ')} (npm test -- --all)`)
    }
    print(summary(inOrder))
    process.exitCode = good(sum) ? 0 : 1
  }
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`test: ${error.message}\n\n${usage()}`)
  process.exitCode = 2
}
