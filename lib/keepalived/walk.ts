import { closest } from './close.js'
import type { Diagnostics } from './diagnostics.js'
import type { Line, Place } from './line.js'
import type { Reader } from './reader.js'
import { Statement } from './statement.js'

/** How far a keyword is supported. */
export type Status =
  /** It works as in keepalived. */
  | 'done'
  /** It works in another way. */
  | 'differs'
  /** It is known and has no effect. */
  | 'not done'
  /** It is left to keepalived, which goes on using the same file. */
  | 'keepalived'
  /** It refuses the file. */
  | 'refused'

/** What the documentation says about a keyword. */
export interface Documented {
  status: Status
  /** What stands for the keyword here, or what to use instead. */
  ours: string
}

/** A block that a keyword opened. */
export interface Opened<Draft> {
  level: Level<Draft>
  draft: Draft
  /** Runs at the end of the block. */
  close?: () => void
}

export interface Keyword<Draft> extends Documented {
  /** Reads a line that has no block. */
  read?(statement: Statement, draft: Draft, context: Context): void
  /** Opens a block. Returns `undefined` if the head is bad; the block is then skipped. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- what is in the block is its own business
  open?(statement: Statement, draft: Draft, context: Context): Opened<any> | undefined
  /** Opens a block of lines without keywords. Returns the function that reads a line. */
  values?(statement: Statement, draft: Draft, context: Context): (line: Statement) => void
}

/** The keywords of a kind of block. */
export interface Level<Draft> {
  /** 'virtual_server' */
  name: string
  keywords: ReadonlyMap<string, Keyword<Draft>>
  /** Whether an unknown block in it may have been meant as a check. */
  checks?: true
  /** Whether unknown keywords in it are left to keepalived. */
  lenient?: true
  /** Advice about words that people write here by mistake. */
  hints?: Readonly<Record<string, string>>
}

/** Makes a level from a table of keywords. */
export const level = <Draft,>(
  name: string,
  keywords: Readonly<Record<string, Keyword<Draft>>>,
  rest: Omit<Level<Draft>, 'name' | 'keywords'> = {},
): Level<Draft> => ({ name, keywords: new Map(Object.entries(keywords)), ...rest })

/** The blocks that are checks. Outside of a real_server they check nothing. */
export const CHECKERS = [
  'HTTP_GET',
  'SSL_GET',
  'TCP_CHECK',
  'SMTP_CHECK',
  'DNS_CHECK',
  'MISC_CHECK',
  'UDP_CHECK',
  'PING_CHECK',
  'FILE_CHECK',
  'BFD_CHECK',
]

/** Outer blocks. One of these in a place where it is unknown means that a } is missing before it. */
const OUTER = ['real_server', 'virtual_server', 'virtual_server_group', 'global_defs', 'vrrp_instance', 'vrrp_sync_group']

/** What readers of keywords need besides their line. */
export interface Context {
  diagnostics: Diagnostics
  reader: Reader
  /** Calls `say` unless it was called with the same key before. */
  once: (key: string, say: () => void) => void
}

/** Reads blocks as keepalived does, and reports where the result differs. */
export class Walker {
  #ahead: Line | undefined
  #open = 0

  constructor(private readonly context: Context) {}

