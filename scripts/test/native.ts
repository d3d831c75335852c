import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { checkout } from '../setup/checkout.js'
import { ensure } from '../setup/programs.js'
import { must, run } from '../setup/run.js'
import { outcome, type Outcome } from './outcome.js'

/** Compiles the developers' build (CMakeLists.txt) with these options, and says where it is. */
export async function cmakeBuild(name: string, options: Record<string, string>): Promise<string> {
  await ensure('cmake', 'make', 'c++')
  const folder = join(checkout, 'build/cmake', name)
  const definitions = Object.entries(options).map(([option, value]) => `-D${option}=${value}`)
  await must('cmake', ['-S', checkout, '-B', folder, ...definitions])
  await must('cmake', ['--build', folder, '--parallel', String(availableParallelism())])
  return folder
}

/** The native unit tests, and every fuzz target over its committed corpus, under AddressSanitizer and UBSan. */
export async function nativeTests(): Promise<Outcome> {
  const folder = await cmakeBuild('sanitized', { IPVS_SANITIZE: 'address,undefined', CMAKE_BUILD_TYPE: 'Debug' })
  const env = { ...process.env, UBSAN_OPTIONS: 'print_stacktrace=1' }
  const unit = await run(join(folder, 'native_tests'), [], { env })
  const [, tests, bad] = /^(\d+) native tests, (\d+) failed$/m.exec(unit.stdout) ?? []
  const replayed = readdirSync(folder).filter(file => file.startsWith('fuzz_')).sort()
  const replays = await Promise.all(replayed.map(async file => ({ file, ...await run(join(folder, file), ['-runs=0', join(checkout, 'native/fuzz/corpus', file.slice('fuzz_'.length))], { env }) })))
  const broken = replays.filter(({ status }) => status !== 0)
  const crashed = tests === undefined || (unit.status !== 0 && bad === '0') ? 1 : 0
  const failed = Number(bad ?? 0) + crashed + broken.length
  const note = [...unit.status === 0 ? [] : [`${unit.stdout}${unit.stderr}`], ...broken.map(({ file, stdout, stderr }) => `${file}: ${stdout}${stderr}`)].join('\n')
  return outcome(Number(tests ?? 0) - Number(bad ?? 0) + replays.length - broken.length, failed, 0, note === '' ? undefined : note)
}
