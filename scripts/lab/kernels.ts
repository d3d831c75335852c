import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { PackageSuite } from '../setup/apt.js'
import { cached } from '../setup/cache.js'
import { ensure } from '../setup/programs.js'
import { must, run, say } from '../setup/run.js'
import { loadOrder, readDependencies, wantedModules } from './modules.js'
import type { Suite } from './suites.js'

/** A kernel in the cache, ready to boot. */
export interface Kernel {
  /** The kernel itself: a bzImage for QEMU, a program for UML. */
  image: string
  /** The output of `uname -r` in the guest. */
  release: string
  /** The folder of its modules, …/lib/modules/RELEASE. */
  modules: string
}

/** The kernel of a suite, by its package `linux-image-amd64` or the one of another processor. */
export async function distributionKernel(suite: Suite, architecture: 'amd64' | 'arm64'): Promise<Kernel> {
  await ensure('kmod', 'xz', 'zstd')
  const name = architecture === 'amd64' ? suite : `${suite}-${architecture}`
  return kernelIn(await cached(`kernels/qemu-${name}`, async folder => {
    const { packages, scratch, root } = await open(suite, folder, architecture)
    const meta = `linux-image-${architecture}`
    const image = (await packages.depends(meta)).find(name => /^linux-image-\d/.test(name))
    if (image === undefined) throw new Error(`${meta} of ${suite} names no kernel`)
    say(`lab: fetching the kernel of ${suite}, ${image.replace('linux-image-', '')}`)
    // From 7.x on, the kernel and its modules are separate packages.
    const parts = (await packages.depends(image)).filter(name => /^linux-(binary|modules)-\d/.test(name))
    await packages.unpack(parts.length > 0 ? parts : [image], root, scratch)
    const all = [join(root, 'usr/lib/modules'), join(root, 'lib/modules')].find(path => existsSync(path))
    if (all === undefined) throw new Error(`${image} has no modules`)
    const release = readdirSync(all)[0]
    const images = [join(all, release, 'vmlinuz'), join(root, 'boot', `vmlinuz-${release}`)]
    await keep(folder, { image: images.find(path => existsSync(path))!, modules: join(all, release) })
    for (const path of [scratch, root]) rmSync(path, { recursive: true })
  }))
}

/** The kernel of `user-mode-linux` in a suite, which is an ordinary program. */
export async function userModeKernel(suite: Suite): Promise<Kernel> {
  await ensure('kmod', 'patchelf', 'xz', 'zstd')
  return kernelIn(await cached(`kernels/uml-${suite}`, async (folder, place) => {
    const { packages, scratch, root } = await open(suite, folder)
    say(`lab: fetching user-mode-linux of ${suite}`)
    await packages.unpack(['user-mode-linux', 'libc6'], root, scratch)
    const all = join(root, 'usr/lib/uml/modules')
    await keep(folder, { image: join(root, 'usr/bin/linux.uml'), modules: join(all, readdirSync(all)[0]) })
    const image = join(folder, 'kernel')
    chmodSync(image, 0o755)
    // It needs the C library of its own suite. If this machine's is older, the library is stored beside the program and its path is patched
    // into it: UML restarts itself and would lose a loader given on the command line.
    if ((await run(image, ['--version'])).status !== 0) {
      const library = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu'].find(path => existsSync(join(root, path, 'libc.so.6')))!
      renameSync(join(root, library), join(folder, 'libc'))
      const libc = join(place, 'libc')
      await must('patchelf', ['--set-interpreter', join(libc, 'ld-linux-x86-64.so.2'), '--set-rpath', libc, image])
    }
    for (const path of [scratch, root]) rmSync(path, { recursive: true })
  }))
}

async function open(
  suite: Suite, folder: string, architecture?: string,
): Promise<{ packages: PackageSuite, scratch: string, root: string }> {
  const scratch = join(folder, 'packages')
  return { packages: await PackageSuite.open(suite, scratch, { architecture }), scratch, root: join(folder, 'root') }
}

/** Stores kernel and modules where `kernelIn` looks for them. Modules that guests load are stored uncompressed. */
async function keep(folder: string, from: { image: string, modules: string }): Promise<void> {
  copyFileSync(from.image, join(folder, 'kernel'))
  const release = from.modules.split('/').at(-1)!
  const modules = join(folder, 'lib/modules', release)
  mkdirSync(dirname(modules), { recursive: true })
  renameSync(from.modules, modules)
  // Kernel packages have no modules.dep, because it is made during installation.
  const index = (): Promise<string> => must('depmod', ['-b', folder, release])
  await index()
  const compressed = loadOrder(
    wantedModules, readDependencies(readFileSync(join(modules, 'modules.dep'), 'utf8')),
  ).map(file => join(modules, file))
  const xz = compressed.filter(file => file.endsWith('.xz'))
  const zstd = compressed.filter(file => file.endsWith('.zst'))
  if (xz.length > 0) await must('xz', ['-d', ...xz])
  if (zstd.length > 0) await must('zstd', ['-q', '-d', '--rm', ...zstd])
  if (xz.length + zstd.length > 0) await index()
  writeFileSync(join(folder, 'release'), release)
}

function kernelIn(folder: string): Kernel {
  const release = readFileSync(join(folder, 'release'), 'utf8')
  return { image: join(folder, 'kernel'), release, modules: join(folder, 'lib/modules', release) }
}
