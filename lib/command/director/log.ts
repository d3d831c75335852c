import { visible } from '../output.js'
import { isJournal, LineWriter } from './line-writer.js'

export type Level = 'error' | 'warning' | 'info'

/** One event. What follows the message are its parts, for programs. */
export interface Entry {
  level: Level
  /** What kind of event it is: 'down'. */
  event: string
  /** The whole of it, for people, in one line. */
  message: string
  [part: string]: unknown
}

/** Takes events. */
export type Log = (entry: Entry) => void

/** syslog(3)'s numbers, by which the journal knows levels. */
const PRIORITIES: Record<Level, number> = { error: 3, warning: 4, info: 6 }

const oneLine = (text: string): string => visible(text.trimEnd().replaceAll('\n', ' | '))

/** A line for people. The journal has its own time and level. */
const textLine = ({ level, message }: Entry, at: Date, journal: boolean): string =>
  journal ? `<${PRIORITIES[level]}>${oneLine(message)}` : `${at.toISOString()} ${level === 'info' ? '' : `${level}: `}${oneLine(message)}`

/** A line for programs. */
const jsonLine = ({ level, event, message, ...parts }: Entry, at: Date): string =>
  JSON.stringify({ time: at.toISOString(), level, event, message, ...parts })

/** A log on the standard error. */
export function openLog(format: 'text' | 'json'): { log: Log, flush: () => Promise<void> } {
  const STDERR = 2
  const writer = new LineWriter(STDERR)
  const journal = format === 'text' && isJournal(STDERR)
  const lineOf = (entry: Entry): string => format === 'json' ? jsonLine(entry, new Date()) : textLine(entry, new Date(), journal)
  const lost = (count: number): string => lineOf({ level: 'warning', event: 'lost', message: `${count} lines of this log were left out, because nobody read it`, count })
  return { log: (entry) => writer.line(lineOf(entry), lost), flush: () => writer.flush(1_000) }
}
