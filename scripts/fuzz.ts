/** `npm run fuzz`: every decoder under libFuzzer, each for 60 s from its committed corpus. `npm run fuzz -- --seconds 10 service info` chooses. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { checkout } from './setup/checkout.js'
import { ensure } from './setup/programs.js'
import { run } from './setup/run.js'
import { cmakeBuild } from './test/native.js'
import { inParallel } from './test/parallel.js'

const { values, positionals } = parseArgs({ allowPositionals: true, options: { seconds: { type: 'string', default: '60' } } })
if (!/^[1-9]\d*$/.test(values.seconds)) throw new Error(`--seconds ${values.seconds}: must be a whole number, 1 or more`)

await ensure('clang++')
const folder = await cmakeBuild('fuzz', { IPVS_FUZZ: 'ON', IPVS_SANITIZE: 'address,undefined', CMAKE_CXX_COMPILER: 'clang++', CMAKE_BUILD_TYPE: 'RelWithDebInfo' })
const known = readdirSync(folder).filter(file => file.startsWith('fuzz_')).map(file => file.slice('fuzz_'.length)).sort()
const unknown = positionals.find(name => !known.includes(name))
if (unknown !== undefined) throw new Error(`${unknown}: is none of ${known.join(', ')}`)

/** What crashes a decoder stays in build/fuzz; new inputs of the search are not kept. */
const crashes = join(checkout, 'build/fuzz/')
mkdirSync(crashes, { recursive: true })

async function fuzz(name: string): Promise<boolean> {
  const scratch = mkdtempSync(join(tmpdir(), 'ipvs-fuzz-'))
  try {
    const corpus = join(scratch, name)
    cpSync(join(checkout, 'native/fuzz/corpus', name), corpus, { recursive: true })
    const { status, stdout, stderr } = await run(join(folder, `fuzz_${name}`), [`-max_total_time=${values.seconds}`, `-artifact_prefix=${crashes}${name}-`, '-print_final_stats=1', corpus])
    const runs = /stat::number_of_executed_units:\s*(\d+)/.exec(stderr)?.[1] ?? '0'
    process.stdout.write(`fuzz ${name.padEnd(12)} ${status === 0 ? 'passed' : 'failed'}, ${runs} inputs\n${status === 0 ? '' : `${stdout}${stderr}`}`)
    return status === 0 && runs !== '0'
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

const results = await inParallel(positionals.length > 0 ? positionals : known, fuzz)
process.exitCode = results.length > 0 && results.every(passed => passed) ? 0 : 1
