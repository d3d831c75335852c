import { readFileSync, realpathSync, statSync } from 'node:fs'
import { sep } from 'node:path'
import type { NamedProgram } from '../../configuration/index.js'
import { mistakesOf } from '../../director/machine-mistakes.js'
import type { Diagnostic } from '../../keepalived/index.js'
import type { Reading } from '../../sources/reading.js'

/** Where a file names something first, outside of comments that take the whole line. */
function placeOf(word: string, files: readonly string[]): Pick<Diagnostic, 'file' | 'line' | 'column'> {
  for (const file of files) {
    let lines: string[]
    try {
      lines = statSync(file).isFile() ? readFileSync(file, 'utf8').split('\n') : []
    } catch {
      continue
    }
    const line = lines.findIndex((text) => text.includes(word) && !/^\s*[#!]/.test(text))
    if (line >= 0) return { file, line: line + 1, column: lines[line].indexOf(word) + 1 }
  }
  return { file: files[0], line: 1, column: 1 }
}

function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

/** What is wrong with a program: where the configuration names it, which one, why, and what to do. */
interface Fault {
  field: string
  path: string
  words: string
  advice: string
}

/** Programs that are not in the folder that they have to be in, wherever symbolic links lead. */
function* outside(named: readonly NamedProgram[], folder: string): Generator<Fault> {
  const inside = `${real(folder).replace(/\/+$/, '')}${sep}`
  for (const { field, command: [path] } of named) {
    if (real(path).startsWith(inside)) continue
    yield {
      field: `${field}.command[0]`,
      path,
      words: `${path} is not in ${folder}, where --scripts says that programs are`,
      advice: 'Put it there, or name another folder',
    }
  }
}

const adviceFor = (words: string): string =>
  words.endsWith('does not exist')
    ? 'Put the program there, or take the line out: nothing counts as healthy because its check cannot run'
    : /belongs to user|can be changed by/.test(words)
      ? 'Let root own it and all folders above it, and nobody else write to them: it runs with the rights of the director'
      : 'Write another one, or take the line out'

/** What is wrong on this machine with programs and accounts. */
function* mistaken(named: readonly NamedProgram[]): Generator<Fault> {
  const commands = new Map(named.map(({ field, command }) => [field, command[0]]))
  for (const { field, message } of mistakesOf(named)) {
    const words = message.slice(`${field} is refused: `.length)
    yield { field, path: commands.get(field.replace(/\.(command\[0\]|user|group)$/, '')) ?? '', words, advice: adviceFor(words) }
  }
}

/**
 * What is wrong on this machine with the programs that a configuration names, each program once, and where in the files it is named. Where
 * the place is known, the path in the configuration says nothing more.
 */
export function programDiagnostics(
  named: readonly NamedProgram[],
  folder: string | undefined,
  { programs, paths }: Pick<Reading, 'programs' | 'paths'>,
): Diagnostic[] {
  const told = new Set<string>()
  const faults = [...mistaken(named), ...(folder === undefined ? [] : outside(named, folder))]
  return faults.flatMap(({ field, path, words, advice }): Diagnostic[] => {
    // The same program has the same fault everywhere.
    const id = `${path} ${words}`
    if (told.has(id)) return []
    told.add(id)
    const place = programs.find(({ command }) => command[0] === path)
    const { file, line, column } = place ?? placeOf(path, paths)
    return [{ file, line, column, severity: 'error', message: place === undefined ? `${field} is refused: ${words}` : words, advice }]
  })
}
