import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import bindings from 'bindings'
import type { Addon } from './addon.js'

const FILE = 'ipvs.node'

/** The package's folder. */
const root = fileURLToPath(new URL('../..', import.meta.url))

/** Where to look for the addon: first one that was compiled here (in a checkout, in an installed package), then the one in the package. */
const places = [['build', 'Release'], ['native', 'build', 'Release'], ['prebuilds', `${process.platform}-${process.arch}`]]

/** Why the addon could not be loaded, and what to do about it. */
function advice(cause: Error & { code?: string }): string {
  if (process.platform !== 'linux') return `IPVS is a part of the Linux kernel, and this is ${process.platform}`
  if (cause.code === 'ERR_DLOPEN_DISABLED') {
    return 'Node was started without permission to load native addons: '
      + 'start it without --no-addons, and with --allow-addons if with --permission'
  }
  return `There is none for ${process.platform}-${process.arch}, or it does not load here: ${cause.message}\n`
    + `To compile it (needs a C++20 compiler, make and Python 3), run: cd ${join(root, 'native')} && npx node-gyp rebuild`
}

function load(): Addon {
  try {
    return bindings({ bindings: FILE, module_root: root, try: places.map(place => ['module_root', ...place, 'bindings']) }) as Addon
  } catch (error) {
    const cause = error as Error & { code?: string }
    throw Object.assign(new Error(`ipvs: the native addon could not be loaded. ${advice(cause)}`, { cause }), { code: 'ERR_IPVS_ADDON' })
  }
}

export const addon: Addon = load()
