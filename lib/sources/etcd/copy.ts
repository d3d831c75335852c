import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { open, readFile, rename, unlink } from 'node:fs/promises'
import { dirname, join, basename } from 'node:path'
import { pause, worked } from '../../client/pause.js'
import type { Change, GoodValue } from './services.js'

/** Of which history, and when in it, services are. */
export interface Moment {
  revision: number
  cluster: string
}

/** The first line of a copy. The other lines are keys with their values. */
interface Head extends Moment {
  format: 'ipvs-etcd-copy-1'
  prefix: string
}

const FORMAT = 'ipvs-etcd-copy-1'

/** Units of work (see `worked`) that a line takes. */
const UNITS = 16

/** Characters that are written at once. */
const PIECE = 65_536

async function* piecesOf(head: Head, values: readonly GoodValue[]): AsyncGenerator<string> {
  let piece = `${JSON.stringify(head)}\n`
  for (const line of values) {
    piece += `${JSON.stringify(line)}\n`
    if (piece.length >= PIECE) {
      yield piece
      piece = ''
    }
    if (worked(UNITS)) await pause()
  }
  yield piece
}

/**
 * Writes a copy. It takes the place of the one before in one step, and only its owner can read it: values can have passwords in them.
 */
export async function writeCopy(file: string, prefix: string, { revision, cluster }: Moment, values: readonly GoodValue[]): Promise<void> {
  const temporary = join(dirname(file), `.${basename(file)}.${randomUUID()}`)
  const handle = await open(temporary, 'wx', 0o600)
  try {
    try {
      for await (const piece of piecesOf({ format: FORMAT, prefix, revision, cluster }, values)) await handle.write(piece)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, file)
  } catch (error) {
    await unlink(temporary).catch(() => {})
    throw error
  }
}

/**
 * Reads a copy; `undefined` if there is none.
 *
 * @throws Error if the file is no copy of this prefix
 */
export async function readCopy(file: string, prefix: string): Promise<{ moment: Moment, changes: Change[] } | undefined> {
  let text: string
  try {
    // A symbolic link that somebody else has put there is not followed.
    text = await readFile(file, { encoding: 'utf8', flag: constants.O_RDONLY | constants.O_NOFOLLOW })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  const [first, ...lines] = text.split('\n')
  const head = JSON.parse(first) as Partial<Head>
  if (head.format !== FORMAT || head.prefix !== prefix || typeof head.revision !== 'number' || typeof head.cluster !== 'string') {
    throw new Error(`${file} is no copy of the services below ${prefix}`)
  }
  const changes = lines.filter((line) => line !== '').map((line): Change => {
    const { key, value } = JSON.parse(line) as { key: string, value: unknown }
    return { key, value: Buffer.from(JSON.stringify(value)) }
  })
  return { moment: { revision: head.revision, cluster: head.cluster }, changes }
}
