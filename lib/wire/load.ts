import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import bindings from 'bindings'
import type { Addon } from './addon.js'

const FILE = 'ipvs.node'

/** The C library of this process: a prebuilt addon loads only with the one it was built for. */
const libc = (): 'glibc' | 'musl' => {
  try {
    return readFileSync('/proc/self/maps', 'latin1').includes('ld-musl') ? 'musl' : 'glibc'
  } catch {
    return 'glibc'
  }
}

/** Loads the addon: a local build first, then the prebuilt one. */
function load(): Addon {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const compiled = ['module_root', 'build', 'Release', 'bindings']
  // Finding the C library reads the whole memory map, so it is left out if there is a local build.
  const prebuilt = existsSync(join(root, 'build/Release', FILE))
    ? []
    : [['module_root', 'prebuilds', `${process.platform}-${process.arch}`, `ipvs.${libc()}.node`]]
  try {
    return bindings({ bindings: FILE, module_root: root, try: [compiled, ...prebuilt] }) as Addon
  } catch (cause) {
    const problem = process.platform === 'linux'
      ? `There is no addon for ${process.platform}-${process.arch} (${libc()}), or it does not load here: ${(cause as Error).message}`
      : `IPVS is a part of the Linux kernel; this is ${process.platform}.`
    const advice = process.platform === 'linux'
      ? `\nTo compile it (needs a C++20 compiler, make and Python 3), run: cd ${root} && npx node-gyp rebuild`
      : ''
    throw Object.assign(new Error(`ipvs: the native addon could not be loaded. ${problem}${advice}`, { cause }), { code: 'ERR_IPVS_ADDON' })
  }
}

/** The native addon. */
export const addon: Addon = load()
