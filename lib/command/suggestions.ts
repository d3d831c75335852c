import leven from 'leven'
import { knownSpellings } from './own-options.js'

/** Options that somebody who wrote this one may have meant: those that it begins, otherwise the fewest letters away. */
export function closestOptions(spelling: string): string[] {
  const known = knownSpellings()
  if (spelling.length > 3) {
    const begun = known.filter((option) => option.startsWith(spelling))
    if (begun.length > 0) return begun.slice(0, 4)
  }
  const distances = known.map((option) => ({ option, distance: leven(spelling, option) }))
  const nearest = Math.min(...distances.map(({ distance }) => distance))
  return nearest > Math.max(2, spelling.length / 4) || spelling.length < 4 ? [] : distances.filter(({ distance }) => distance === nearest).map(({ option }) => option)
}
