import { readFileSync, realpathSync, statSync } from 'node:fs'
import { sep } from 'node:path'
import { programsOf, type DirectorConfiguration } from '../../configuration/index.js'
import { programMistakes } from '../../director/program-mistakes.js'
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

/** Programs that are not in the folder that they have to be in, wherever symbolic links lead. */
function* outside(configuration: DirectorConfiguration, folder: string): Generator<{ path: string, message: string }> {
  const inside = `${real(folder).replace(/\/+$/, '')}${sep}`
  for (const { field, command: [path] } of programsOf(configuration)) {
    if (!real(path).startsWith(inside)) yield { path, message: `${field}.command[0] is refused: ${path} is not in ${folder}, where --scripts says that programs are` }
  }
}

/** What is wrong on this machine with the programs that a configuration names, each program once, and where in the files it is named. */
export function programDiagnostics(
  configuration: DirectorConfiguration,
  folder: string | undefined,
  { programs, paths }: Pick<Reading, 'programs' | 'paths'>,
): Diagnostic[] {
  const commands = new Map([...programsOf(configuration)].map(({ field, command }) => [field, command[0]]))
  const found = [
    ...programMistakes(configuration).map(({ field, message }) => ({
      path: commands.get(field.replace(/\.(command\[0\]|user|group)$/, '')) ?? '',
      message,
    })),
    ...(folder === undefined ? [] : outside(configuration, folder)),
  ]
  const told = new Set<string>()
  return found.flatMap(({ path, message }): Diagnostic[] => {
    // The same program has the same fault everywhere.
    const id = `${path} ${message.replace(/^\S+/, '')}`
    if (told.has(id)) return []
    told.add(id)
    const { file, line, column } = programs.find(({ command }) => command[0] === path) ?? placeOf(path, paths)
    return [{ file, line, column, severity: 'error', message, advice: '' }]
  })
}
