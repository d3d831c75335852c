import { NAMED_SCHEDULER_FLAGS, SCHEDULER_FLAGS } from '../model/vocabulary.js'

/** Bits of the scheduler flags by every name that ipvsadm knows; one bit means something else to each scheduler. */
export const schedulerFlagBits: ReadonlyMap<string, number> = new Map<string, number>([
  ...SCHEDULER_FLAGS.number,
  ...[...NAMED_SCHEDULER_FLAGS.values()].flatMap(({ number }) => [...number]),
])

/** Which scheduler a name belongs to; the numbered ones belong to all. */
export const schedulersOfFlags: ReadonlyMap<string, string> = new Map(
  [...NAMED_SCHEDULER_FLAGS].flatMap(([scheduler, { number }]) => [...number.keys()].map((name) => [name, scheduler])),
)

/** The names of flags with a scheduler: its own where it has one, otherwise the number. */
export function schedulerFlagNames(scheduler: string, flags: number): string[] {
  const own = NAMED_SCHEDULER_FLAGS.get(scheduler)?.word
  return [...SCHEDULER_FLAGS.word].filter(([bit]) => flags & bit).map(([bit, name]) => own?.get(bit) ?? name)
}
