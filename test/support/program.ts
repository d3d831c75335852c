import { fileURLToPath } from 'node:url'
import { run, type Finished } from '../../scripts/network/run.js'

const here = (name: string): string => fileURLToPath(new URL(`../kernel/programs/${name}`, import.meta.url))

/**
 * Runs one of the programs in kernel/programs in a Node process of its own. They import the package by its name, as users do, and so
 * get what was compiled.
 *
 * @param wrapper A command to run it under: `['setpriv', '--bounding-set=-net_admin']`.
 */
export function program(name: string, args: readonly string[] = [], { wrapper = [], flags = [] }: { wrapper?: string[], flags?: string[] } = {}): Promise<Finished> {
  const [first, ...rest] = [...wrapper, process.execPath, ...flags, here(name), ...args]
  return run(first, rest)
}
