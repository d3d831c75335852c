/** Regular expressions of PCRE, as far as they mean the same in JavaScript. */

/** keepalived's options and the flags that stand for them; nothing for those that change no answer. */
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

/** What PCRE has and JavaScript has not, or has with another meaning. */
const foreign: readonly [RegExp, string][] = [
  [/\\[AZzGKQERXHhNRCgpPv]/, 'an escape that JavaScript does not have, or has for something else'],
  [/[*+?}]\+/, 'a possessive quantifier'],
  [/\(\?(?:[>|R&(#0-9+]|P[=>])/, 'a group that JavaScript does not have'],
  [/\(\*/, 'a verb'],
  [/\(\?[a-z-]+\)/i, 'an option in the middle'],
]

/** A class by its name, inside another class. */
const namedClass = /\[[^\]]*\[[:.=]/

/** Escapes of other signs than letters and digits, and classes: nothing in them is special. */
const plain = (pattern: string): string =>
  pattern.replace(/\\[^a-zA-Z0-9]/g, '__').replace(/\[\^?\]?[^\]]*\]/g, (found) => '_'.repeat(found.length))

/** A dot is everything but a line feed to PCRE, and the end is before a last line feed too. */
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

/** The pattern and its flags for JavaScript, or what keeps it from having any. */
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
