import type { Line } from './line.js'

/** A definition: its lines, one unless they end with a backslash. */
export interface Definition {
  lines: string[]
}

/** A `~SEQ` or `~LST` line at work: the text it repeats, and the values that its names have each time. */
export interface Sequence {
  line: Line
  names: readonly string[]
  /** Values of the names, once for each time. */
  rounds: Iterator<readonly string[]>
}

const startOfDefinition = /^\$([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*/

/** Name and first line of a definition, if the line is one. */
export function readDefinition(line: Line): { name: string, value: Line } | undefined {
  const match = startOfDefinition.exec(line.text)
  return match === null ? undefined : { name: match[1], value: line.slice(match[0].length) }
}

/**
 * A name in use: `$NAME` before a blank, a comma, a closing parenthesis or the end, `${NAME}` anywhere, `${_ENV NAME}` and `${_RANDOM 1 5}`
 * with words of their own.
 */
const use = /\$(?:([A-Za-z_][A-Za-z0-9_]*)(?=[ \t,)]|$)|\{([A-Za-z_][A-Za-z0-9_]*)((?:[ \t]+[^ \t{}]+)*)[ \t]*\})/g

/** The first name in use from `from` on. */
export function findUse(text: string, from: number): { at: number, end: number, name: string, parameters: string[] } | undefined {
  use.lastIndex = from
  const match = use.exec(text)
  if (match === null) return undefined
  return {
    at: match.index,
    end: use.lastIndex,
    name: match[1] ?? match[2],
    parameters: (match[3] ?? '').split(/[ \t]+/).filter((word) => word !== ''),
  }
}

/** A number as strtol(3) reads it with base 0. */
function cNumber(text: string): number | undefined {
  const match = /^[ \t]*([+-]?)(?:0[xX]([0-9A-Fa-f]+)|(0[0-7]*)|([1-9][0-9]*))[ \t]*$/.exec(text)
  if (match === null) return undefined
  const [, sign, hexadecimal, octal, decimal] = match
  const value = hexadecimal !== undefined ? parseInt(hexadecimal, 16) : octal !== undefined ? parseInt(octal, 8) : Number(decimal)
  return sign === '-' ? -value : value
}

function* counting(start: number, step: number, end: number, base: number): Generator<readonly string[]> {
  // As printf(3) does it: hexadecimal numbers are unsigned.
  for (let value = start; step > 0 ? value <= end : value >= end; value += step)
    yield[base === 16 ? (value >>> 0).toString(16) : String(value)]
}

/** Start, step and end, of which the last may be the only one that is given. */
function steps([first, second, third]: readonly number[]): [number, number, number] {
  if (third !== undefined) return [first, second, third]
  if (second !== undefined) return [first, first <= second ? 1 : -1, second]
  return [first < 0 ? -1 : 1, first < 1 ? -1 : 1, first]
}

/** `~SEQ(name,[start,[step,]]end)rest`, `~SEQx`; a text says what is wrong. */
function readSeq(line: Line): Sequence | string {
  const match = /^~SEQ(x?)[ \t]*\([ \t]*([^ \t,)]+)[ \t]*,([^)]*)\)[ \t]*/.exec(line.text)
  if (match === null) return 'names no variable and no numbers'
  const numbers = match[3].split(',').map(cNumber)
  if (numbers.length > 3 || numbers.some((number) => number === undefined || !Number.isSafeInteger(number)))
    return 'has something else than one to three numbers'
  const [start, step, end] = steps(numbers as number[])
  if (step === 0 || (start < end && step < 0) || (start > end && step > 0)) return 'never reaches its end'
  return { line: line.slice(match[0].length), names: [match[2]], rounds: counting(start, step, end, match[1] === 'x' ? 16 : 10) }
}

const parts = (text: string): string[] => text.split(',').map((part) => part.trim())

/** `~LST(name,a,b,…)rest`, `~LST({name,name},{a,b},{c,d})rest`. */
function readLst(line: Line): Sequence | string {
  const one = /^~LST[ \t]*\([ \t]*([^ \t,(){}]+)[ \t]*,([^){}]*)\)[ \t]*/.exec(line.text)
  if (one !== null) return { line: line.slice(one[0].length), names: [one[1]], rounds: parts(one[2]).map((value) => [value]).values() }
  const several = /^~LST[ \t]*\([ \t]*\{([^{}]*)\}((?:[ \t]*,[ \t]*\{[^{}]*\})+)[ \t]*\)[ \t]*/.exec(line.text)
  if (several === null) return 'names no variable and no values'
  const names = parts(several[1])
  const rounds = [...several[2].matchAll(/\{([^{}]*)\}/g)].map((match) => parts(match[1]))
  const uneven = rounds.findIndex((values) => values.length !== names.length)
  if (uneven >= 0) return `has ${names.length} names and ${rounds[uneven].length} values in its list ${uneven + 1}`
  return { line: line.slice(several[0].length), names, rounds: rounds.values() }
}

export const readSequence = (line: Line): Sequence | string => line.text.startsWith('~LST') ? readLst(line) : readSeq(line)
