import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { checkout } from '../setup/checkout.js'
import { ensure } from '../setup/programs.js'
import { must, run, type Ended } from '../setup/run.js'
import { outcome, total, type Outcome } from './outcome.js'
import { inParallel } from './parallel.js'

/** Compiles the developers' build (CMakeLists.txt), or one target of it, with these options. Returns its folder. */
export async function cmakeBuild(name: string, options: Record<string, string>, target = 'all'): Promise<string> {
  await ensure('cmake', 'make', 'c++')
  const folder = join(checkout, 'build/cmake', name)
  const definitions = Object.entries(options).map(([option, value]) => `-D${option}=${value}`)
  await must('cmake', ['-S', checkout, '-B', folder, ...definitions])
  await must('cmake', ['--build', folder, '--target', target, '--parallel', String(availableParallelism())])
  return folder
}

/** Reads the output of the native tests: a line for each failed or skipped test, then their numbers. */
export function countNativeTests({ status, stdout, stderr }: Ended): Outcome {
  const [, tests] = /^(\d+) native tests, \d+ failed, \d+ skipped$/m.exec(stdout) ?? []
  const skipped = [...stdout.matchAll(/^skipped (.*)$/gm)].map(([, why]) => `skipped: ${why}`)
  const failures = [...stdout.matchAll(/^not ok {2}(.*)$/gm)].map(([, name]) => name)
  // A sanitizer ends the program at once. Its stack trace shows the test.
  if (status !== 0 && failures.length === 0) {
    failures.push(`native_tests ended with status ${status} at ${/native\/test\/\w+_test\.cc:\d+/.exec(stderr)?.[0] ?? 'a place unknown'}`)
  }
  const passed = tests === undefined ? 0 : Number(tests) - failures.length - skipped.length
  return outcome(passed, failures, skipped.length, status === 0 ? skipped.join('; ') : `${stdout}${stderr}`)
}

/** Runs the native unit tests, and every fuzz target on its committed corpus, under AddressSanitizer and UBSan. */
export async function nativeTests(): Promise<Outcome> {
  const folder = await cmakeBuild('sanitized', { IPVS_SANITIZE: 'address,undefined', CMAKE_BUILD_TYPE: 'Debug' })
  const env = { ...process.env, UBSAN_OPTIONS: 'print_stacktrace=1' }
  const targets = readdirSync(folder).filter(file => file.startsWith('fuzz_')).sort()
  const replays = await inParallel(targets, async target => {
    const { status, stdout, stderr } = await run(
      join(folder, target), ['-runs=0', join(checkout, 'native/fuzz/corpus', target.slice('fuzz_'.length))], { env },
    )
    return status === 0 ? outcome(1, []) : outcome(0, [`${target} over its corpus`], 0, `${target}: ${stdout}${stderr}`)
  })
  return total([countNativeTests(await run(join(folder, 'native_tests'), [], { env })), ...replays])
}
