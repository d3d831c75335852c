/** `npm run bench`: prepares what is measured, then measures it in the lab. `npm run bench -- --help` tells the options. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseBenchArguments, usage } from './bench/arguments.js'
import { compileReference } from './bench/reference.js'

const bootstrap = fileURLToPath(new URL('../../scripts/bootstrap.mjs', import.meta.url))
const main = fileURLToPath(new URL('bench/main.js', import.meta.url))

/** @returns the exit status */
export async function bench(args: readonly string[]): Promise<number> {
  const { help, lab } = parseBenchArguments(args)
  if (help) {
    process.stdout.write(usage)
    return 0
  }
  compileReference()
  const guest = spawn(process.execPath, [bootstrap, 'lab', ...lab, '--', process.execPath, main, ...args], { stdio: 'inherit' })
  const [status] = await once(guest, 'close') as [number | null]
  return status ?? 1
}
