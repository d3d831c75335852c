import { readFile } from 'node:fs/promises'
import type { Protocol } from '../model/types.js'

/** The names of ports. Each protocol has its own. */
export interface ServicesDatabase {
  /** The port of a name or alias, `undefined` if there is none. */
  port(name: string, protocol: Protocol): number | undefined
  /** The name of a port, `undefined` if there is none. */
  name(port: number, protocol: Protocol): string | undefined
}

/** Reads the text of services(5). Of several entries the first one counts, as for getservbyname(3) and getservbyport(3). */
export function parseServices(text: string): ServicesDatabase {
  const ports = new Map<string, number>()
  const names = new Map<string, string>()
  for (const line of text.split('\n')) {
    const [name, entry, ...aliases] = line.replace(/#.*/, '').split(/[ \t\r]+/).filter((word) => word !== '')
    const match = /^([0-9]{1,5})\/([a-z]+)$/.exec(entry ?? '')
    if (!match) continue
    const [, port, protocol] = match
    if (!names.has(`${port}/${protocol}`)) names.set(`${port}/${protocol}`, name)
    for (const spelling of [name, ...aliases]) {
      if (!ports.has(`${spelling}/${protocol}`)) ports.set(`${spelling}/${protocol}`, Number(port))
    }
  }
  return {
    port: (name, protocol) => ports.get(`${name}/${protocol}`),
    name: (port, protocol) => names.get(`${port}/${protocol}`),
  }
}

let loaded: Promise<ServicesDatabase> | undefined

/** The machine's services database, `/etc/services`, which is read once. Empty if there is none. */
export function loadServices(): Promise<ServicesDatabase> {
  loaded ??= readFile('/etc/services', 'latin1').then(parseServices, (error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return parseServices('')
    throw error
  })
  return loaded
}
