import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseKeepalived, type Parsed } from 'ipvs/keepalived'
import { glob } from '../../lib/sources/glob.js'

/** Files with what people write, in `test/kernel/keepalived-files`. Those in its folder `included` belong to others. */
export const keepalivedFolder = fileURLToPath(new URL('../kernel/keepalived-files/', import.meta.url))

export const keepalivedFiles = readdirSync(keepalivedFolder).filter((name) => name.endsWith('.conf'))

/** Reads one of them as the machine `lab` does, and all that it includes. */
export function readKeepalivedFile(name: string): { text: string, parsed: Parsed } {
  const text = readFileSync(join(keepalivedFolder, name), 'utf8')
  const include = (pattern: string, from: string) =>
    glob(join(dirname(from), pattern), () => {}).map((file) => ({ file, text: readFileSync(file, 'utf8') }))
  return { text, parsed: parseKeepalived(text, { id: 'lab', file: join(keepalivedFolder, name), include }) }
}
