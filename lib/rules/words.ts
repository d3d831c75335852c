/** A word of a rule and where it stands. */
export interface Word {
  text: string
  /** From 1. */
  column: number
}

/** A line of rules, split at white space. */
export interface RuleLine {
  /** From 1. */
  line: number
  words: Word[]
}

/** Starts a line that ipvsadm-restore passes over and this library reads: a rule that ipvsadm's language has no words for. */
export const beyondPrefix = '#ipvs:'

const spaces = /[^ \t\r]+/g

/**
 * Splits rules as `ipvsadm -R` does: at blanks, tabs and carriage returns, without any quoting, the word `ipvsadm` left out wherever
 * it stands. Empty lines and comments are left out too; a comment that begins with {@link beyondPrefix} counts as a rule.
 */
export function* ruleLines(text: string): Generator<RuleLine & { beyond: boolean }> {
  let line = 0
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf('\n', start)
    const end = newline < 0 ? text.length : newline
    const content = text.slice(start, end)
    start = end + 1
    line++
    const words: Word[] = []
    for (const match of content.matchAll(spaces)) {
      if (match[0] !== 'ipvsadm') words.push({ text: match[0], column: match.index + 1 })
    }
    if (words.length === 0) continue
    const beyond = words[0].text === beyondPrefix
    if (beyond) words.shift()
    else if (words[0].text.startsWith('#')) continue
    if (words.length > 0) yield { line, words, beyond }
  }
}
