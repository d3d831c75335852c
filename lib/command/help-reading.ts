/** A line of a help text: what is typed, and what it does. */
export interface HelpRow {
  typed: string
  words: string
  /** Whether it is marked with a star: ipvsadm does not have it. */
  isOwn: boolean
}

/** A part of a help text with its title. The first part, what the command is for, has none. */
export interface HelpSection { title: string, rows: HelpRow[], paragraphs: string[] }

/** An option, as a help text tells it. */
export interface HelpOption {
  short?: string
  /** With its dashes. */
  long: string
  /** What stands for its argument: 'NAME', 'text|json'. */
  argument?: string
  words: string
}

const ROW = /^( +)(\* )?(?:(\S.*?)( {3,})(?!.* {3,}\S)(\S.*)|(-.*)( {2})([a-z].*)|(-.*))$/
const TITLE = /^(?!Usage)([A-Z][a-z]*(?: [a-z]+){0,6}(?: \([^)]*\))?)(?:(?: {3,}|: )(.*))?$/

/**
 * Takes a help text apart. It is the table that completion and the manual page are made from, so that each fact is in it once: three spaces
 * stand between what is typed and what it does, or two where there is no room for more, and a line below that begins there, or further to
 * the right, goes on with it.
 */
export function readHelp(text: string): HelpSection[] {
  const sections: HelpSection[] = [{ title: '', rows: [], paragraphs: [] }]
  let column = Infinity
  let isAfterBlank = true
  for (const line of text.trimEnd().split('\n')) {
    const section = sections.at(-1)!
    const [, indent, star = '', farBefore, farGap, farWords, nearBefore, nearGap, nearWords, alone] = ROW.exec(line) ?? []
    const [typed, gap = '', words = ''] = [farBefore ?? nearBefore ?? alone, farGap ?? nearGap, farWords ?? nearWords]
    const [, title, rest] = TITLE.exec(line) ?? []
    if (typed !== undefined) {
      section.rows.push({ typed: typed.replace(/ {3,}/g, ' '), words, isOwn: star !== '' })
      column = indent.length + star.length + typed.length + gap.length
    } else if (/^ /.test(line) && section.rows.length > 0 && (/^ */.exec(line)![0].length >= column || section.rows.at(-1)!.words === '')) {
      const row = section.rows.at(-1)!
      row.words = `${row.words} ${line.trim()}`.trim()
    } else if (title !== undefined) {
      sections.push({ title, rows: [], paragraphs: rest === undefined ? [] : [rest] })
    } else if (line !== '') {
      if (isAfterBlank || section.paragraphs.length === 0) section.paragraphs.push(line.trim())
      else section.paragraphs.push(`${section.paragraphs.pop()} ${line.trim()}`)
    }
    isAfterBlank = line === ''
  }
  return sections
}

/** The options of a help text, each once, in its order. */
export function optionsOf(sections: readonly HelpSection[]): HelpOption[] {
  const options = new Map<string, HelpOption>()
  for (const { typed, words } of sections.flatMap(({ rows }) => rows)) {
    const goesOn = words.startsWith('[-')
    const text = typed.endsWith(' is one of') ? words : goesOn ? `${typed} ${words}` : typed
    for (const [, short, long, argument] of text.matchAll(/(?:(-\w), )?(--[a-z][\w-]*)(?: {1,2}\[?([A-Z][^\s\]…]*|[a-z][a-z-]*(?:\|[a-z-]+)+|[a-z][a-z-]*$))?/g)) {
      const other = options.get(long)
      // An option with a line for each of its words.
      if (other?.argument !== undefined && argument !== undefined && /^[a-z-]+$/.test(argument)) other.argument += `|${argument}`
      if (other === undefined) options.set(long, { long, words: goesOn ? '' : words, ...short !== undefined && { short }, ...argument !== undefined && { argument } })
    }
  }
  return [...options.values()]
}
