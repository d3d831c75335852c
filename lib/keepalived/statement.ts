import { canonicalAddress } from '../model/address.js'
import type { Diagnostics } from './diagnostics.js'
import type { Line, Place } from './line.js'
import { splitQuoted, splitWords, type Word } from './words.js'

/** A value and its place in the file. */
export interface Given<T> {
  value: T
  place: Place
}

/** How a number is read. */
interface NumberOptions {
  min: number
  max: number
  /** What the number is, in words: 'a weight'. */
  what: string
  /** Whether keepalived reads the leading digits of text that is not a number. */
  tolerant?: boolean
  /** What the message says will happen if the text is no number in the range. */
  instead?: string
}

const inWords = (min: number, max: number): string => `from ${min} to ${max}`

/** A keyword with its parameters. Reads them as keepalived does, and reports what is wrong with them. */
export class Statement {
  readonly words: readonly Word[]

  constructor(readonly line: Line, private readonly diagnostics: Diagnostics) {
    this.words = splitWords(line)
  }

  get keyword(): string {
    return this.words[0].text
  }

  get place(): Place {
    return this.at(0)
  }

  /** The place of a word, or the end of the line if the word is missing. */
  at(index: number): Place {
    return this.line.place(this.words[index]?.at ?? this.line.text.length)
  }

  text(index: number): string | undefined {
    return this.words[index]?.text
  }

  /** Returns a required word. If it is missing, reports an error and returns `undefined`. */
  need(index: number, what: string): string | undefined {
    const word = this.text(index)
    if (word === undefined) {
      this.diagnostics.error(this.at(index), `${this.keyword} needs ${what}, and nothing follows. keepalived ends at such a line`, `Write ${what} behind ${this.keyword}, or take the line out`)
    }
    return word
  }

  /** Warns if there are more than `count` words. keepalived ignores the others without a message. */
  only(count: number): void {
    const extra = this.text(count)
    if (extra !== undefined) {
      this.diagnostics.warning(this.at(count), `'${this.line.text.slice(this.words[count].at)}' is not looked at: ${this.keyword} takes ${count === 1 ? 'no parameter' : count === 2 ? 'one parameter' : `${count - 1} parameters`}`,
        'Write one keyword on a line, and a comment behind #')
    }
  }

  /** Reads an integer. If it is wrong, warns and returns `undefined`, and the line has no effect. */
  integer(index: number, { min, max, what, tolerant = true, instead = 'so the line has no effect' }: NumberOptions): number | undefined {
    const text = this.need(index, what)
    if (text === undefined) return undefined
    const match = /^[ \t]*\+?([0-9]+)(.*)$/s.exec(text)
    if (match === null) {
      const negative = /^[ \t]*-/.test(text) ? 'is negative' : 'is no number'
      const zero = tolerant && min === 0 && negative === 'is no number'
      this.diagnostics.warning(this.at(index), zero ? `'${text}' is no number; read as 0, as keepalived does it` : `'${text}' ${negative}, ${instead}`, `Write ${what} ${inWords(min, max)}`)
      return zero ? 0 : undefined
    }
    const value = Number(match[1])
    if (value < min || value > max) {
      this.diagnostics.warning(this.at(index), `${match[1]} is out of range, ${instead}`, `Write ${what} ${inWords(min, max)}`)
      return undefined
    }
    if (match[2] === '') return value
    this.diagnostics.warning(this.at(index), tolerant ? `'${text}' is no number; read as ${value}, as keepalived does it` : `'${text}' is no number, ${instead}`, `Write ${what} ${inWords(min, max)}, in decimal digits alone`)
    return tolerant ? value : undefined
  }

