import { RulesError } from './error.js'
import type { OptionSpelling } from './language.js'
import type { Word } from './words.js'

/** The options of a language by their names. */
export class Spellings {
  readonly long: ReadonlyMap<string, OptionSpelling>
  readonly short: ReadonlyMap<string, OptionSpelling>

  constructor(...tables: (readonly OptionSpelling[])[]) {
    const all = tables.flat()
    this.long = new Map(all.map((option) => [option.long, option]))
    this.short = new Map(all.flatMap((option) => (option.short ? [[option.short, option] as const] : [])))
  }
}

/** An option as it was given. */
export interface GivenOption {
  option: OptionSpelling
  /** The option as it was written, with its dashes. */
  spelling: string
  line: number
  /** Column of the option. */
  column: number
  /** Its argument. Absent if it takes none, or if the optional one was left out. */
  argument?: string
  /** Column of the argument. */
  argumentColumn: number
}

/** An option and, if its word has one, the value attached to it. */
interface WrittenOption {
  spelling: string
  column: number
  attached?: string
  attachedColumn?: number
}

/**
 * Reads the options of a command line one after the other, by the rules of popt(3):
 * - Long options are written in full. Their value follows `=` or is the next word.
 * - Short options can be combined. Their value is attached, follows `=` or is the next word.
 * - An optional value is the next word unless that begins with a dash.
 * - `--` ends the options.
 * - All other words, wherever they are, are left over.
 */
export class OptionReader {
  /** Words that are neither options nor their values. */
  readonly leftOver: Word[] = []
  #next = 0
  /** Combined short options that are still to be read, and the column of the first of them. */
  #cluster = ''
  #letterColumn = 0
  /** Whether the next letter directly follows the dash. */
  #dashed = false
  #ended = false

  constructor(readonly words: readonly Word[], readonly line: number, readonly spellings: Spellings) {}

  /**
   * @returns The next option, `undefined` after the last.
   * @throws RulesError for an option that does not exist, lacks its value or has one that it does not take.
   */
  next(): GivenOption | undefined {
    while (this.#cluster === '') {
      if (this.#next === this.words.length) return undefined
      const word = this.words[this.#next++]
      const { text, column } = word
      if (this.#ended || text[0] !== '-' || text === '-') {
        this.leftOver.push(word)
      } else if (text === '--') {
        this.#ended = true
      } else if (text[1] === '-') {
        return this.#long(text, column)
      } else {
        this.#cluster = text.slice(1)
        this.#letterColumn = column + 1
        this.#dashed = true
      }
    }
    return this.#short()
  }

  #long(text: string, column: number): GivenOption {
    const equals = text.indexOf('=')
    const spelling = equals < 0 ? text : text.slice(0, equals)
    const option = this.spellings.long.get(spelling.slice(2))
    if (!option) throw this.#unknown(spelling, column)
    if (equals < 0) return this.#withArgument(option, { spelling, column })
    return this.#withArgument(option, { spelling, column, attached: text.slice(equals + 1), attachedColumn: column + equals + 1 })
  }

  #short(): GivenOption {
    const letter = this.#cluster[0]
    const after = ++this.#letterColumn
    const column = this.#dashed ? after - 2 : after - 1
    const spelling = `-${letter}`
    const option = this.spellings.short.get(letter)
    if (!option) throw this.#unknown(spelling, column)
    const rest = this.#cluster.slice(1)
    this.#cluster = option.argument === 'none' ? rest : ''
    this.#dashed = false
    const equals = rest[0] === '='
    if (rest === '' || (option.argument === 'none' && !equals)) return this.#withArgument(option, { spelling, column })
    if (equals) return this.#withArgument(option, { spelling, column, attached: rest.slice(1), attachedColumn: after + 1 })
    return this.#withArgument(option, { spelling, column, attached: rest, attachedColumn: after })
  }

  #withArgument(option: OptionSpelling, written: WrittenOption): GivenOption {
    const { line } = this
    const { spelling, column, attached, attachedColumn = column } = written
    if (attached !== undefined) {
      if (option.argument === 'none') throw this.#error(`option ${spelling} has a value`, 'none, it takes no value', attachedColumn)
      return { option, spelling, line, column, argument: attached, argumentColumn: attachedColumn }
    }
    if (option.argument === 'none') return { option, spelling, line, column, argumentColumn: column }
    const word = this.words.at(this.#next)
    if (word === undefined || (option.argument === 'optional' && word.text[0] === '-')) {
      if (option.argument === 'text') throw this.#error(`option ${spelling} is the last word`, 'its value after it', column)
      return { option, spelling, line, column, argumentColumn: column }
    }
    this.#next++
    return { option, spelling, line, column, argument: word.text, argumentColumn: word.column }
  }

  #unknown(spelling: string, column: number): RulesError {
    return new UnknownOptionError(spelling, this.line, column)
  }

  #error(problem: string, expected: string, column: number): RulesError {
    return new RulesError(problem, expected, this.line, column, 255)
  }
}

/** The error of an option with a wrong value. */
export const valueError = ({ spelling, argument = '', line, argumentColumn }: GivenOption, expected: string): RulesError =>
  new RulesError(`${spelling} '${argument}'`, expected, line, argumentColumn)

/** An option that does not exist. */
export class UnknownOptionError extends RulesError {
  /** The option as it was written, without its value. */
  readonly spelling: string

  constructor(spelling: string, line: number, column: number) {
    super(`unknown option ${spelling}`, "one of ipvsadm's options", line, column, 255)
    this.spelling = spelling
  }
}
