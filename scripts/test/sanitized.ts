import { realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LabArguments } from '../lab/arguments.js'
import { quoted, type Outputs } from '../lab/job.js'
import { checkout } from '../setup/checkout.js'
import { must } from '../setup/run.js'
import { inLab } from './lab.js'
import { cmakeBuild } from './native.js'
import type { Outcome } from './outcome.js'

/** Kernel tests that cover every part of the addon: each operation, threads, namespaces, lost answers, clean-up. */
export const sanitizedFiles = [
  'batch', 'destinations', 'getters', 'handles', 'losses', 'namespaces', 'order', 'permissions', 'refusals', 'services', 'settings',
  'snapshot',
]

/**
 * Runs kernel tests with the addon compiled under AddressSanitizer and UBSan. The run has its own mount namespace, in which this addon
 * replaces the usual one. The sanitizer must be loaded before the addon, so Node is started with it preloaded (test/support/sanitized.ts).
 * Unit tests are left out, because they only use the addon's tables.
 */
export async function sanitizedTests(lab: LabArguments, outputs: Outputs): Promise<Outcome> {
  const flags = '-fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=all'
  const folder = await cmakeBuild('sanitized-addon', { CMAKE_BUILD_TYPE: 'Debug', CMAKE_CXX_FLAGS: flags }, 'addon')
  const library = realpathSync((await must('c++', ['-print-file-name=libasan.so'])).trim())
  const [addon, shipped] = [join(folder, 'ipvs.node'), join(checkout, 'build/Release/ipvs.node')]
  const node = join(folder, 'node')
  writeFileSync(node, `#!/bin/sh\nexec env LD_PRELOAD=${quoted(library)} ${quoted(process.execPath)} "$@"\n`, { mode: 0o755 })
  const script = `mount --bind ${quoted(addon)} ${quoted(shipped)} && grep -q __asan_init ${quoted(shipped)} && exec "$@"`
  const env = {
    ...lab.env,
    IPVS_SANITIZED: node,
    // No leak detection, because Node itself does not free everything at exit. A small quarantine, because user-mode Linux is slow with new
    // pages.
    ASAN_OPTIONS: 'detect_leaks=0:quarantine_size_mb=16:malloc_context_size=8',
    UBSAN_OPTIONS: 'print_stacktrace=1',
  }
  const words = sanitizedFiles.map(file => `test/kernel/${file}.test.ts`)
  return inLab(
    'sanitized', ['kernel'], { ...lab, env }, outputs, { node, words, wrapper: ['unshare', '--mount', 'sh', '-c', script, 'sanitized'] },
  )
}
