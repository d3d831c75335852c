/** A word of a rule and its place. */
export interface Word {
  text: string
  /** From 1. */
  column: number
}

/** A line of rules, split into words. */
export interface RuleLine {
  /** From 1. */
  line: number
  words: Word[]
}

/** Begins a rule that ipvsadm's language has no words for. ipvsadm-restore skips the line, this library reads it. */
export const beyondPrefix = '#ipvs:'

/** Rules without the byte-order mark that some editors write before them. */
export const withoutByteOrderMark = (text: string): string => (text.startsWith('\ufeff') ? text.slice(1) : text)

const newline = 10
const isSpace = (code: number): boolean => code === 32 || code === 9 || code === 13

/**
 * Splits rules as `ipvsadm -R` does: at blanks, tabs and carriage returns, without any quoting. Leaves out the word `ipvsadm`, wherever it
 * is. Leaves out empty lines, comments and a byte-order mark too. A comment that begins with {@link beyondPrefix} is a rule.
 */
export function* ruleLines(rules: string): Generator<RuleLine & { beyond: boolean }> {
  const text = withoutByteOrderMark(rules)
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
