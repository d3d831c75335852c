import type { Check, DirectorConfiguration, TlsOptions } from './types.js'

/** What TLS options say about files. */
export type TlsFiles = Pick<TlsOptions, 'authorities' | 'certificate' | 'key' | 'passphrase'>

/** The files of TLS that a check names, and where. */
export interface NamedTlsFiles {
  /** 'services[3].destinations[0].checks[1].tls'. */
  field: string
  files: TlsFiles
}

/** The files of TLS that a check names; `undefined` for none. */
export function tlsFilesOfCheck(check: Check): TlsFiles | undefined {
  if (check.type !== 'http' && check.type !== 'tls') return undefined
  const { authorities, certificate, key, passphrase } = check.tls ?? {}
  if (authorities === undefined && certificate === undefined && key === undefined) return undefined
  return { authorities, certificate, key, passphrase }
}

function* filesOf(checks: readonly Check[] = [], field: string): Generator<NamedTlsFiles> {
  for (const [index, check] of checks.entries()) {
    const files = tlsFilesOfCheck(check)
    if (files !== undefined) yield { field: `${field}.checks[${index}].tls`, files }
  }
}

/** A text that is the same for the same files. */
export const tlsFilesId = ({ authorities, certificate, key, passphrase }: TlsFiles): string =>
  JSON.stringify([authorities, certificate, key, passphrase])

/**
 * The files of TLS that a valid configuration names, in its order. Files that several checks have are told once, where they are first: a
 * thousand servers mostly have the same.
 */
export function* tlsFilesOf({ services }: DirectorConfiguration): Generator<NamedTlsFiles> {
  const told = new Set<string>()
  function* untold(checks: readonly Check[] | undefined, field: string): Generator<NamedTlsFiles> {
    for (const named of filesOf(checks, field)) {
      const id = tlsFilesId(named.files)
      if (!told.has(id)) yield named
      told.add(id)
    }
  }
  for (const [index, { checks, destinations = [] }] of services.entries()) {
    yield* untold(checks, `services[${index}]`)
    for (const [number, { checks: own }] of destinations.entries()) yield* untold(own, `services[${index}].destinations[${number}]`)
  }
}
