import leven from 'leven'
import { knownSpellings } from './own-options.js'

/** The options that a mistyped one may stand for: those that begin with it, otherwise those that differ in the fewest letters. */
export const closestOptions = (spelling: string): string[] => closestOf(spelling, knownSpellings())

/** The same among these options, each with its dashes. */
export function closestOf(spelling: string, known: readonly string[]): string[] {
  if (spelling.length > 3) {
    const begun = known.filter((option) => option.startsWith(spelling))
    if (begun.length > 0) return begun.slice(0, 4)
  }
  const distances = known.map((option) => ({ option, distance: leven(spelling, option) }))
  const nearest = Math.min(...distances.map(({ distance }) => distance))
  if (nearest > Math.max(2, spelling.length / 4) || spelling.length < 4) return []
  return distances.filter(({ distance }) => distance === nearest).map(({ option }) => option)
}
