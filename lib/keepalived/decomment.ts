import type { Diagnostics } from './diagnostics.js'
import type { Line } from './line.js'

const special = /[!#"\\]/

/**
 * The line without its comment, without the backslashes before `#` and `!`, and without blanks at its ends. A backslash at the very end of
 * a comment stays, because it continues a definition on the next line.
 */
export function decomment(given: Line, diagnostics: Diagnostics): Line {
  let line = given.trimmed()
  if (!special.test(line.text)) return line
  let quoteAt = -1
  let comment = -1
  let continued = -1
  for (let at = 0; at < line.text.length; at++) {
    const character = line.text[at]
    if (character === '"') {
      if (comment < 0) quoteAt = quoteAt < 0 ? at : -1
    } else if (character === '\\') {
      if (at + 1 === line.text.length) continued = at
      else if (quoteAt < 0 && (line.text[at + 1] === '#' || line.text[at + 1] === '!')) line = line.replaced(at, at + 1, '')
      else at++
    } else if ((character === '#' || character === '!') && quoteAt < 0 && comment < 0) comment = at
  }
  if (quoteAt >= 0) {
    diagnostics.warning(
      line.place(quoteAt),
      'This quote has no end, so the rest of the line is one word',
      'Close it with " on the same line',
    )
  }
  if (continued < 0) return comment < 0 ? line : line.slice(0, comment).trimmed()
  const before = line.slice(0, comment < 0 ? continued : comment).trimmed()
  return before.replaced(before.text.length, before.text.length, '\\')
}
