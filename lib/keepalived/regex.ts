/** Translates regular expressions of PCRE into JavaScript, as far as they have the same meaning there. */

/** keepalived's options and the JavaScript flags for them; '' for options that do not change the result. */
export const regexOptions: ReadonlyMap<string, '' | 'i' | 'm' | 's' | 'u'> = new Map([
  ['caseless', 'i'],
  ['multiline', 'm'],
  ['dotall', 's'],
  ['utf', 'u'],
  ['auto_callout', ''],
  ['dupnames', ''],
  ['never_ucp', ''],
  ['never_utf', ''],
  ['no_auto_capture', ''],
  ['no_auto_possess', ''],
  ['no_dotstar_anchor', ''],
  ['no_start_optimize', ''],
  ['never_backslash_c', ''],
  ['alt_verbnames', ''],
] as const)

/** Syntax of PCRE that JavaScript lacks or reads in another way. */
const foreign: readonly [RegExp, string][] = [
  [/\\[AZzGKQERXHhNRCgpPv]/, 'an escape that JavaScript does not have, or has for something else'],
  [/[*+?}]\+/, 'a possessive quantifier'],
  [/\(\?(?:[>|R&(#0-9+]|P[=>])/, 'a group that JavaScript does not have'],
  [/\(\*/, 'a verb'],
  [/\(\?[a-z-]+\)/i, 'an option in the middle'],
]

/** A named class inside brackets, such as [[:digit:]]. */
const namedClass = /\[[^\]]*\[[:.=]/

/** The pattern with escaped punctuation and classes masked, because nothing in them is special. */
const plain = (pattern: string): string =>
  pattern.replace(/\\[^a-zA-Z0-9]/g, '__').replace(/\[\^?\]?[^\]]*\]/g, (found) => '_'.repeat(found.length))

/** Translates `.` and `$`. In PCRE, `.` matches everything but a line feed, and `$` also matches before a final line feed. */
function translated(pattern: string, flags: ReadonlySet<string>): string {
  const bare = plain(pattern)
  let text = ''
  for (let at = 0; at < pattern.length; at++) {
    if (bare[at] === '.' && !flags.has('s')) text += '[^\\n]'
    else if (bare[at] === '$' && !flags.has('m')) text += '(?=\\n?$)'
    else text += pattern[at]
  }
  return text
}

/** The pattern and its flags for JavaScript, or the reason why there are none. */
export function javascriptPattern(
  given: string,
  options: Iterable<string>,
): { pattern: string, patternFlags?: string } | { problem: string } {
  const flags = new Set(options)
  const leading = /^\(\?([ims]+)\)/.exec(given)
  for (const flag of leading?.[1] ?? '') flags.add(flag)
  const named = given.slice(leading?.[0].length ?? 0).replace(/\(\?P</g, '(?<')
  if (namedClass.test(named.replace(/\\[^a-zA-Z0-9]/g, '__'))) return { problem: 'it has a character class by its name' }
  const bare = plain(named)
  const found = foreign.find(([expression]) => expression.test(bare))
  if (found !== undefined) return { problem: `it has ${found[1]}` }
  const pattern = translated(named, flags)
  const patternFlags = [...flags].sort().join('')
  try {
    new RegExp(pattern, patternFlags)
  } catch (error) {
    return { problem: (error as Error).message.replace(/^Invalid regular expression: /, '') }
  }
  return { pattern, ...(patternFlags !== '' && { patternFlags }) }
}
