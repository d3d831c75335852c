import { decomment } from './decomment.js'
import { findUse, readDefinition, readSequence, type Definition, type Sequence } from './definitions.js'
import type { Diagnostics } from './diagnostics.js'
import { isBlank, Line } from './line.js'
import type { ParseOptions } from './types.js'

/** Size of keepalived's buffer for a line, without the closing NUL. */
const LINE_LENGTH = 1023
/** The greatest length of a line after definitions have replaced their names: four times keepalived's buffer. */
const LONGEST = 4 * LINE_LENGTH
/** The most names that definitions replace in one line. */
const MOST_REPLACEMENTS = 1000
/** How deep includes may be nested. */
const DEEPEST = 32
/** The most lines that are read from all files. Files written by people come nowhere near it. */
const MOST_LINES = 5_000_000
/** The most lines that definitions and sequences may add. */
const MOST_REPEATED = 100_000

/** A file that is being read. */
interface Frame {
  file: string
  text: string
  at: number
  number: number
}

/** What each form of `include` requires of the files. */
const strictness: Record<string, readonly string[]> = {
  include: [],
  includer: ['read'],
  includem: ['match'],
  includew: ['wildcard_match'],
  includeb: ['brace_match'],
  includea: ['read', 'match', 'wildcard_match', 'brace_match'],
}

/**
 * Reads files as keepalived does, and returns lines with one keyword or one brace each. It removes comments, puts in definitions, evaluates
 * conditions, repeats sequences and follows includes.
 */
export class Reader {
  readonly #frames: Frame[]
  readonly #definitions = new Map<string, Definition>()
  /** The further lines of definitions that are in use, the innermost definition last. */
  readonly #waiting: { line: Line, texts: string[] }[] = []
  readonly #sequences: Sequence[] = []
  /** The rest of a line that was cut at a brace. */
  #rest: Line | undefined
  /** A definition that continues on the next line. */
  #open: Definition | undefined
  #read = 0
  #repeated = 0
  #random = 0
  /** What `include_check` requires of each `include`. */
  includeCheck: ReadonlySet<string> = new Set()
  /** The last line that was read, for diagnostics about the end of the file. */
  end: Line

  constructor(text: string, private readonly options: ParseOptions, private readonly diagnostics: Diagnostics) {
    const file = options.file ?? 'keepalived.conf'
    this.#frames = [{ file, text, at: 0, number: 0 }]
    this.end = new Line('', file, 1, 1)
  }

