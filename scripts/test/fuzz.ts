import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkout } from '../setup/checkout.js'
import { ensure } from '../setup/programs.js'
import { run } from '../setup/run.js'
import { cmakeBuild } from './native.js'
import { outcome, total, type Outcome } from './outcome.js'
import { inParallel } from './parallel.js'

export interface FuzzOptions {
  /** Seconds for each decoder. */
  seconds: number
  /** Decoders; an empty list means all. */
  names?: string[]
  /** How many to run at a time; as many as there are processors by default. */
  atOnce?: number
}

/**
 * Runs every decoder under libFuzzer from its committed corpus. Inputs that crash one stay in build/fuzz; other new inputs are not kept.
 */
export async function fuzz({ seconds, names = [], atOnce }: FuzzOptions, print: (line: string) => void): Promise<Outcome> {
  await ensure('clang++')
  const folder = await cmakeBuild(
    'fuzz', { IPVS_FUZZ: 'ON', IPVS_SANITIZE: 'address,undefined', CMAKE_CXX_COMPILER: 'clang++', CMAKE_BUILD_TYPE: 'RelWithDebInfo' },
  )
  const known = readdirSync(folder).filter(file => file.startsWith('fuzz_')).map(file => file.slice('fuzz_'.length)).sort()
  const unknown = names.find(name => !known.includes(name))
  if (unknown !== undefined) throw new Error(`${unknown}: is none of ${known.join(', ')}`)
  const crashes = join(checkout, 'build/fuzz/')
  mkdirSync(crashes, { recursive: true })

  return total(await inParallel(names.length > 0 ? names : known, async name => {
    const scratch = mkdtempSync(join(tmpdir(), 'ipvs-fuzz-'))
    try {
      const corpus = join(scratch, name)
      cpSync(join(checkout, 'native/fuzz/corpus', name), corpus, { recursive: true })
      const { status, stdout, stderr } = await run(
        join(folder, `fuzz_${name}`), [`-max_total_time=${seconds}`, `-artifact_prefix=${crashes}${name}-`, '-print_final_stats=1', corpus],
      )
      const runs = /stat::number_of_executed_units:\s*(\d+)/.exec(stderr)?.[1] ?? '0'
      const passed = status === 0 && runs !== '0'
      print(`fuzz ${name.padEnd(12)} ${passed ? 'passed' : 'failed'}, ${runs} inputs`)
      return passed ? outcome(1, []) : outcome(0, [`${name}, after ${runs} inputs; the input is in ${crashes}`], 0, `${stdout}${stderr}`)
    } finally {
      rmSync(scratch, { recursive: true, force: true })
    }
  }, atOnce))
}
