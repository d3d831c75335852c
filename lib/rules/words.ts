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

const newline = 10
const isSpace = (code: number): boolean => code === 32 || code === 9 || code === 13

/**
 * Splits rules as `ipvsadm -R` does: at blanks, tabs and carriage returns, without any quoting, the word `ipvsadm` left out wherever
 * it stands. Empty lines and comments are left out too; a comment that begins with {@link beyondPrefix} counts as a rule.
 */
export function* ruleLines(text: string): Generator<RuleLine & { beyond: boolean }> {
  let line = 0
  for (let at = 0; at < text.length;) {
    line++
    const start = at
    const words: Word[] = []
    for (;;) {
      while (at < text.length && isSpace(text.charCodeAt(at))) at++
      if (at === text.length || text.charCodeAt(at) === newline) break
      const from = at
      while (at < text.length && text.charCodeAt(at) !== newline && !isSpace(text.charCodeAt(at))) at++
      const word = text.slice(from, at)
      if (word !== 'ipvsadm') words.push({ text: word, column: from - start + 1 })
    }
    at++
    if (words.length === 0) continue
    const beyond = words[0].text === beyondPrefix
    if (beyond) words.shift()
    else if (words[0].text[0] === '#') continue
    if (words.length > 0) yield { line, words, beyond }
  }
}
