import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run, type Ended } from '../../scripts/setup/run.js'

const own = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Runs one of the programs in kernel/programs in a Node process of its own. They import the package by its name, as users do, and so
 * get what was compiled.
 *
 * @param wrapper A command to run it under: `['setpriv', '--bounding-set=-net_admin']`.
 * @param checkout Where the package lies: a copy that other users can read.
 */
export function program(
  name: string,
  args: readonly string[] = [],
  { wrapper = [], flags = [], checkout = own }: { wrapper?: string[], flags?: string[], checkout?: string } = {},
): Promise<Ended> {
  const [first, ...rest] = [...wrapper, process.execPath, ...flags, join(checkout, 'test/kernel/programs', name), ...args]
  return run(first, rest)
}
