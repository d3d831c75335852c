import { readArguments, UsageError, type LabArguments } from '../lab/arguments.js'

/** The contents of the command line: names, if any, and options for the lab. */
export interface TestArguments { names?: string[], lab: LabArguments }

/**
 * Reads names out of `known`, and the lab's options (`--on`, `--suite`, `--timeout`, …).
 *
 * @param defaults options that apply unless they are given
 * @throws UsageError
 */
export function readTestArguments(args: string[], known: string[], defaults: string[] = []): TestArguments {
  const names = args.filter(arg => known.includes(arg))
  const rest = args.filter(arg => !known.includes(arg))
  const stray = rest.find((arg, index) => !arg.startsWith('-') && !rest[index - 1]?.startsWith('--'))
  if (stray !== undefined) throw new UsageError(`${stray}: is none of ${known.join(', ')}`)
  return { names: names.length > 0 ? names : undefined, lab: readArguments([...defaults, ...rest, '--', 'vitest']) }
}
