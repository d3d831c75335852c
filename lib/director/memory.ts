import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, open, readFile, rename, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { objection } from '../client/draft.js'
import type { ServiceKey } from '../model/types.js'
import { canonicalKey } from './keys.js'
import { distrust } from './trust.js'

const FORMAT = 'ipvs-director-services'
const VERSION = 1

/** What the file has besides the services: where they were named, since when. A table does not outlive either. */
interface Place {
  /** The kernel's number of its start. */
  boot: string
  /** The network namespace. */
  namespace: string
}

/** The folder of files that have no other name. */
const FOLDER = '/run/ipvs'

/** The file where nothing else is said: one for each network namespace. */
export const memoryFile = (namespace: string): string => `${FOLDER}/director-${namespace.replace(':', '-')}.json`

/**
 * The file in which a director remembers which services its configurations have named, so that one that is taken out while no director runs
 * goes too.
 */
export class Memory {
  readonly file: string
  readonly #namespace: string
  /** The file's number in its file system, and its bytes, since this wrote it. */
  #written: { ino: number, size: number } | undefined

  /** @param namespace what tells the network namespace from others: device and inode of its file */
  constructor(file: string, namespace: string) {
    this.file = file
    this.#namespace = namespace
  }

  async #place(): Promise<Place> {
    return { boot: (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim(), namespace: this.#namespace }
  }

  /**
   * The services that were named; none where there is no file, or one from before the machine was started, or about another namespace.
   *
   * @throws Error with words about a file that cannot be read, is not a director's, or could be changed by others than root
   */
  async read(): Promise<ServiceKey[]> {
    let text: string
    try {
      text = await readFile(this.file, 'utf8')
      const why = distrust(this.file)
      if (why !== undefined) throw new Error(`it is not trusted: ${why}`)
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return []
      throw error
    }
    const { boot, namespace } = await this.#place()
    const found = understood(text)
    return found.boot === boot && found.namespace === namespace ? found.services : []
  }

  /**
   * Writes the services that are named now: to a new file, which then takes the place of the old one, so that whoever reads has one or the
   * other.
   */
  async write(services: Iterable<ServiceKey>): Promise<void> {
    const text = `${JSON.stringify({ format: FORMAT, version: VERSION, ...await this.#place(), services: [...services] })}\n`
    const fresh = `${this.file}.${process.pid}.${randomBytes(4).toString('hex')}`
    await mkdir(dirname(this.file), { recursive: true, mode: 0o755 })
    const handle = await open(fresh, 'wx', 0o600)
    try {
      await handle.writeFile(text)
      await handle.sync()
      const { ino, size } = await handle.stat()
      await handle.close()
      await rename(fresh, this.file)
      this.#written = { ino, size }
    } catch (error) {
      await handle.close().catch(() => {})
      await unlink(fresh).catch(() => {})
      throw error
    }
  }

  /**
   * Adds services to what it has written, each in a line of its own: one more among ten thousand costs what one costs. Where the file is
   * not as it was left, or cannot be added to, it is written with all services.
   */
  async add(services: readonly ServiceKey[], all: Iterable<ServiceKey>): Promise<void> {
    if (!await this.#append(services.map((key) => `${JSON.stringify(key)}\n`).join('')).catch(() => false)) await this.write(all)
  }

  /** Answers whether the text has reached the disk. */
  async #append(text: string): Promise<boolean> {
    const { ino, size } = await stat(this.file)
    if (ino !== this.#written?.ino || size !== this.#written.size) return false
    await using handle = await open(this.file, constants.O_WRONLY | constants.O_APPEND)
    await handle.writeFile(text)
    await handle.sync()
    this.#written = { ino, size: (await handle.stat()).size }
    return true
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error('it is not JSON: it was cut off, or is another program\'s')
  }
}

/** @throws Error with words about text that a director did not write */
function understood(text: string): Place & { services: ServiceKey[] } {
  const [first, ...lines] = text.split('\n')
  const given = parsed(first)
  // A line that does not end was cut off: nothing was done yet about its service.
  const added = lines.slice(0, -1).map(parsed)
  const { format, version, boot, namespace, services } = (given ?? {}) as Record<string, unknown>
  if (format !== FORMAT) throw new Error(`it is another program's: its format is not '${FORMAT}'`)
  if (version !== VERSION) throw new Error(`it has version ${String(version)}, which this release does not know`)
  if (typeof boot !== 'string' || typeof namespace !== 'string' || !Array.isArray(services))
    throw new Error('it lacks something that a director writes')
  const keys = [...services as unknown[], ...added].map((service, index) => {
    const why = objection({ type: 'removeService', service: service as ServiceKey })
    if (why !== undefined) throw new Error(`services[${index}] is no service: ${why}`)
    return canonicalKey(service as ServiceKey)
  })
  return { boot, namespace, services: keys }
}
