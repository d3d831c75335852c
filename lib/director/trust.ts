import { lstatSync, readlinkSync, type Stats } from 'node:fs'

/** Symbolic links that are followed, at most; the kernel's own limit. */
const LINKS = 40
const [EXECUTABLE, GROUP_WRITES, OTHERS_WRITE, STICKY] = [0o111, 0o020, 0o002, 0o1000]

const partsOf = (path: string): string[] => path.split('/').filter((part) => part !== '' && part !== '.')

/** Why others than root, or than the user that this process runs as, could change or replace what is there. */
function weaknessOf(path: string, stats: Stats): string | undefined {
  const { uid, gid, mode } = stats
  if (uid !== 0 && uid !== process.getuid!()) return `${path} belongs to user ${uid}, not to root`
  if (stats.isSymbolicLink()) return undefined
  const isOpen = (mode & OTHERS_WRITE) !== 0 || ((mode & GROUP_WRITES) !== 0 && gid !== 0)
  // Only owners remove and rename what is in a folder with the sticky bit.
  return isOpen && !(stats.isDirectory() && (mode & STICKY) !== 0) ? `${path} can be changed by others than root (mode ${(mode & 0o7777).toString(8)})` : undefined
}

/**
 * Looks at a file, at every folder above it, and at everything that symbolic links on the way lead to.
 *
 * @returns what is at the end of the path, or why others than root could put something else there
 * @throws Error of the system where there is nothing
 */
function follow(path: string): Stats | string {
  const rest = partsOf(path)
  // The way so far, without links. The root is ''.
  let way: string[] = []
  let links = 0
  let last = lstatSync('/')
  for (let part; (part = rest.shift()) !== undefined;) {
    if (part === '..') {
      way.pop()
      continue
    }
    const next = `/${[...way, part].join('/')}`
    last = lstatSync(next)
    const weakness = weaknessOf(next, last)
    if (weakness !== undefined) return weakness
    if (!last.isSymbolicLink()) {
      way.push(part)
      continue
    }
    if (++links > LINKS) return `${path} leads through too many symbolic links`
    const target = readlinkSync(next)
    if (target.startsWith('/')) way = []
    rest.unshift(...partsOf(target))
  }
  return last
}

/**
 * Why a file cannot be trusted: others than root, or than the user that this process runs as, could change it, or a folder above it.
 * `undefined` where they could not. A folder with the sticky bit is trusted, like /tmp.
 *
 * @throws Error of the system where there is no such file
 */
export function distrust(path: string): string | undefined {
  const found = follow(path)
  return typeof found === 'string' ? found : undefined
}

/**
 * Why a director refuses to run a program, in words: it does not exist, is no program, or others than root (or than the user that the
 * director runs as) could change it or replace it. `undefined` where it would run it.
 *
 * @param path absolute
 *
 * @example
 * ```js
 * import { programFault } from 'ipvs/director'
 *
 * const fault = programFault('/usr/local/bin/notify')
 * if (fault !== undefined) console.error(fault)
 * ```
 */
export function programFault(path: string): string | undefined {
  let found
  try {
    found = follow(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'ENOENT' || code === 'ENOTDIR' ? `${path} does not exist` : `${path} cannot be looked at (${code})`
  }
  if (typeof found === 'string') return found
  if (!found.isFile()) return `${path} is no file`
  return (found.mode & EXECUTABLE) === 0 ? `${path} is not executable` : undefined
}
