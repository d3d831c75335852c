import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { checkout } from './checkout.js'
import { ensure, find } from './programs.js'
import { run, say } from './run.js'

const addon = join(checkout, 'build/Release/ipvs.node')
const stamp = join(checkout, 'build/Release/ipvs.stamp')

/** Folders of native/ that do not belong to the addon. */
const others = ['native/test', 'native/fuzz', 'native/build']

/** The addon's source files, in a fixed order, by their paths from the checkout. */
export function addonSources(folder = 'native'): string[] {
  return readdirSync(join(checkout, folder), { withFileTypes: true }).sort((a, b) => a.name < b.name ? -1 : 1).flatMap(entry => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return others.includes(path) ? [] : addonSources(path)
    return [path]
  })
}

/** A hash of everything that the addon's build depends on; `target` tells what it is built for. */
export function fingerprint(...target: string[]): string {
  const hash = createHash('sha256')
  for (const word of target) hash.update(`${word}\n`)
  for (const file of ['binding.gyp', 'node_modules/node-addon-api/package.json', ...addonSources()]) {
    hash.update(file).update(readFileSync(join(checkout, file)))
  }
  return hash.digest('hex')
}

/** The folder whose `include/node` has the headers of the Node that runs this, if they are installed with it. */
export function headers(): string | undefined {
  const prefix = dirname(dirname(realpathSync(process.execPath)))
  return existsSync(join(prefix, 'include/node/node_api.h')) ? prefix : undefined
}

/** npm includes node-gyp. It tells its scripts where; otherwise node-gyp is beside npm. */
export function nodeGyp(): string {
  const npm = find('npm')
  const beside = [process.env.npm_execpath, npm && realpathSync(npm)].filter((path): path is string => path !== undefined)
  const candidates = [
    process.env.npm_config_node_gyp, ...beside.map(path => join(dirname(path), '../node_modules/node-gyp/bin/node-gyp.js')),
  ]
  const found = candidates.find((path): path is string => path !== undefined && existsSync(path))
  if (found === undefined) throw new Error('node-gyp was not found: it comes with npm, which must be on PATH')
  return found
}

/**
 * Compiles the addon (build/Release/ipvs.node) unless it is up to date. Uses the headers of the Node installation. Only if they are missing
 * does node-gyp download them.
 */
export async function buildAddon(): Promise<void> {
  const wanted = fingerprint(process.version, process.arch)
  if (existsSync(addon) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  await ensure('c++', 'make', 'python3')
  say('setup: compiling the addon')
  const nodeFolder = headers()
  mkdirSync(join(checkout, 'build'), { recursive: true })
  // Not 'rebuild', which would remove all of build/. Concurrent builds take turns.
  const command = [process.execPath, nodeGyp(), 'configure', 'build', '--jobs=max', ...nodeFolder === undefined ? [] : [`--nodedir=${nodeFolder}`]]
  const flock = find('flock')
  const turns = flock === undefined ? command : [flock, join(checkout, 'build/.addon.lock'), ...command]
  const { status, stdout, stderr } = await run(turns[0], turns.slice(1), { cwd: checkout })
  if (status !== 0) throw new Error(`the addon does not compile:\n${stdout}${stderr}`)
  writeFileSync(stamp, wanted)
}
