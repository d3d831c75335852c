import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run, type Ended } from '../../scripts/setup/run.js'

const own = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Runs one of the programs in kernel/programs in a Node process of its own. The programs import the package by its name, as users do, so
 * they run the compiled code.
 *
 * @param wrapper A command to run it under: `['setpriv', '--bounding-set=-net_admin']`.
 * @param checkout The folder of the package; a copy if other users must be able to read it.
 */
export function program(
  name: string,
  args: readonly string[] = [],
  { wrapper = [], flags = [], checkout = own }: { wrapper?: string[], flags?: string[], checkout?: string } = {},
): Promise<Ended> {
  const [first, ...rest] = [...wrapper, process.execPath, ...flags, join(checkout, 'test/kernel/programs', name), ...args]
  return run(first, rest)
}
