import { realpathSync, statSync, watch, type FSWatcher } from 'node:fs'
import { dirname } from 'node:path'
import { stateOf } from '../files/file-state.js'

/** Milliseconds between two looks where no event comes: files that are mounted from elsewhere change without one. */
const LOOK = 2_000
/** Milliseconds that everything has to stay the same before it counts: a file may be half written. */
const QUIET = 200

/** What paths are at a moment. */
export type Moment = ReadonlyMap<string, string>

/** Says what paths are now. Taken before they are read, so that no change gets lost. */
export const momentOf = (paths: readonly string[]): Moment => new Map(paths.map((path) => [path, stateOf(path)]))

const isSame = (a: Moment, b: Moment): boolean => [...a].every(([path, state]) => b.get(path) === state)

/** Folders in which something happens when one of these paths becomes another: those of the paths, and of what symbolic links lead to. */
function foldersOf(paths: readonly string[]): Set<string> {
  const folders = new Set<string>()
  for (const path of paths) {
    folders.add(dirname(path))
    try {
      const real = realpathSync(path)
      folders.add(dirname(real))
      if (statSync(real).isDirectory()) folders.add(real)
    } catch {
      // What is not there is looked for every now and then.
    }
  }
  return folders
}

/**
 * Tells when files have become others: written anew, replaced by another file of the same name, as editors do it, or reached through a
 * symbolic link that now leads elsewhere, as with a ConfigMap that is mounted.
 */
export class FileWatcher {
  readonly #changed: () => void
  #paths: readonly string[] = []
  #known: Moment = new Map()
  #last: Moment = new Map()
  #watchers: FSWatcher[] = []
  #timer: NodeJS.Timeout | undefined
  #due = Infinity
  #isClosed = false

  /** @param changed is called when the files have changed, and have stayed the same for a moment since */
  constructor(changed: () => void) {
    this.#changed = changed
  }

  /**
   * Watches these paths from now on.
   *
   * @param since what they were before they were read; those that are not in it are taken as they are now
   */
  follow(paths: readonly string[], since: Moment = new Map()): void {
    if (this.#isClosed) return
    this.#paths = paths
    this.#last = momentOf(paths)
    this.#known = new Map([...this.#last].map(([path, state]) => [path, since.get(path) ?? state]))
    for (const watcher of this.#watchers) watcher.close()
    this.#watchers = []
    for (const folder of foldersOf(paths)) {
      try {
        this.#watchers.push(watch(folder, { persistent: false }, () => this.#within(QUIET)).on('error', () => {}))
      } catch {
        // A folder that cannot be watched is looked at.
      }
    }
    this.#within(isSame(this.#known, this.#last) ? LOOK : QUIET)
  }

  /**
   * Looks within so many milliseconds. A later event does not put off what is due before, so that a folder where much happens is looked at
   * too.
   */
  #within(delay: number): void {
    const due = performance.now() + delay
    if (this.#isClosed || due >= this.#due) return
    clearTimeout(this.#timer)
    this.#due = due
    this.#timer = setTimeout(() => this.#look(), delay)
  }

  #look(): void {
    this.#due = Infinity
    const now = momentOf(this.#paths)
    const isQuiet = isSame(now, this.#last)
    this.#last = now
    if (!isQuiet) this.#within(QUIET)
    else if (isSame(now, this.#known)) this.#within(LOOK)
    else {
      this.#known = now
      this.#within(LOOK)
      this.#changed()
    }
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    for (const watcher of this.#watchers) watcher.close()
  }
}
