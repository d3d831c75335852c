import type { Line } from './line.js'

/** A definition: one line, or several if all but the last end with a backslash. */
export interface Definition {
  lines: string[]
}

/** A `~SEQ` or `~LST` line that is being repeated: its text, and the values of its names in each round. */
export interface Sequence {
  line: Line
  names: readonly string[]
  /** The values of the names, round by round. */
  rounds: Iterator<readonly string[]>
}

const startOfDefinition = /^\$([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*/

/** The name and the first line of a definition; `undefined` if the line is not a definition. */
export function readDefinition(line: Line): { name: string, value: Line } | undefined {
  const match = startOfDefinition.exec(line.text)
  return match === null ? undefined : { name: match[1], value: line.slice(match[0].length) }
}

/**
 * A reference to a definition: `$NAME` before a blank, a comma, a closing parenthesis or the end, and `${NAME}` anywhere. `${_ENV NAME}`
 * and `${_RANDOM 1 5}` have parameters.
 */
const use = /\$(?:([A-Za-z_][A-Za-z0-9_]*)(?=[ \t,)]|$)|\{([A-Za-z_][A-Za-z0-9_]*)((?:[ \t]+[^ \t{}]+)*)[ \t]*\})/g

/** The first reference that begins at `from` or later. */
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
  // Hexadecimal numbers are unsigned, as printf(3) writes them.
  for (let value = start; step > 0 ? value <= end : value >= end; value += step)
    yield[base === 16 ? (value >>> 0).toString(16) : String(value)]
}

/** Start, step and end. One number alone is the end; two are start and end. */
function steps([first, second, third]: readonly number[]): [number, number, number] {
  if (third !== undefined) return [first, second, third]
  if (second !== undefined) return [first, first <= second ? 1 : -1, second]
  return [first < 0 ? -1 : 1, first < 1 ? -1 : 1, first]
}

/** Reads `~SEQ(name,[start,[step,]]end)rest` and `~SEQx`. A returned text says what is wrong with the line. */
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

/** Reads `~LST(name,a,b,…)rest` and `~LST({name,name},{a,b},{c,d})rest`. A returned text says what is wrong with the line. */
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
