import { spawn } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { text } from 'node:stream/consumers'
import { once } from 'node:events'
import type { Outputs } from '../lab/job.js'
import { checkout } from '../setup/checkout.js'
import { must } from '../setup/run.js'
import { outcome, type Outcome } from './outcome.js'

/** Reads the end of `npm test`'s output: names of failures, and the total. */
export function readSummary(printed: string, status: number): Outcome {
  const [, passed, failed, skipped] = /^(\d+) passed, (\d+) failed, (\d+) skipped\n*$/m.exec(
    printed.slice(printed.lastIndexOf('\n', printed.length - 2) + 1),
  ) ?? []
  if (passed === undefined || (status !== 0) !== (failed !== '0')) {
    return outcome(0, [`npm test ended with status ${status}: ${printed.trim().split('\n').at(-1) ?? ''}`])
  }
  const names = /\nfailed:\n((?: {2}.*\n)+)/.exec(printed)?.[1].trimEnd().split('\n').map(line => line.trim()) ?? []
  return outcome(Number(passed), names, Number(skipped), undefined, Number(failed))
}

/**
 * Runs stages of `npm test` in a copy of the checkout that only its owner can read, in an otherwise empty home folder. If started by root,
 * an ordinary user owns the copy and runs the stages.
 */
export async function privately(stages: string[], outputs: Outputs): Promise<Outcome> {
  const home = mkdtempSync(join(tmpdir(), 'ipvs-private-'))
  try {
    const copy = join(home, 'checkout')
    const left = [
      '.git', 'build/cmake', 'build/tests', 'build/fuzz', 'build/prebuild', 'build/release', 'build/.lock', 'build/.addon.lock',
    ]
    cpSync(checkout, copy, {
      recursive: true, preserveTimestamps: true, verbatimSymlinks: true, filter: path => !left.includes(relative(checkout, path)),
    })
    mkdirSync(join(home, 'tmp'))
    await must('chmod', ['-R', 'go=', home])
    chmodSync(home, 0o700)
    const root = process.getuid?.() === 0
    const nobody = '65534'
    if (root) await must('chown', ['-R', `${nobody}:${nobody}`, home])
    const command = [process.execPath, join(copy, 'scripts/bootstrap.mjs'), 'test', ...stages]
    const [program, ...args] = root ? [
      'setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', '--inh-caps=-all', ...command,
    ] : command
    const child = spawn(
      program, args, { cwd: copy, env: { ...process.env, HOME: home, XDG_CACHE_HOME: '' }, stdio: ['ignore', 'pipe', 'pipe'] },
    )
    child.stdout.pipe(outputs.stdout, { end: false })
    child.stderr.pipe(outputs.stderr, { end: false })
    const [printed, [status]] = await Promise.all([text(child.stdout), once(child, 'close') as Promise<[number | null]>])
    return readSummary(printed, status ?? 1)
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}