  /** Reads seconds with up to six decimals. If they are wrong, warns and returns `undefined`, and the line has no effect. */
  seconds(index: number, min: number, max: number): number | undefined {
    const text = this.need(index, 'a number of seconds')
    if (text === undefined) return undefined
    const match = /^[ \t]*\+?([0-9]*)(?:\.([0-9]*))?$/.exec(text)
    if (match === null || (match[1] === '' && (match[2] ?? '') === '')) {
      this.diagnostics.warning(this.at(index), `'${text}' is no number of seconds, so the line has no effect (keepalived may take it for microseconds)`, 'Write seconds in decimal digits, without a unit: 1.5')
      return undefined
    }
    const value = Math.round(Number(`${match[1] || '0'}.${match[2] || '0'}`) * 1e6) / 1e6
    if (value < min || value > max) {
      this.diagnostics.warning(this.at(index), `${text} seconds are out of range, so the line has no effect`, `Write a number of seconds ${inWords(min, max)}`)
      return undefined
    }
    if ((match[2] ?? '').length > 6) this.diagnostics.warning(this.at(index), `More than six decimals: ${text} is rounded to ${value}`, `Write ${value}`)
    return value
  }

  /** Reads on, true or yes, and off, false or no. A missing word means yes. */
  boolean(index = 1): boolean | undefined {
    const text = this.text(index)
    this.only(index + 1)
    if (text === undefined || ['on', 'true', 'yes'].includes(text)) return true
    if (['off', 'false', 'no'].includes(text)) return false
    this.diagnostics.warning(this.at(index), `'${text}' is neither yes nor no, so the line has no effect`, 'Write yes or no, in lower case')
    return undefined
  }

  /** Reads an address and returns it in canonical form. Anything else is an error. */
  address(index: number, what: string): string | undefined {
    const text = this.need(index, what)
    if (text === undefined) return undefined
    const address = canonicalAddress(text)
    if (address === undefined) this.diagnostics.error(this.at(index), `'${text}' is no address`, 'Write an IPv4 or IPv6 address in numbers, without brackets; IPv4 without leading zeros')
    return address
  }

  /** Reads a port. Returns 0 if there is none, `undefined` after an error. */
  port(index: number): number | undefined {
    const text = this.text(index)
    if (text === undefined) return 0
    if (/^\+?[0-9]+$/.test(text) && Number(text) <= 65535) return Number(text)
    this.diagnostics.error(this.at(index), `'${text}' is no port`, 'Write a port from 1 to 65535 in decimal digits, or none')
    return undefined
  }

  /** Reads a program with its arguments and the account that runs it. Returns `undefined` after an error. */
  program(): Given<{ command: string[], user?: string, group?: string }> | undefined {
    const words = this.quoted()
    if (words === undefined) return undefined
    if (words.length < 2) {
      this.need(1, 'a program')
      return undefined
    }
    const place = this.line.place(words[1].at)
    const command = splitQuoted(words[1].text)
    if (!Array.isArray(command)) {
      this.diagnostics.error(place, `A quote inside ${this.keyword}'s program has no end, so it cannot be started`, 'Close the quote')
      return undefined
    }
    const [program] = command
    if (program === undefined || !program.text.startsWith('/')) {
      this.diagnostics.error(place, `'${program?.text ?? ''}' is no absolute path. keepalived looks for it in its PATH, which is not done here`, 'Write the program\'s whole path')
      return undefined
    }
    if (words.length > 4) this.diagnostics.warning(this.line.place(words[4].at), `Words behind the group are not looked at`, 'Put the program and its arguments in one pair of quotes')
    const user = words[2]?.text
    if (user?.startsWith('-') || user?.startsWith('/')) {
      this.diagnostics.warning(this.line.place(words[2].at), `'${user}' is taken for the user that runs the program, not for an argument`, 'Put the program and its arguments in one pair of quotes')
    }
    return {
      value: {
        command: command.map(({ text }) => text),
        ...(user !== undefined && { user }),
        ...(words[3] !== undefined && { group: words[3].text }),
      },
      place,
    }
  }

  /** Splits the line by the rules for scripts and regular expressions. Returns `undefined` after an error. */
  quoted(): Word[] | undefined {
    const words = splitQuoted(this.line.text)
    if (Array.isArray(words)) return words
    this.diagnostics.error(this.line.place(words.open), `A quote or a backslash has nothing that ends it, so ${this.keyword} cannot be read`, 'Close the quote; write \\\\ for a backslash')
    return undefined
  }
}
