/** `npm run test:kernels`: runs the kernel and traffic tests on every supported kernel. `npm run test:kernels -- trixie` chooses. */
import type { LabArguments, PlaceName } from './lab/arguments.js'
import { UsageError, usage as labUsage } from './lab/arguments.js'
import { suites, type Suite } from './lab/suites.js'
import { readTestArguments } from './test/arguments.js'
import { inLab } from './test/lab.js'
import { oldest } from './test/oldest.js'
import { good, summary, total } from './test/outcome.js'
import { runStages } from './test/schedule.js'
import type { Stage } from './test/stages.js'

if (!process.stdout.isTTY && process.env.FORCE_COLOR === undefined) process.env.NO_COLOR = '1'

/** An emulated run takes an hour with a processor to itself. The limit leaves room for other work on the machine. */
const patience = ['--timeout', '7200']

/**
 * How each kernel is tested. The newest runs natively in user-mode Linux. The others do not start there on every processor, so they are
 * emulated, which is ten times as slow. Each guest has one processor; a kernel that runs everything does it in two guests, half in each, so
 * that all of the machine's processors are busy.
 */
const ways: Record<Suite, { release: string, on: PlaceName, whole: boolean }> = {
  bullseye: { release: '5.10', on: 'qemu', whole: true },
  bookworm: { release: '6.1', on: 'qemu', whole: false },
  trixie: { release: '6.12', on: 'qemu', whole: false },
  sid: { release: '7.2', on: 'uml', whole: true },
}

/**
 * What runs on a kernel between the oldest and the newest: every command and every attribute, packets, and whatever reads the machine and
 * firewalls.
 */
const between = [...Object.keys(oldest), 'test/traffic', 'test/kernel/doctor', 'test/kernel/network.test.ts', 'test/kernel/sysctl.test.ts']

/** Files about etcd, documents and the reading of files. They take a quarter of the time in an emulated kernel, and say little of it. */
const elsewhere = ['test/kernel/fleet-*.test.ts', 'test/kernel/documentation.test.ts', 'test/kernel/keepalived-reading.test.ts']

const leftOut = [
  'left out: on 5.10, fleets, documents and what keepalived reads (npm run test:kernels -- bullseye runs everything there);',
  '          on 6.1 and 6.12, files that say little of a kernel (npm run test:kernels -- bookworm trixie runs everything there);',
  '          7.2 in QEMU, where firewalls (nftables, iptables) and several processors are (npm run test:kernels -- sid --on qemu)',
].join('\n')

function wordsOf(suite: Suite): string {
  const { release, on, whole } = ways[suite]
  return `  ${suite.padEnd(10)} ${release.padEnd(5)} ${on === 'uml' ? 'user-mode Linux' : 'QEMU'}${whole ? '' : ', a selection unless it is named'}`
}

const usage = (): string => `Usage: npm run test:kernels -- [SUITE…] [OPTION…]

Runs the kernel and traffic tests on every supported kernel, one for each processor at a time. It is laid out for an hour on two idle processors:
everything on the newest; on the oldest, all that its kernel decides; on those between, every command and attribute, packets, and what reads
the machine.
A suite that is named runs everything.

${suites.map(wordsOf).join('\n')}

${leftOut}

Options for the lab:
${labUsage.slice(labUsage.indexOf('  --on'))}`

const print = (line: string): void => { process.stdout.write(`${line}\n`) }

/** A kernel's tests: one stage for each part of them. */
function stagesFor(suite: Suite, chosen: PlaceName | undefined, named: boolean): Stage[] {
  const way = ways[suite]
  const on = chosen ?? way.on
  const whole = named || way.whole
  const parts = on === 'qemu' && whole ? 2 : 1
  return Array.from({ length: parts }, (_, index): Stage => {
    const name = parts === 1 ? suite : `${suite}-${index + 1}`
    const part = parts === 1 ? '' : `, part ${index + 1} of ${parts}`
    return {
      name,
      what: `${whole ? 'kernel and traffic tests' : 'a selection of the kernel and traffic tests'} on ${way.release} (${suite}, ${on})${part}`,
      run: (lab: LabArguments, outputs) => inLab(
        `kernels-${name}`, ['kernel', 'traffic'], { ...lab, on, suite, processors: 1 }, outputs,
        {
          words: [
            ...whole ? [] : between,
            ...on === 'qemu' && !named ? elsewhere.map(files => `--exclude=${files}`) : [],
            ...parts === 1 ? [] : [`--shard=${index + 1}/${parts}`],
          ],
        },
      ),
    }
  })
}

try {
  const { names, lab } = readTestArguments(process.argv.slice(2), [...suites], patience)
  if (lab.help) process.stdout.write(usage())
  else {
    const stages = suites.filter(name => names?.includes(name) ?? true).flatMap(suite => stagesFor(suite, lab.on, names !== undefined))
    const done = await runStages(stages, lab, print)
    print('')
    if (names === undefined) print(leftOut)
    print(summary(done))
    process.exitCode = good(total(done.map(({ outcome }) => outcome))) ? 0 : 1
  }
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`test:kernels: ${error.message}\n\n${usage()}`)
  process.exitCode = 2
}
