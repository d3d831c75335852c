import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { getSystemErrorMap } from 'node:util'
import { configurationMistakes } from '../configuration/index.js'
import type { DirectorConfiguration } from '../configuration/index.js'
import { tlsFaultsOf } from '../files/tls-faults.js'
import { parseKeepalived } from '../keepalived/index.js'
import type { Diagnostic, IncludedFile, PlacedProgram, PlacedTlsFile, Vrrp } from '../keepalived/index.js'
import { glob } from './glob.js'
import { jsonFault, jsonPlaces } from './json-places.js'

/** Where a configuration comes from: a file, and the language that it is written in. */
export interface FileSource {
  type: 'keepalived' | 'json'
  file: string
  /** The user that runs programs for which keepalived.conf names none. */
  scriptUser?: string
  /** Whether this machine is to do what it says: then the files of TLS that it names are looked at too. */
  isForHere?: boolean
}

/** What a file says. */
export interface Reading {
  /** `undefined` where a diagnostic is an error. */
  configuration: DirectorConfiguration | undefined
  diagnostics: Diagnostic[]
  /** Where keepalived.conf names programs. */
  programs: PlacedProgram[]
  /** What keepalived.conf says about VRRP; missing for other languages. */
  vrrp?: Vrrp
  /** Short text that is the same for the same configuration. */
  digest: string
  /** Whether there is nothing at all in the file. */
  isEmpty: boolean
  /** Every path that this depends on: the file, those that it includes, folders that it looks for them in, useless files of TLS. */
  paths: string[]
}

/** What the system says about an error, in words. */
function words(error: unknown): string {
  const { errno, message } = error as NodeJS.ErrnoException
  const [code, text] = getSystemErrorMap().get(errno ?? 0) ?? []
  return text === undefined ? message : `${text} (${code})`
}

const placed = (file: string, message: string, advice: string): Diagnostic => ({
  file,
  line: 1,
  column: 1,
  severity: 'error',
  message,
  advice,
})

type Read = Pick<Reading, 'configuration' | 'diagnostics' | 'programs' | 'vrrp'> & { tlsFiles: readonly PlacedTlsFile[] }

function readKeepalived({ file, scriptUser }: FileSource, text: string, paths: Set<string>): Read {
  const include = (pattern: string, from: string): IncludedFile[] => {
    const whole = isAbsolute(pattern) ? pattern : join(dirname(from), pattern)
    return glob(whole, (path) => paths.add(path)).flatMap((found): IncludedFile[] => {
      paths.add(found)
      try {
        // keepalived leaves out what is no regular file.
        if (!statSync(found).isFile()) return []
        return [{ file: found, text: readFileSync(found, 'utf8') }]
      } catch (error) {
        return [{ file: found, problem: words(error) }]
      }
    })
  }
  const options = { file, include, id: hostname().split('.')[0], environment: process.env, scriptUser }
  return parseKeepalived(text, options)
}

function readJson(file: string, text: string): Read {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const { line, column, message } = jsonFault(text) ?? { line: 1, column: 1, message: (error as Error).message }
    const diagnostics: Diagnostic[] = [{ file, line, column, severity: 'error', message: `The file ${message}`, advice: '' }]
    return { configuration: undefined, diagnostics, programs: [], tlsFiles: [] }
  }
  const mistakes = configurationMistakes(value)
  if (mistakes.length === 0) return { configuration: value as DirectorConfiguration, diagnostics: [], programs: [], tlsFiles: [] }
  const places = jsonPlaces(text, mistakes.map(({ field }) => field))
  return {
    configuration: undefined,
    diagnostics: mistakes.map(({ message }, index): Diagnostic => ({ file, ...places[index], severity: 'error', message, advice: '' })),
    programs: [],
    tlsFiles: [],
  }
}

/**
 * What is wrong with the files of TLS that a configuration names: at their place in the block `SSL`, or at the check that names them. It
 * depends on these files until they are good.
 */
function tlsDiagnostics({ type, file }: FileSource, text: string, { configuration, tlsFiles }: Read, paths: Set<string>): Diagnostic[] {
  if (configuration === undefined) return []
  const faults = tlsFaultsOf(configuration)
  for (const { path } of faults) paths.add(path)
  if (type === 'json') {
    const places = jsonPlaces(text, faults.map(({ field }) => field))
    return faults.map(({ field, words, advice }, index) => ({ file, ...places[index], severity: 'error', message: `${field} is refused: ${words}`, advice }))
  }
  return faults.map(({ name, words, advice }) => {
    const place = tlsFiles.find((one) => one.name === name)!
    return { file: place.file, line: place.line, column: place.column, severity: 'error', message: words, advice }
  })
}

/** Reads a configuration, with all that it includes. Whatever is wrong is in the diagnostics. */
export function readSource(source: FileSource): Reading {
  const { type, file } = source
  const paths = new Set([file])
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const diagnostics = [placed(file, `The file cannot be read: ${words(error)}`, '')]
    return { configuration: undefined, diagnostics, programs: [], digest: '', isEmpty: false, paths: [...paths] }
  }
  // An editor's mark of UTF-8 is no part of the text.
  const own = type === 'json' ? text.replace(/^\ufeff/, '') : text
  const read = type === 'keepalived' ? readKeepalived(source, text, paths) : readJson(file, own)
  const { programs, vrrp } = read
  const found = source.isForHere === true ? tlsDiagnostics(source, own, read, paths) : []
  const configuration = found.length === 0 ? read.configuration : undefined
  const digest = createHash('sha256').update(JSON.stringify([configuration ?? null, vrrp ?? null])).digest('base64')
  return {
    configuration, diagnostics: [...read.diagnostics, ...found], programs, ...vrrp !== undefined && { vrrp },
    digest, isEmpty: text.trim() === '', paths: [...paths],
  }
}
