import { accessSync, constants, mkdirSync, mkdtempSync, renameSync, rmSync, existsSync } from 'node:fs'
import { homedir, userInfo } from 'node:os'
import { join } from 'node:path'
import { inTurn } from './turn.js'

/**
 * The folder for what is fetched once and kept outside the checkout: `ipvs-lab` in `$XDG_CACHE_HOME` or `~/.cache`.
 * Where there is no home directory to write to, `/var/tmp/ipvs-lab-UID`.
 */
export function cacheFolder(): string {
  const home = process.env.HOME || homedir() || userInfo().homedir
  const wanted = [process.env.XDG_CACHE_HOME, home && join(home, '.cache')].filter((path): path is string => path !== undefined && path !== '')
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
 * A folder of the cache, made by `fill` the first time: it gets the folder to fill, and the place where that will lie. It appears whole or not at all: it is filled beside its place and
 * then renamed, so that one that is killed leaves nothing half done. Two labs at once take turns.
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
