import { isSpace, type Line } from './line.js'

/** A word and where it begins in its line. */
export interface Word {
  text: string
  at: number
}

/** Splits as keepalived does for ordinary keywords: at white space. `"…"` is one word, and a quote that touches text begins a new word. */
export function splitWords({ text }: Line): Word[] {
  const words: Word[] = []
  for (let at = 0; at < text.length;) {
    const code = text.charCodeAt(at)
    if (isSpace(code)) at++
    else if (code === 34) {
      const close = text.indexOf('"', at + 1)
      const end = close < 0 ? text.length : close
      words.push({ text: text.slice(at + 1, end), at })
      at = end + 1
    } else {
      const from = at
      while (at < text.length && text.charCodeAt(at) !== 34 && !isSpace(text.charCodeAt(at))) at++
      words.push({ text: text.slice(from, at), at: from })
    }
  }
  return words
}

const escapes: Record<string, string> = { a: '\x07', b: '\b', E: '\x1b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' }

/** The text that the escape at `at` stands for, and the length of the escape. */
function escaped(text: string, at: number): { text: string, length: number } {
  const hexadecimal = /^x([0-9A-Fa-f]{1,2})/.exec(text.slice(at + 1, at + 4))
  if (hexadecimal !== null) return { text: String.fromCharCode(parseInt(hexadecimal[1], 16)), length: 1 + hexadecimal[0].length }
  const octal = /^[0-7]{1,3}/.exec(text.slice(at + 1, at + 4))
  if (octal !== null) return { text: String.fromCharCode(parseInt(octal[0], 8) & 255), length: 1 + octal[0].length }
  const character = text[at + 1]
  if (character === 'c' && at + 2 < text.length) return { text: String.fromCharCode(text.charCodeAt(at + 2) & 31), length: 3 }
  return { text: Object.hasOwn(escapes, character) ? escapes[character] : character, length: 2 }
}

/**
 * Splits as keepalived does for scripts and regular expressions. `'` and `"` both quote, pieces that touch are one word, and a backslash
 * begins an escape.
 *
 * @returns the words; or `open`, the place of a quote without an end or of a backslash with nothing after it
 */
export function splitQuoted(text: string): Word[] | { open: number } {
  const words: Word[] = []
  let at = 0
  for (;;) {
    while (at < text.length && isSpace(text.charCodeAt(at))) at++
    if (at === text.length) return words
    const from = at
    let word = ''
    let quote = ''
    let quoteAt = at
    for (; at < text.length; at++) {
      const character = text[at]
      if (character === '\\') {
        if (at + 1 === text.length) return { open: at }
        const meant = escaped(text, at)
        word += meant.text
        at += meant.length - 1
      } else if (quote !== '') {
        if (character === quote) quote = ''
        else word += character
      } else if (character === '"' || character === '\'') {
        quote = character
        quoteAt = at
      } else if (isSpace(text.charCodeAt(at))) break
      else word += character
    }
    if (quote !== '') return { open: quoteAt }
    words.push({ text: word, at: from })
  }
}
