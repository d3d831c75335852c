import { existsSync, readdirSync } from 'node:fs'

/** Alternatives that a pattern may have, so that a short line cannot ask for a million. */
const MOST_ALTERNATIVES = 10_000

/** The end of the group that begins at a brace; -1 where it has none. */
function closing(pattern: string, open: number): number {
  for (let at = open, depth = 0; at < pattern.length; at++) {
    if (pattern[at] === '\\') at++
    else if (pattern[at] === '{') depth++
    else if (pattern[at] === '}' && --depth === 0) return at
  }
  return -1
}

/** The parts of a group, between the commas that are its own. */
function parts(group: string): string[] {
  const found: string[] = []
  let depth = 0
  let from = 0
  for (let at = 0; at < group.length; at++) {
    if (group[at] === '\\') at++
    else if (group[at] === '{') depth++
    else if (group[at] === '}') depth--
    else if (group[at] === ',' && depth === 0) {
      found.push(group.slice(from, at))
      from = at + 1
    }
  }
  return [...found, group.slice(from)]
}

/** The patterns without braces that a pattern with braces stands for, in their order. A brace without its end is an ordinary character. */
export function alternatives(pattern: string): string[] {
  const open = pattern.indexOf('{')
  const close = open < 0 ? -1 : closing(pattern, open)
  // glob(3) takes '{}' as it is.
  if (close < 0 || close === open + 1) return [pattern]
  const [before, after] = [pattern.slice(0, open), pattern.slice(close + 1)]
  const found: string[] = []
  for (const part of parts(pattern.slice(open + 1, close))) {
    found.push(...alternatives(`${before}${part}${after}`))
    if (found.length > MOST_ALTERNATIVES) throw new RangeError(`the pattern stands for more than ${MOST_ALTERNATIVES} others`)
  }
  return found
}

const CLASSES: Readonly<Record<string, string>> = {
  alpha: 'a-zA-Z', digit: '0-9', alnum: 'a-zA-Z0-9', upper: 'A-Z', lower: 'a-z', punct: '!-/:-@\\[-`{-~', xdigit: '0-9A-Fa-f', blank: ' \\t', space: '\\s',
}

/** What stands in brackets, as a regular expression, and where it ends; `undefined` where the bracket is an ordinary character. */
function bracket(pattern: string, open: number): { text: string, end: number } | undefined {
  let at = open + 1
  const isNegated = pattern[at] === '!' || pattern[at] === '^'
  if (isNegated) at++
  let text = ''
  for (let first = true; at < pattern.length; first = false) {
    const named = /^\[:(\w+):\]/.exec(pattern.slice(at))
    if (pattern[at] === ']' && !first) return { text: `[${isNegated ? '^' : ''}${text}]`, end: at + 1 }
    if (named !== null && Object.hasOwn(CLASSES, named[1])) {
      text += CLASSES[named[1]]
      at += named[0].length
      continue
    }
    if (pattern[at] === '\\' && at + 1 < pattern.length) at++
    text += pattern[at] === '-' ? '-' : pattern[at].replace(/[\\\]^[]/, '\\$&')
    at++
  }
  return undefined
}

/** A name's pattern as a regular expression; `undefined` where it is a name. */
function expression(pattern: string): RegExp | undefined {
  let text = ''
  let hasWildcard = false
  for (let at = 0; at < pattern.length;) {
    const character = pattern[at]
    const set = character === '[' ? bracket(pattern, at) : undefined
    if (set !== undefined) {
      text += set.text
      at = set.end
      hasWildcard = true
      continue
    }
    if (character === '*' || character === '?') {
      text += character === '*' ? '.*' : '.'
      hasWildcard = true
    } else {
      if (character === '\\' && at + 1 < pattern.length) at++
      text += pattern[at].replace(/[\\^$.*+?()[\]{}|/]/, '\\$&')
    }
    at++
  }
  if (!hasWildcard) return undefined
  try {
    return new RegExp(`^${text}$`, 's')
  } catch {
    // A range from a later character to an earlier one matches nothing.
    return /(?!)/
  }
}

const unescaped = (name: string): string => name.replace(/\\(.)/gs, '$1')

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder === '' ? '.' : folder)
  } catch {
    return []
  }
}

/** What one pattern without braces matches, in the order of the names. */
function matches(pattern: string, looked: (path: string) => void): string[] {
  const segments = pattern.split(/\/+/)
  let found = [pattern.startsWith('/') ? '/' : '']
  if (found[0] === '/') segments.shift()
  for (const segment of segments) {
    if (segment === '') continue
    const name = expression(segment)
    found = found.flatMap((folder) => {
      if (name === undefined) {
        const path = folder + unescaped(segment)
        looked(path)
        return existsSync(path) ? [path] : []
      }
      looked(folder === '' ? '.' : folder)
      // A wildcard does not stand for the dot that hides a file.
      return namesIn(folder)
        .filter((one) => name.test(one) && (segment.startsWith('.') || !one.startsWith('.')))
        .sort()
        .map((one) => folder + one)
    }).map((path) => `${path}/`)
  }
  return found.map((path) => path.replace(/(?<=.)\/$/, ''))
}

/**
 * The paths that a pattern matches, as glob(3) with GLOB_BRACE finds them: the alternatives of braces one after the other, what each
 * matches in the order of the names.
 *
 * @param looked is told of every path that the result depends on: files and folders whose coming, going or changing can make it another
 */
export function glob(pattern: string, looked: (path: string) => void = () => {}): string[] {
  return alternatives(pattern).flatMap((one) => matches(one, looked))
}
