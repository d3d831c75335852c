import leven from 'leven'
import { grammars, optionSpellings } from '../rules/language.js'
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

/**
 * What may be meant by a first word that is no command: one of these words, or ipvsadm's command or listing of that name, which has dashes.
 */
export function closestCommandLines(first: string, words: readonly string[]): string[] {
  const near = closestOf(`ipvs ${first}`, words.map((word) => `ipvs ${word}`))
  if (near.length > 0) return near
  const { takes = [], oneOf = [] } = grammars.list
  const commands = optionSpellings.filter(({ command }) => command !== undefined).map(({ long }) => `--${long}`)
  const listings = optionSpellings.filter(({ group, argument }) => argument === 'none' && [...takes, ...oneOf].includes(group!)).map(({ long }) => `--${long}`)
  return closestOf(`--${first}`, [...new Set(commands), ...listings]).map((option) => `ipvs ${listings.includes(option) ? '--list ' : ''}${option}`)
}
