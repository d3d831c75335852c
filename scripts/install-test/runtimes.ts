import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { machineSuite, PackageSuite } from '../setup/apt.js'
import { cached } from '../setup/cache.js'
import { fetchedPackage } from '../setup/fetched.js'
import { ensure } from '../setup/programs.js'
import { must } from '../setup/run.js'
import { nodeProgram, nodeProgramFor } from '../setup/node.js'
import { available } from './workplace.js'

/** Debian packages of a suite, unpacked into the cache. Returns their root. */
function unpacked(suite: string, packages: string[], architecture?: string): Promise<string> {
  const name = `roots/${suite}-${architecture ?? 'own'}-${packages.join('+')}`
  return available(`${packages.join(', ')} of Debian's ${suite}`, () => cached(name, async folder => {
    const apt = join(folder, '.apt')
    const opened = await PackageSuite.open(suite, apt, { architecture })
    await opened.unpack(packages, folder, join(apt, 'packages'))
    rmSync(apt, { recursive: true, force: true })
  }))
}

/** The release of Node, fetched by npm. */
export const node = (release: string): Promise<string> => available(`Node ${release}`, () => nodeProgram(release))

/** Bun's program, for glibc or musl. */
export async function bun(libc: 'glibc' | 'musl'): Promise<string> {
  const name = libc === 'glibc' ? '@oven/bun-linux-x64' : '@oven/bun-linux-x64-musl'
  return join(await available('Bun', () => fetchedPackage(name, 'latest', ['--force'])), 'bin/bun')
}

export async function deno(): Promise<string> {
  return join(await available('Deno', () => fetchedPackage('@deno/linux-x64-glibc', 'latest')), 'deno')
}

/** What libgcc.a and libstdc++.a of Debian ask glibc for, and musl does not have. */
const shim = `#include <stdint.h>
char __libc_single_threaded = 0;
int _dl_find_object(void *a, void *b) { return -1; }
extern long getrandom(void *, unsigned long, unsigned);
uint32_t arc4random(void) { uint32_t v; getrandom(&v, 4, 0); return v; }
__attribute__((visibility("hidden"))) void *__dso_handle = &__dso_handle;
struct tm;
extern unsigned long strftime_l(char *, unsigned long, const char *, const struct tm *, void *);
unsigned long __strftime_l(char *s, unsigned long n, const char *f, const struct tm *t, void *l) { return strftime_l(s, n, f, t, l); }
int __cxa_thread_atexit_impl(void (*destroy)(void *), void *object, void *library) { return 0; }
`

/**
 * A command that starts Bun on musl: Debian's musl, and a libstdc++.so.6 made of Debian's static one, because the program needs it and no
 * musl distribution is at hand. The addon is loaded by musl's own loader.
 */
export async function bunOnMusl(): Promise<string[]> {
  await ensure('c++')
  const program = await bun('musl')
  const musl = await unpacked(machineSuite() ?? 'stable', ['musl'])
  const loader = join(musl, 'lib/ld-musl-x86_64.so.1')
  const name = `roots/musl-libstdc++-${createHash('sha256').update(shim).digest('hex').slice(0, 8)}`
  const library = await available('a C++ library for musl', () => cached(name, async folder => {
    mkdirSync(folder, { recursive: true })
    const at = (file: string): string => join(folder, file)
    writeFileSync(at('shim.c'), shim)
    writeFileSync(at('all.map'), '{ global: *; };\n')
    await must('cc', ['-c', '-fPIC', '-O2', '-o', at('shim.o'), at('shim.c')])
    const archive = async (name: string): Promise<string> => (await must('c++', [`-print-file-name=${name}`])).trim()
    await must('c++', [
      '-shared', '-nostdlib', '-o', at('libstdc++.so.6'), '-Wl,-soname,libstdc++.so.6', `-Wl,--version-script=${at('all.map')}`,
      at('shim.o'), '-Wl,--whole-archive', await archive('libstdc++.a'), await archive('libgcc_eh.a'), '-Wl,--no-whole-archive',
      await archive('libgcc.a'),
      existsSync(join(musl, 'usr/lib/x86_64-linux-musl/libc.so')) ? join(musl, 'usr/lib/x86_64-linux-musl/libc.so') : loader,
    ])
    copyFileSync(at('libstdc++.so.6'), at('libgcc_s.so.1'))
  }))
  return [loader, '--library-path', `${library}:${join(musl, 'usr/lib/x86_64-linux-musl')}:${join(musl, 'lib/x86_64-linux-musl')}`, program]
}

/** A command that starts Node on glibc 2.31 (Debian 11), by that release's own loader and libraries. */
export async function nodeOnBullseye(release: string): Promise<string[]> {
  const root = await unpacked('bullseye', ['libc6', 'libstdc++6', 'libgcc-s1'])
  const libraries = [join(root, 'lib/x86_64-linux-gnu'), join(root, 'usr/lib/x86_64-linux-gnu')]
  return [join(libraries[0], 'ld-2.31.so'), '--library-path', libraries.join(':'), await node(release)]
}

/** A command that starts Node for arm64 in an emulator of its processor, on Debian 11's libraries. */
export async function nodeOnArm64(release: string): Promise<string[]> {
  await available('qemu-aarch64-static', () => ensure('qemu-aarch64-static'))
  const root = await unpacked('bullseye', ['libc6', 'libstdc++6', 'libgcc-s1', 'libatomic1'], 'arm64')
  return ['qemu-aarch64-static', '-L', root, await available(`Node ${release} for arm64`, () => nodeProgramFor('arm64', release))]
}