  #next(): Line | undefined {
    const ahead = this.#ahead
    this.#ahead = undefined
    return ahead ?? this.context.reader.next()
  }

  #peek(): Line | undefined {
    return this.#ahead ??= this.context.reader.next()
  }

  /** Reads a whole file. */
  root<Draft>(level: Level<Draft>, draft: Draft): void {
    this.#read(level, draft, true)
    if (this.#open > 0) {
      const { end } = this.context.reader
      this.context.diagnostics.warning(end.place(end.text.length), `${this.#open === 1 ? 'A } is' : `${this.#open} } are`} missing at the end of the file. What was read until here counts`, 'Close each block')
    }
  }

  #read<Draft>(level: Level<Draft>, draft: Draft, root: boolean): void {
    const { diagnostics } = this.context
    let last: Statement | undefined
    for (let line = this.#next(); line !== undefined; line = this.#next()) {
      if (line.text === '}') {
        if (!root) {
          this.#open--
          return
        }
        diagnostics.warning(
          line.place(),
          'This } closes nothing; it is passed over',
          'Take it out, and look whether a block before it ended too early',
        )
        continue
      }
      if (line.text === '{') {
        const lost = level.checks === true ? last?.words.find(({ text }) => CHECKERS.includes(text)) : undefined
        if (lost !== undefined) diagnostics.error(last!.line.place(lost.at), `${lost.text} stands behind ${last!.keyword} on its line, so it would check nothing, and its server would count as healthy`, 'Write it on a line of its own')
        diagnostics.warning(line.place(), `This { opens nothing; it is passed over, and the next } closes ${root ? 'nothing' : level.name}, as in keepalived`, 'Take it out, or write the keyword of a block before it')
        continue
      }
      const statement = new Statement(line, diagnostics)
      if (statement.words.length === 0) continue
      last = statement
      const keyword = level.keywords.get(statement.keyword)
      if (keyword === undefined) this.#unknown(statement, level)
      else if (keyword.open !== undefined) this.#block(statement, keyword.open(statement, draft, this.context))
      else if (keyword.values !== undefined) this.#values(statement, keyword.values(statement, draft, this.context))
      else keyword.read?.(statement, draft, this.context)
      if (
        keyword?.read === undefined &&
        keyword?.open === undefined &&
        keyword?.values === undefined &&
        keyword !== undefined &&
        this.#peek()?.text === '{'
      )
        this.#skip()
    }
  }

  #block<Inner>(statement: Statement, opened: Opened<Inner> | undefined): void {
    if (opened === undefined) {
      if (this.#peek()?.text === '{') this.#skip()
      return
    }
    if (this.#brace(statement, opened.level)) this.#read(opened.level, opened.draft, false)
    opened.close?.()
  }

  /** Whether the statement has a block: a brace follows, or a keyword that belongs into the block. */
  #brace<Inner>(statement: Statement, inner: Level<Inner>): boolean {
    const next = this.#peek()
    if (next?.text === '{') {
      this.#next()
      this.#open++
      return true
    }
    const { diagnostics } = this.context
    const word = next === undefined || next.text === '}' ? undefined : new Statement(next, diagnostics).text(0)
    if (word !== undefined && inner.keywords.has(word)) {
      diagnostics.warning(statement.at(statement.words.length), `${statement.keyword} has no {; what follows is read as if it were there`, `Write ${statement.keyword} … { … }`)
      this.#open++
      return true
    }
    diagnostics.warning(statement.at(statement.words.length), `${statement.keyword} has no block, and is read as if it had an empty one. keepalived takes the next } for its end, and loses what comes after it`, `Write ${statement.keyword} … { }`)
    return false
  }

  #values(statement: Statement, read: (line: Statement) => void): void {
    const { diagnostics } = this.context
    if (this.#peek()?.text === '{') this.#next()
    else diagnostics.warning(statement.at(statement.words.length), `${statement.keyword} has no {; what follows is read as if it were there`, `Write ${statement.keyword} … { … }`)
    this.#open++
    for (let line = this.#next(); line !== undefined; line = this.#next()) {
      if (line.text === '}') {
        this.#open--
        return
      }
      if (line.text === '{') diagnostics.warning(line.place(), 'This { opens nothing; it is passed over', 'Take it out')
      else {
        const values = new Statement(line, diagnostics)
        if (values.words.length > 0) read(values)
      }
    }
  }

  /** Skips a block with its braces. */
  #skip(): void {
    let depth = 0
    for (let line = this.#next(); line !== undefined; line = this.#next()) {
      if (line.text === '{') {
        depth++
        this.#open++
      } else if (line.text === '}') {
        this.#open--
        if (--depth === 0) return
      }
    }
  }

  #unknown<Draft>(statement: Statement, level: Level<Draft>): void {
    const { diagnostics } = this.context
    const { keyword, place } = statement
    const inside = level.name === '' ? 'outside of every block' : `in ${level.name}`
    if (CHECKERS.includes(keyword)) {
      diagnostics.error(place, `${keyword} stands ${inside}, so it would check nothing, and its server would count as healthy`, 'Put it into a real_server { }; look whether one before it ended too early')
    } else {
      const block = this.#peek()?.text === '{'
      if (level.lenient === undefined || (block && OUTER.includes(keyword))) this.#tellUnknown(keyword, place, level, inside, block)
    }
    if (this.#peek()?.text === '{') this.#skip()
  }

  #tellUnknown<Draft>(keyword: string, place: Place, level: Level<Draft>, inside: string, block: boolean): void {
    const { diagnostics } = this.context
    const shown = `'${keyword.length > 60 ? `${keyword.slice(0, 60)}…` : keyword}'`
    const invisible = /[\u00a0\u3000\ufeff\u200b]/.test(keyword)
      ? 'A character that looks like a blank, or a byte order mark, is part of the word: take it out'
      : undefined
    const meant = closest(keyword.replace(/[\u00a0\u3000\ufeff\u200b]/g, ''), level.keywords.keys())
    const advice = level.hints?.[keyword] ?? invisible ?? (meant === undefined ? 'Take it out' : `Write ${meant}, if that is meant`)
    if (!block) {
      const alone = keyword.startsWith('real_server') || keyword.startsWith('virtual_server')
      diagnostics.warning(place, `${shown} is no keyword ${inside}, so the line has no effect`, alone ? `${advice}; and look whether a block before it ended too early` : advice)
    } else if (OUTER.includes(keyword)) {
      // These are unknown here only if there is a } too many before them, or one is missing.
      const isRoot = level.name === ''
      const message = `${keyword} stands ${inside}: a block before it ${isRoot ? 'ended too early' : 'has not ended'}. It is lost, with all that is in it`
      const close = isRoot ? 'Look for a } too many before it' : `Write the missing } before it; the last block that was opened is a ${level.name}`
      if (level.checks) diagnostics.error(place, `${message}, checks too`, close)
      else diagnostics.warning(place, message, close)
    } else if (level.checks) {
      diagnostics.error(place, `${shown} is no block ${inside}. It may have been a check, without which the server would count as healthy. keepalived reads its lines as if they stood ${inside}, and ends ${level.name} at its }`,
        CHECKERS.includes(meant ?? '') || meant === undefined ? `${advice}. The checks are ${CHECKERS.slice(0, -1).join(', ')}` : `${advice}; look whether a } is missing before it`)
    } else {
      const check = /_(?:CHECK|GET)$/i.test(keyword) ? `If it was to be a check, write ${closest(keyword, CHECKERS) ?? 'one that there is'} { … } into each real_server` : undefined
      diagnostics.warning(place, `${shown} is no block ${inside}. It is passed over whole; keepalived reads its lines as if they stood ${inside}${level.name === '' ? '' : `, and ends ${level.name} at its }`}`, check ?? advice)
    }
  }
}
