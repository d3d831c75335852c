/** `npm run test:kernels`: runs the kernel and traffic tests on every supported kernel. `npm run test:kernels -- trixie sid` chooses. */
import type { PlaceName } from './lab/arguments.js'
import { UsageError } from './lab/arguments.js'
import { suites, type Suite } from './lab/suites.js'
import { readTestArguments } from './test/arguments.js'
import { inLab } from './test/lab.js'
import { good, summary, total } from './test/outcome.js'
import { runStages } from './test/schedule.js'
import type { Stage } from './test/stages.js'

if (!process.stdout.isTTY && process.env.FORCE_COLOR === undefined) process.env.NO_COLOR = '1'

/** An emulated run takes half an hour with a processor to itself. The limit leaves room for other work on the machine. */
const patience = ['--timeout', '7200']

/**
 * The newest kernel runs natively in user-mode Linux. The others do not start there on every processor, so they are emulated. Each has one
 * processor and runs its tests in two halves, so that all of the machine's processors are busy.
 */
const ways: Record<Suite, { on: PlaceName, parts: number }> = {
  bullseye: { on: 'qemu', parts: 2 },
  bookworm: { on: 'qemu', parts: 2 },
  trixie: { on: 'qemu', parts: 2 },
  sid: { on: 'uml', parts: 1 },
}

const leftOut = 'left out: 7.2 in QEMU, where firewalls (nftables, iptables) and several processors are '
  + '(npm run test:kernels -- sid --on qemu)'

const print = (line: string): void => { process.stdout.write(`${line}\n`) }

/** A kernel's tests: one stage for each part of them. */
function stagesFor(suite: Suite, chosen: PlaceName | undefined): Stage[] {
  const { on, parts } = { ...ways[suite], ...chosen === undefined ? {} : { on: chosen } }
  return Array.from({ length: parts }, (_, index): Stage => {
    const name = parts === 1 ? suite : `${suite}-${index + 1}`
    return {
      name,
      what: `kernel and traffic tests on the kernel of ${suite}, ${on}${parts === 1 ? '' : `, part ${index + 1} of ${parts}`}`,
      run: (lab, outputs) => inLab(`kernels-${name}`, ['kernel', 'traffic'], {
        ...lab, on, suite, processors: 1,
      }, outputs, parts === 1 ? {} : { words: [`--shard=${index + 1}/${parts}`] }),
    }
  })
}

try {
  const { names = suites, lab } = readTestArguments(process.argv.slice(2), [...suites], patience)
  const done = await runStages(suites.filter(name => names.includes(name)).flatMap(suite => stagesFor(suite, lab.on)), lab, print)
  print('')
  if (names.includes('sid') && lab.on === undefined) print(leftOut)
  print(summary(done))
  process.exitCode = good(total(done.map(({ outcome }) => outcome))) ? 0 : 1
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`test:kernels: ${error.message}\n`)
  process.exitCode = 2
}
