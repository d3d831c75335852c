import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { LabArguments } from '../lab/arguments.js'
import type { Outputs } from '../lab/job.js'
import { checkout } from '../setup/checkout.js'
import { nodeProgram, nodeReleases, pathWith, type NodeRelease } from '../setup/node.js'
import { run } from '../setup/run.js'
import { fuzz } from './fuzz.js'
import { installed } from './installed.js'
import { inLab } from './lab.js'
import { nativeTests } from './native.js'
import { oldest } from './oldest.js'
import { outcome, total, type Outcome } from './outcome.js'
import { privately } from './private.js'
import { sanitizedTests } from './sanitized.js'
import { vitest } from './vitest.js'

/** A part of `npm test`. */
export interface Stage {
  name: string
  what: string
  /** Runs only if it is named, or with --all. */
  extra?: true
  run: (lab: LabArguments, outputs: Outputs) => Promise<Outcome>
}

/** Each check counts as one test. */
async function checks(): Promise<Outcome> {
  const tool = (path: string): string => join(checkout, 'node_modules', path)
  const programs = { 'type check': [tool('typescript/bin/tsc'), '-b'], 'lint': [tool('eslint/bin/eslint.js'), '.'] }
  const outcomes: Outcome[] = []
  for (const [name, command] of Object.entries(programs)) {
    const { status, stdout, stderr } = await run(process.execPath, command, { cwd: checkout })
    outcomes.push(status === 0 ? outcome(1, []) : outcome(0, [name], 0, `${name}:\n${stdout}${stderr}`))
  }
  return total(outcomes)
}

/** Runs vitest here, under a release of Node if one is given. */
async function here(name: string, project: string, outputs: Outputs, release?: NodeRelease): Promise<Outcome> {
  const node = release === undefined ? process.execPath : await nodeProgram(release)
  const { command, read } = vitest(name, [project], { node })
  const child = spawn(
    command[0], command.slice(1), { cwd: checkout, env: { ...process.env, PATH: pathWith(node) }, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  child.stdout.pipe(outputs.stdout, { end: false })
  child.stderr.pipe(outputs.stderr, { end: false })
  const [status] = await once(child, 'close') as [number | null]
  return read(status ?? 1)
}

/** Releases of Node other than the one that runs this. */
const others = nodeReleases.filter(release => release !== process.versions.node.split('.')[0])

/** Quick stages that find simple mistakes come first. Of the rest, long ones come first, so that none is left at the end. */
export const stages: Stage[] = [
  { name: 'check', what: 'type check and lint', run: checks },
  { name: 'native', what: 'native unit tests under AddressSanitizer and UBSan', run: nativeTests },
  { name: 'unit', what: 'TypeScript unit tests', run: (_, outputs) => here('unit', 'unit', outputs) },
  { name: 'oldest', extra: true, what: 'every command and attribute on the oldest kernel, 5.10 in QEMU',
    run: (lab, outputs) => inLab(
      'oldest', ['kernel', 'traffic'], { ...lab, on: 'qemu', suite: 'bullseye', processors: 1 }, outputs, { words: Object.keys(oldest) },
    ) },
  {
    name: 'kernel', what: 'every operation against ipvsadm, on a real kernel',
    run: (lab, outputs) => inLab('kernel', ['kernel'], lab, outputs),
  },
  { name: 'lab', what: 'the lab itself', run: (_, outputs) => here('lab', 'lab', outputs) },
  {
    name: 'traffic', what: 'packets through NAT, DR and TUN, on a real kernel',
    run: (lab, outputs) => inLab('traffic', ['traffic'], lab, outputs),
  },
  {
    name: 'fuzz', extra: true, what: 'each decoder fuzzed for 60 s',
    run: (_, { stdout }) => fuzz({ seconds: 60, atOnce: 1 }, line => { stdout.write(`${line}\n`) }),
  },
  { name: 'sanitized', extra: true, what: 'kernel tests with the addon under AddressSanitizer and UBSan', run: sanitizedTests },
  {
    name: 'installed', extra: true, what: 'the packed tarball in an empty project, on Node 20 and the newest',
    run: (_, { stdout }) => installed(line => { stdout.write(`${line}\n`) }),
  },
  {
    name: 'private', extra: true, what: 'kernel tests by an ordinary user, in a folder that others may not look into',
    run: (_, outputs) => privately(['kernel'], outputs),
  },
  ...others.map((release): Stage => ({
    name: `kernel@${release}`, extra: true, what: `kernel tests under Node ${release}`,
    run: async (lab, outputs) => inLab(
      `kernel@${release}`, ['kernel'], { ...lab, node: release }, outputs, { node: await nodeProgram(release) },
    ),
  })),
  ...others.map((release): Stage => ({
    name: `unit@${release}`, extra: true, what: `unit tests under Node ${release}`,
    run: (_, outputs) => here(`unit@${release}`, 'unit', outputs, release),
  })),
]

/** Checks that are not in --all, and the commands that run them. */
export const leftOut = 'left out: all tests on 5.10, 6.1 and 6.12 (npm run test:kernels), '
  + 'traffic on other releases of Node (npm run lab -- --node 22 -- npx vitest run --project traffic)'
