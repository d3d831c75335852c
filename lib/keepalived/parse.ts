import { Diagnostics } from './diagnostics.js'
import type { FileDraft } from './drafts.js'
import { rootLevel } from './globals.js'
import { Reader } from './reader.js'
import { resolve } from './resolve.js'
import type { Parsed, ParseOptions, PlacedTlsFile } from './types.js'
import { Walker } from './walk.js'

/** The files that the block `SSL` names, each with its place. */
function tlsFilesOf({ ssl: { ca, certificate, key } = {} }: FileDraft): PlacedTlsFile[] {
  const given = { authorities: ca, certificate, key }
  return (['authorities', 'certificate', 'key'] as const).flatMap((name) => {
    const one = given[name]
    if (one === undefined) return []
    const { file, line, column } = one.place
    return [{ name, path: one.value, file, line, column }]
  })
}

/**
 * Reads a keepalived.conf. Virtual servers become a director's configuration. From the rest of the file, it returns what a director needs
 * to know.
 *
 * The file is read as keepalived 2.2 reads it, with the same tolerance, and each mistake gets a diagnostic. Nothing is looked up on the
 * machine: no files, no accounts, no programs. If something cannot be done and a server would therefore count as healthy, the file is
 * refused: `configuration` is `undefined`, and a diagnostic says why.
 *
 * @example
 * ```js
 * import { formatDiagnostic, parseKeepalived } from 'ipvs/keepalived'
 *
 * const text = 'virtual_server 192.0.2.1 80 {\n  real_server 10.0.0.2 80 {\n    weigth 2\n  }\n}\n'
 * const { configuration, diagnostics } = parseKeepalived(text, { file: 'keepalived.conf' })
 * for (const diagnostic of diagnostics) console.error(formatDiagnostic(diagnostic))
 * console.log(configuration?.services)
 * ```
 */
export function parseKeepalived(text: string, options: ParseOptions = {}): Parsed {
  const diagnostics = new Diagnostics()
  const reader = new Reader(text, options, diagnostics)
  const told = new Set<string>()
  const once = (key: string, say: () => void): void => {
    if (!told.has(key)) say()
    told.add(key)
  }
  const file: FileDraft = {
    virtualServers: [],
    groups: [],
    trackFiles: [],
    timeouts: {},
    logAll: false,
    notifyAtStart: false,
    programs: new Map(),
    defaultUser: options.scriptUser,
    vrrp: { instances: [], groups: [], fifos: {}, trackFiles: [] },
  }
  new Walker({ diagnostics, reader, once }).root(rootLevel, file)
  const configuration = resolve(file, diagnostics)
  file.vrrp.trackFiles = file.trackFiles
    .filter((one) => one.file !== undefined)
    .map(({ name, file: path, weight = 0 }) => ({ name, file: path!, weight }))
  if (file.syncDaemon !== undefined) file.vrrp.syncDaemon = file.syncDaemon.value
  return {
    configuration: diagnostics.refused ? undefined : configuration,
    vrrp: file.vrrp,
    programs: [...file.programs.values()],
    tlsFiles: tlsFilesOf(file),
    diagnostics: diagnostics.sorted(),
  }
}
