import { NAMED_SCHEDULER_FLAGS, SCHEDULER_FLAGS } from '../model/vocabulary.js'
import { RulesError } from './error.js'
import { valueError, type GivenOption } from './options.js'

/** Bits of the scheduler flags by every name that ipvsadm knows. One bit has a different meaning, and name, for each scheduler. */
const bits: ReadonlyMap<string, number> = new Map<string, number>([
  ...SCHEDULER_FLAGS.number,
  ...[...NAMED_SCHEDULER_FLAGS.values()].flatMap(({ number }) => [...number]),
])

/** The scheduler that each name belongs to. The numbered names belong to all. */
const owners: ReadonlyMap<string, string> = new Map(
  [...NAMED_SCHEDULER_FLAGS].flatMap(([scheduler, { number }]) => [...number.keys()].map((name) => [name, scheduler])),
)

/**
 * Reads `-b`: names of flags, separated by commas.
 *
 * @returns their bits
 * @throws RulesError for a name that does not exist or belongs to another scheduler.
 */
export function readSchedulerFlags(given: GivenOption, scheduler: string): number {
  const names = given.argument!.split(',').filter((name) => name !== '')
  if (names.length === 0) throw valueError(given, 'flags, separated by commas')
  let flags = 0
  for (const name of names) {
    const bit = bits.get(name)
    if (bit === undefined) throw valueError(given, `flags among ${[...bits.keys()].join(', ')}`)
    const owner = owners.get(name)
    if (owner !== undefined && owner !== scheduler) {
      const problem = `scheduler flag ${name} with the scheduler ${scheduler}`
      throw new RulesError(problem, `-s ${owner}, or flags of ${scheduler}`, given.line, given.argumentColumn)
    }
    flags |= bit
  }
  return flags
}

/** The names of a scheduler's flags: its own name where it has one, otherwise the numbered one. */
export function schedulerFlagNames(scheduler: string, flags: number): string[] {
  const own = NAMED_SCHEDULER_FLAGS.get(scheduler)?.word
  return [...SCHEDULER_FLAGS.word].filter(([bit]) => flags & bit).map(([bit, name]) => own?.get(bit) ?? name)
}