  /** The next line: a single brace, or text without braces. `undefined` at the end. */
  next(): Line | undefined {
    for (;;) {
      const raw = this.#source()
      if (raw === undefined) return undefined
      const line = this.#processed(raw)
      if (line === undefined || line.text === '' || this.#include(line)) continue
      const piece = this.#cut(line)
      if (piece.text !== '') return piece
    }
  }

  /** The next line as it is written. */
  #source(): Line | undefined {
    if (this.#rest !== undefined) {
      const rest = this.#rest
      this.#rest = undefined
      return rest
    }
    const waiting = this.#waiting.at(-1)
    if (waiting !== undefined) {
      const text = waiting.texts.shift()!
      if (waiting.texts.length === 0) this.#waiting.pop()
      return this.#counted(waiting.line) ? waiting.line.becoming(text) : undefined
    }
    const sequence = this.#sequences.at(-1)
    if (sequence !== undefined) {
      const round: IteratorResult<readonly string[], unknown> = sequence.rounds.next()
      if (round.done) {
        this.#sequences.pop()
        return this.#source()
      }
      const values = round.value
      sequence.names.forEach((name, index) => this.#definitions.set(name, { lines: [values[index]] }))
      return this.#counted(sequence.line) ? sequence.line : undefined
    }
    return this.#physical()
  }

  /** Counts a line that a definition or sequence adds. After too many, it reports an error, stops the reading and returns `false`. */
  #counted(line: Line): boolean {
    if (++this.#repeated <= MOST_REPEATED) return true
    this.diagnostics.error(line.place(), `More than ${MOST_REPEATED.toLocaleString('en')} lines come out of definitions and sequences`, 'Give the sequence an end that is nearer')
    this.#sequences.length = this.#waiting.length = this.#frames.length = 0
    return false
  }

  /** The next line of a file, without its comment. */
  #physical(): Line | undefined {
    for (let frame = this.#frames.at(-1); frame !== undefined; frame = this.#frames.at(-1)) {
      const { text, at } = frame
      if (at >= text.length) {
        this.#frames.pop()
        continue
      }
      let end = text.indexOf('\n', at)
      if (end < 0) end = text.length
      frame.at = end + 1
      frame.number++
      let last = end
      while (last > at && text.charCodeAt(last - 1) === 13) last--
      if (++this.#read > MOST_LINES) {
        this.diagnostics.error({ file: frame.file, line: frame.number, column: 1 }, `More than ${MOST_LINES.toLocaleString('en')} lines are read`, 'Look for files that include one another many times')
        this.#frames.length = 0
        return undefined
      }
      let first = at
      while (first < last && isBlank(text.charCodeAt(first))) first++
      let behind = last
      while (behind > first && isBlank(text.charCodeAt(behind - 1))) behind--
      const line = new Line(text.slice(first, behind), frame.file, frame.number, first - at + 1)
      this.end = line
      if (first === behind) {
        if (this.#open === undefined) continue
        return line
      }
      if (line.text.includes('\0')) {
        this.diagnostics.warning(
          line.place(line.text.indexOf('\0')),
          'A NUL character is in this line, which is left out, as keepalived 2.4 does it',
          'Remove it',
        )
        continue
      }
      if (last - at > LINE_LENGTH / 4 && Buffer.byteLength(text.slice(at, last)) > LINE_LENGTH) {
        this.diagnostics.warning({ file: frame.file, line: frame.number, column: 1 }, `The line is longer than ${LINE_LENGTH} bytes. It is read whole here; keepalived 2.2 reads what is beyond as another line, and 2.4 leaves the line out`, 'Write a shorter line')
      }
      return decomment(line, this.diagnostics)
    }
    return undefined
  }

  /** The line after its condition, definitions and sequence have been applied; `undefined` if nothing is left of it. */
  #processed(given: Line): Line | undefined {
    let line = given
    if (this.#open !== undefined) {
      this.#goOn(this.#open, line)
      return undefined
    }
    let replacements = 0
    for (;;) {
      if (line.text.startsWith('@')) {
        const kept = this.#conditional(line)
        if (kept === undefined) return undefined
        line = kept
      }
      if (line.text.startsWith('$')) {
        const definition = readDefinition(line)
        if (definition !== undefined) {
          this.#define(definition.name, definition.value)
          return undefined
        }
      }
      if (line.text.startsWith('~SEQ') || line.text.startsWith('~LST')) {
        const sequence = readSequence(line)
        if (typeof sequence === 'string') {
          this.diagnostics.error(line.place(), `This ${line.text.slice(0, 4)} ${sequence}, so what it stands for is lost`, 'Write ~SEQ(name, first, last) or ~LST(name, one, two), then the line that is to be repeated')
        } else this.#sequences.push(sequence)
        return undefined
      }
      if (!line.text.includes('$')) return line
      const replaced = this.#substitute(line, replacements)
      if (replaced === undefined) return line
      replacements = replaced.count
      if (replacements > MOST_REPLACEMENTS || replaced.line.text.length > LONGEST) {
        this.diagnostics.error(
          given.place(),
          'The definitions in this line never come to an end, or make it too long',
          'Look for a definition that names itself',
        )
        return undefined
      }
      line = decomment(replaced.line, this.diagnostics)
    }
  }

