import { cpSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { checkout } from '../setup/checkout.js'
import { must, run } from '../setup/run.js'
import { nodeOnArm64 } from './runtimes.js'
import { available, Unavailable, type Workplace } from './workplace.js'

/**
 * Lets the kernel start programs for arm64 by the emulator, in namespaces of its own: the machine is as before. Then runs the rest. The
 * numbers are the beginning of an ELF file for that processor, and which of its bits count.
 */
const prepared = `mount -t binfmt_misc none /proc/sys/fs/binfmt_misc 2>/dev/null || exit 90
magic='\\x7f\\x45\\x4c\\x46\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00'
mask='\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff'
printf '%s' ":arm64:M::$magic:$mask:$(command -v "$1"):F" > /proc/sys/fs/binfmt_misc/register || exit 90
shift
exec "$@"`

/** One starts programs as other users, whom these namespaces do not have; one compiles for the processor that it runs on. */
const leftOut = ['test/unit/checks/programs.test.ts', 'test/unit/prebuild/check.test.ts']

/** The status by which it says that the kernel does not let it. */
const REFUSED = 90

/** Runs the checkout's unit tests with the addon for arm64 and npm's packages for arm64, all of it emulated. Returns their sum. */
export async function unitTestsOnArm64(place: Workplace): Promise<string> {
  const [emulator, , root, node] = await nodeOnArm64('20')
  const folder = place.folder('arm64-unit')
  const files = (await must('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: checkout })).split('\0')
  for (const file of [...files.filter(name => name !== ''), 'dist', 'build/scripts', 'prebuilds/linux-arm64']) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    cpSync(join(checkout, file), join(folder, file), { recursive: true, verbatimSymlinks: true })
  }
  const packages = ['ci', '--cpu=arm64', '--os=linux', '--libc=glibc', '--ignore-scripts', '--no-audit', '--no-fund']
  await available('npm\'s packages for arm64', () => must('npm', packages, { cwd: folder }))
  const vitest = [node, 'node_modules/vitest/vitest.mjs', 'run', '--project', 'unit', ...leftOut.map(file => `--exclude=${file}`), '--reporter=dot']
  const { status, stdout, stderr } = await run(
    'unshare', ['--user', '--map-root-user', '--mount', 'sh', '-c', prepared, 'sh', emulator, ...vitest],
    { cwd: folder, env: { QEMU_LD_PREFIX: root, PATH: `${dirname(node)}:${process.env.PATH}`, NO_COLOR: '1', FORCE_COLOR: undefined } },
  )
  if (status === REFUSED || /^unshare:/m.test(stderr)) {
    throw new Unavailable('programs for arm64 cannot be emulated in namespaces of their own here: that needs Linux 6.7, and user namespaces')
  }
  const sum = /^\s*Tests\s+(.*)$/m.exec(stdout)?.[1]
  if (status !== 0 || sum === undefined) throw new Error(stdout.slice(stdout.search(/Failed Tests/)) + stderr)
  return `${sum}, without ${leftOut.join(' and ')}`
}
