import { RulesError } from './error.js'
import { optionGroups, optionSpellings, type Grammar, type OptionGroup } from './language.js'
import type { GivenOption } from './options.js'

/** The options of a command line by their groups. */
export type GivenGroups = ReadonlyMap<OptionGroup, GivenOption>

/**
 * Checks the options that were given against those that a command, or a tunnel type, needs and takes.
 *
 * @param groups the groups to look at
 * @param whose what needs and takes them, for the message
 * @param command the command, whose place in the text is that of a missing option
 * @throws RulesError for the mistake that ipvsadm finds first.
 */
export function checkOptions(
  given: GivenGroups, grammar: Grammar, groups: readonly OptionGroup[], whose: string, command: GivenOption,
): void {
  if (!offends(given, grammar, groups)) return
  const { needs = [], takes = [], oneOf = [] } = grammar
  let last: OptionGroup | undefined
  for (const group of groups) {
    const option = given.get(group)
    if (!option) {
      if (!needs.includes(group)) continue
      throw new RulesError(`no '${group}' option with the ${whose}`, `${spellingsOf(group)} as well`, command.line, command.column)
    }
    const { spelling, line, column } = option
    if (oneOf.includes(group)) {
      if (last) throw new RulesError(`${spelling} conflicts with '${last}' in the ${whose}`, 'only one of the two', line, column)
      last = group
    } else if (!needs.includes(group) && !takes.includes(group)) {
      throw new RulesError(`option ${spelling} with the ${whose}`, `other options: ${listed([...needs, ...takes, ...oneOf])}`, line, column)
    }
  }
}

/**
 * Whether there is a mistake. This is quick for correct command lines: it looks at the few options that were given, not at all there are.
 */
function offends(given: GivenGroups, { needs = [], takes = [], oneOf = [] }: Grammar, groups: readonly OptionGroup[]): boolean {
  let exclusive = 0
  for (const group of given.keys()) {
    if (groups !== optionGroups && !groups.includes(group)) continue
    if (oneOf.includes(group)) exclusive++
    else if (!needs.includes(group) && !takes.includes(group)) return true
  }
  return exclusive > 1 || needs.some((group) => !given.has(group))
}

/** The options of a group, as a user would write them. */
function spellingsOf(group: OptionGroup): string {
  const spelled = optionSpellings.filter((option) => option.group === group).map(({ long, short }) => (short ? `-${short}` : `--${long}`))
  return spelled.join(', ')
}

const listed = (groups: readonly OptionGroup[]): string => groups.map(spellingsOf).join(', ') || 'none'
