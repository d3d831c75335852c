import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const checkout = fileURLToPath(new URL('../..', import.meta.url))

/** A block of code in a document. */
export interface Block {
  file: string
  /** The line of its first fence, counted from 1. */
  line: number
  language: string
  text: string
  /** What the HTML comment right above it says. */
  note: Note
}

/** What to do with a block other than to run it. It is in a comment of the document's source, which readers do not see. */
export interface Note {
  /** The block is not run, for this reason. */
  notRun?: string
  /** The block is written to this file, which the text names. */
  path?: string
  /** The block keeps running. It gets SIGTERM at the next heading, or before the next block that keeps running. */
  endless?: boolean
  /** The block has begun once it has printed this. Without it, once its end is reached. */
  says?: string
}

/** A document, in the order of its lines. */
export interface Document { file: string, parts: (Block | { file: string, line: number, heading: string })[] }

/** What a comment above a block can say. */
const NOTES: readonly [RegExp, (...found: string[]) => Note][] = [
  [/^not run: (.+)$/, (notRun) => ({ notRun })],
  [/^file: (\S+)$/, (path) => ({ path })],
  [/^runs until it is told to end$/, () => ({ endless: true })],
  [/^runs until it is told to end; says: (.+)$/, (says) => ({ endless: true, says })],
]

/** The languages of blocks, and what is done with each. */
export const LANGUAGES: Readonly<Record<string, string>> = {
  js: 'is run',
  ts: 'is run',
  sh: 'is run',
  console: "is run: what follows '$ '. The lines under it are what it prints; … is anything",
  json: 'is parsed',
  text: 'is nothing to be run',
}

function noteOf(comment: string, place: string): Note {
  for (const [pattern, make] of NOTES) {
    const [matched, ...found] = pattern.exec(comment) ?? []
    if (matched !== undefined) return make(...found)
  }
  throw new Error(`${place}: the comment '${comment}' is none of: not run: REASON, file: PATH, runs until it is told to end[; says: WORDS]`)
}

/**
 * Takes the blocks and headings out of a document.
 *
 * @throws Error naming file and line, for a block in a language that LANGUAGES lacks or with an unknown note
 */
export function readDocument(file: string, text: string): Document {
  const lines = text.split('\n')
  const parts: Document['parts'] = []
  for (let at = 0; at < lines.length; at++) {
    const heading = /^#+ (.*)$/.exec(lines[at])?.[1]
    if (heading !== undefined) parts.push({ file, line: at + 1, heading })
    const [, indentation, fence, language] = /^( *)(```+) *(.*)$/.exec(lines[at]) ?? []
    if (fence === undefined) continue
    const place = `${file}:${at + 1}`
    const end = lines.findIndex((line, index) => index > at && line.trim() === fence)
    if (end < 0) throw new Error(`${place}: the block has no end`)
    const above = lines.slice(0, at).findLast((line) => line.trim() !== '') ?? ''
    const comment = /^ *<!-- (.*) -->$/.exec(above)?.[1]
    const note = comment === undefined ? {} : noteOf(comment, place)
    if (!Object.hasOwn(LANGUAGES, language) && note.notRun === undefined && note.path === undefined) {
      const known = Object.entries(LANGUAGES).map(([name, what]) => `${name} ${what}`).join('; ')
      throw new Error(`${place}: '${language}' says not what is to be done with the block. ${known}. Or give it a comment`)
    }
    if (note.path !== undefined && !lines.slice(Math.max(at - 12, 0), at).some((line) => !line.startsWith('<!--') && line.includes(note.path!))) {
      throw new Error(`${place}: the text above does not say that this is ${note.path}`)
    }
    const body = lines.slice(at + 1, end).map((line) => (line.startsWith(indentation) ? line.slice(indentation.length) : line))
    parts.push({ file, line: at + 1, language, text: body.join('\n'), note })
    at = end
  }
  return { file, parts }
}

/** The documents that readers follow. */
export const documentFiles = (): string[] => [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md'],
  ...readdirSync(join(checkout, 'docs')).filter((name) => name.endsWith('.md')).sort().map((name) => `docs/${name}`),
  ...readdirSync(join(checkout, 'examples'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.md')).sort().map((name) => `examples/${name}`),
]

export const documents = (): Document[] => documentFiles().map((file) => readDocument(file, readFileSync(join(checkout, file), 'utf8')))

/** The examples in the comments of a module. */
const examplesIn = (file: string): Block[] =>
  blocksOf(readDocument(file, readFileSync(join(checkout, file), 'utf8').replace(/^ *\* ?/gm, '')))

/** All examples in the comments of the library. */
export const libraryExamples = (): Block[] => readdirSync(join(checkout, 'lib'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts')).sort().flatMap((name) => examplesIn(`lib/${name}`))

export const blocksOf = ({ parts }: Document): Block[] => parts.filter((part) => 'text' in part)
