import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { LabArguments } from '../lab/arguments.js'
import { CannotStart, TimedOut, type Outputs } from '../lab/job.js'
import { runInLab } from '../lab/lab.js'
import { checkout } from '../setup/checkout.js'
import { ensure } from '../setup/programs.js'
import { run } from '../setup/run.js'
import { nativeTests } from './native.js'
import { outcome, total, type Outcome } from './outcome.js'
import { vitest } from './vitest.js'

/** A part of `npm test`. */
export interface Stage {
  name: string
  what: string
  run: (lab: LabArguments) => Promise<Outcome>
}

/** Programs that tests start in the lab: the independent witness, and what networks are built with. */
export const labPrograms = ['ip', 'ipvsadm', 'keepalived', 'nft', 'iptables', 'strace', 'unshare'] as const

/** Each check counts as one test. */
async function checks(): Promise<Outcome> {
  const tool = (path: string): string => join(checkout, 'node_modules', path)
  const programs = { 'type check': [tool('typescript/bin/tsc'), '-b'], 'lint': [tool('eslint/bin/eslint.js'), '.'] }
  const outcomes: Outcome[] = []
  for (const [name, command] of Object.entries(programs)) {
    const { status, stdout, stderr } = await run(process.execPath, command, { cwd: checkout })
    outcomes.push(status === 0 ? outcome(1, 0) : outcome(0, 1, 0, `${name}:\n${stdout}${stderr}`))
  }
  const notes = outcomes.flatMap(({ note }) => note === undefined ? [] : [note])
  return { ...total(outcomes), ...notes.length === 0 ? {} : { note: notes.join('\n') } }
}

/** Runs vitest here, its output shown as it comes. */
async function here(name: string): Promise<Outcome> {
  const { command, read } = vitest(name, [name], 'default')
  const status = await new Promise<number>(resolve => {
    const child = spawn(command[0], command.slice(1), { cwd: checkout, stdio: ['ignore', 'inherit', 'inherit'] })
    child.on('close', code => { resolve(code ?? 1) })
    child.on('error', () => { resolve(127) })
  })
  return read(status)
}

/** Runs vitest on a kernel with IPVS. */
export async function inLab(name: string, projects: string[], lab: LabArguments, outputs: Outputs = process): Promise<Outcome> {
  await ensure(...labPrograms)
  const { command, read } = vitest(name, projects, 'verbose')
  try {
    return read(await runInLab({ ...lab, command }, outputs))
  } catch (error) {
    if (error instanceof CannotStart) return outcome(0, 0, 1, `skipped: ${error.message}`)
    if (error instanceof TimedOut) return outcome(0, 1, 0, error.message)
    throw error
  }
}

/** In the order in which they run: what is quick, and what finds the plainest mistakes, comes first. */
export const stages: Stage[] = [
  { name: 'check', what: 'type check and lint', run: checks },
  { name: 'native', what: 'native unit tests under AddressSanitizer and UBSan', run: nativeTests },
  { name: 'unit', what: 'TypeScript unit tests', run: () => here('unit') },
  { name: 'lab', what: 'the lab itself', run: () => here('lab') },
  { name: 'kernel', what: 'every operation against ipvsadm, on a real kernel', run: lab => inLab('kernel', ['kernel'], lab) },
  { name: 'traffic', what: 'packets through NAT, DR and TUN, on a real kernel', run: lab => inLab('traffic', ['traffic'], lab) },
]
