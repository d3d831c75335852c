import { accessSync, constants, mkdirSync, mkdtempSync, renameSync, rmSync, existsSync } from 'node:fs'
import { homedir, userInfo } from 'node:os'
import { join } from 'node:path'
import { inTurn } from './turn.js'

/**
 * The cache folder outside the checkout: `ipvs-lab` in `$XDG_CACHE_HOME` or `~/.cache`; `/var/tmp/ipvs-lab-UID` if there is no writable
 * home directory.
 */
export function cacheFolder(): string {
  const home = process.env.HOME || homedir() || userInfo().homedir
  const wanted = [process.env.XDG_CACHE_HOME, home && join(home, '.cache')].filter(
    (path): path is string => path !== undefined && path !== '',
  )
  for (const parent of [...wanted, '/var/tmp']) {
    const folder = join(parent, parent === '/var/tmp' ? `ipvs-lab-${userInfo().uid}` : 'ipvs-lab')
    try {
      mkdirSync(folder, { recursive: true })
      accessSync(folder, constants.W_OK)
      return folder
    } catch { /* the next one */ }
  }
  throw new Error('no folder for the cache can be written: set XDG_CACHE_HOME to one that can')
}

/**
 * A folder of the cache, filled by `fill` on first use, which gets the folder to fill and its final path. The folder is filled beside its
 * final place and then renamed, so that an interrupted run never leaves it half filled. Concurrent labs take turns.
 */
export async function cached(name: string, fill: (folder: string, place: string) => Promise<void>): Promise<string> {
  const folder = join(cacheFolder(), name)
  if (!existsSync(folder)) await inTurn(folder, () => existsSync(folder) ? undefined : make(folder, fill))
  return folder
}

async function make(folder: string, fill: (folder: string, place: string) => Promise<void>): Promise<void> {
  mkdirSync(join(folder, '..'), { recursive: true })
  const beside = mkdtempSync(`${folder}.new-`)
  const tidy = (): void => rmSync(beside, { recursive: true, force: true })
  process.once('exit', tidy)
  try {
    await fill(beside, folder)
    renameSync(beside, folder)
  } finally {
    tidy()
    process.off('exit', tidy)
  }
}