  #goOn(open: Definition, line: Line): void {
    const { text } = line
    const more = text.endsWith('\\')
    const value = more ? text.slice(0, -1).replace(/[ \t]+$/, '') : text
    if (value !== '') open.lines.push(value)
    if (!more) this.#open = undefined
  }

  #define(name: string, value: Line): void {
    const definition: Definition = { lines: [] }
    this.#definitions.set(name, definition)
    if (value.text.endsWith('\\')) this.#open = definition
    const text = this.#open === undefined ? value.text : value.text.slice(0, -1).replace(/[ \t]+$/, '')
    if (text !== '' || this.#open === undefined) definition.lines.push(text)
  }

  /** The line without its condition; `undefined` if the condition does not hold. */
  #conditional(line: Line): Line | undefined {
    const reverse = line.text[1] === '^'
    const match = /^@\^?([^ \t]*)[ \t]+/.exec(line.text)
    if (match === null) {
      this.diagnostics.warning(line.place(), `Nothing follows ${line.text}, so the line says nothing`, 'Write the line that depends on the condition behind it')
      return undefined
    }
    const { id } = this.options
    if (id === undefined) {
      this.diagnostics.warning(line.place(), `No id was given, so ${line.text.slice(0, match[0].length).trim()} is read as for a machine that has none`, 'Give the id that keepalived has: its option -i, or the host\'s name up to the first dot')
    }
    return (match[1] === id) === reverse ? undefined : line.slice(match[0].length)
  }

  /** Replaces names by their definitions, in one pass over the line. `undefined` if the line has none. */
  #substitute(given: Line, before: number): { line: Line, count: number } | undefined {
    let line = given
    let count = before
    for (let from = 0; ;) {
      const found = findUse(line.text, from)
      if (found === undefined) break
      const value = this.#value(line, found)
      if (value === undefined) {
        from = found.at + 1
        continue
      }
      count++
      const [first = '', ...others] = value
      if (others.length > 0) this.#waiting.push({ line: line.slice(found.at, found.end), texts: others })
      line = line.replaced(found.at, found.end, first)
      if (count > MOST_REPLACEMENTS || line.text.length > LONGEST || /^[ \t]*~/.test(first)) break
      from = found.at
    }
    return count === before ? undefined : { line, count }
  }

  /** The lines that a name stands for; `undefined` if it stays as it is written. */
  #value(line: Line, { at, end, name, parameters }: NonNullable<ReturnType<typeof findUse>>): readonly string[] | undefined {
    const definition = this.#definitions.get(name)
    if (definition !== undefined && parameters.length === 0) {
      // A definition of several lines is replaced only at the end of a line.
      return definition.lines.length > 1 && end !== line.text.length ? undefined : definition.lines
    }
    switch (name) {
      case '_PWD': return [folderOf(line.file)]
      case '_INSTANCE': return [this.options.instance ?? this.options.id ?? '']
      case '_HASH': return ['#']
      case '_BANG': return ['!']
      case '_ENV': return parameters.length === 1 ? [this.#environment(line, at, parameters[0])] : undefined
      case '_RANDOM': return [this.#randomNumber(line, at, parameters)]
    }
    this.diagnostics.warning(line.place(at), `${line.text.slice(at, end)} is not defined, so it stays as it is written`, `Define it before this line: $${name}=…`)
    return undefined
  }

  #environment(line: Line, at: number, name: string): string {
    const value = this.options.environment?.[name]
    if (value !== undefined) return value
    this.diagnostics.warning(line.place(at), `The environment has no ${name}, so nothing stands in its place`, `Set ${name} where the director is started`)
    return ''
  }

  /** The number is not random, because the same text must mean the same every time. */
  #randomNumber(line: Line, at: number, parameters: readonly string[]): string {
    const [least, most] = parameters.length > 1 ? parameters.map(Number) : [0, parameters.length === 1 ? Number(parameters[0]) : 32767]
    this.#random = (Math.imul(this.#random, 1_103_515_245) + 12_345) & 0x7fffffff
    const span = most - least + 1
    const value = Number.isSafeInteger(span) && span > 0 ? least + this.#random % span : 0
    this.diagnostics.note(line.place(at), `A random number is ${value} here, every time the file is read; keepalived takes another one each time`, 'Write a number')
    return String(value)
  }

  /** Whether the line is an `include`. Its files are read next. */
  #include(line: Line): boolean {
    if (!line.text.startsWith('include')) return false
    const match = /^(include[rmwba]?)[ \t]+(.*)$/s.exec(line.text)
    if (match === null || !Object.hasOwn(strictness, match[1])) return false
    const [, keyword, pattern] = match
    const at = line.place(line.text.length - pattern.length)
    const { include } = this.options
    if (include === undefined) {
      this.diagnostics.error(at, `Files cannot be included here, so what ${pattern} has is missing`, 'Give parseKeepalived the option include')
      return true
    }
    const asked = new Set([...strictness[keyword], ...this.includeCheck])
    const files = include(pattern, line.file)
    const wildcard = /[*?[]/.test(pattern)
    const mustMatch =
      asked.has('match') || (wildcard && asked.has('wildcard_match')) || (!wildcard && pattern.includes('{') && asked.has('brace_match'))
    if (files.length === 0) {
      const message = `No file is ${pattern}`
      if (mustMatch) this.diagnostics.error(at, `${message}, and ${keyword} asks for one`, 'Make the file, or write include if it may be missing')
      else this.diagnostics.warning(at, `${message}, so nothing is included`, 'Make the file, or write includem, which refuses the configuration without it')
    }
    const frames: Frame[] = []
    for (const { file, text, problem } of files) {
      if (text === undefined) {
        const message = `${file} is not read: ${problem ?? 'it has no text'}`
        if (asked.has('read')) this.diagnostics.error(at, `${message}; and ${keyword} asks for it`, 'Make it readable')
        else this.diagnostics.error(at, message, 'Make it readable, or take it out of the pattern')
      } else if (this.#frames.some((frame) => frame.file === file)) this.diagnostics.error(at, `${file} includes itself, and would never end`, 'Take the include out')
      else if (this.#frames.length >= DEEPEST) this.diagnostics.error(at, `More than ${DEEPEST} files include one another`, 'Include them from one file')
      else frames.push({ file, text, at: 0, number: 0 })
    }
    this.#frames.push(...frames.reverse())
    return true
  }

  /** Returns the text before the line's first brace, or the brace if the line begins with it. The rest is returned next. */
  #cut(line: Line): Line {
    const { text } = line
    const first = text.charCodeAt(0)
    if (first === 123 || first === 125) {
      let next = 1
      while (next < text.length && isBlank(text.charCodeAt(next))) next++
      if (next < text.length) this.#rest = line.slice(next)
      return line.slice(0, 1)
    }
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code === 34) {
        const close = text.indexOf('"', at + 1)
        if (close < 0) return line
        at = close
      } else if (code === 123 || code === 125) {
        this.#rest = line.slice(at)
        return line.slice(0, at).trimmed()
      }
    }
    return line
  }
}

/** The folder part of a file's name. */
function folderOf(file: string): string {
  const slash = file.lastIndexOf('/')
  return slash < 0 ? '.' : slash === 0 ? '/' : file.slice(0, slash)
}
