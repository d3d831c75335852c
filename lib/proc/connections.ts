import { canonicalAddress } from '../model/address.js'
import { integer, object, oneOf, refuseUnknown, string, type Known } from '../arguments/validate.js'
import { conflict, invalidValue } from '../model/errors.js'
import { PORT } from '../model/limits.js'
import type { NativeHandle } from '../wire/addon.js'
import { PROTOCOLS } from '../model/vocabulary.js'
import { connectionOf, connectionsFile, identity, isTitle, originOf, originsFile, words } from './connection-line.js'
import { readPieces, readPiecesSync, type NamespaceFile } from './namespace-file.js'
import type { Connection, ConnectionFilter } from './types.js'

const file = (name: string): NamespaceFile => ({ path: `/proc/thread-self/net/${name}`, operation: { type: 'connections' } })

const FILTER: Known = { what: 'the options of connections', names: new Set(['service']) }

/**
 * Lists the connections that match. Two files have to be put together: what a persistence engine knows of a connection (few have any)
 * is read first and kept, then all connections with their origin pass by, so that memory does not grow with the table.
 *
 * @param open gives the handle, or throws if it is closed
 */
export async function* connections(open: () => NativeHandle, filter?: ConnectionFilter): AsyncGenerator<Connection, void, undefined> {
  const matches = matcher(filter)
  const engines = new Engines()
  const first = new Lines()
  for await (const piece of readPieces(open(), file(connectionsFile))) for (const line of first.take(piece)) engines.note(line)
  const second = new Lines()
  for await (const piece of readPieces(open(), file(originsFile))) {
    for (const line of second.take(piece)) {
      const connection = engines.complete(line)
      if (matches(connection)) yield connection
    }
  }
}

/** The same on the calling thread. */
export function* connectionsSync(open: () => NativeHandle, filter?: ConnectionFilter): Generator<Connection, void, undefined> {
  const matches = matcher(filter)
  const engines = new Engines()
  const first = new Lines()
  for (const piece of readPiecesSync(open(), file(connectionsFile))) for (const line of first.take(piece)) engines.note(line)
  const second = new Lines()
  for (const piece of readPiecesSync(open(), file(originsFile))) {
    for (const line of second.take(piece)) {
      const connection = engines.complete(line)
      if (matches(connection)) yield connection
    }
  }
}

/** Cuts pieces of text into lines of words, without the title. */
class Lines {
  #rest = ''

  take(piece: string): string[][] {
    const lines = (this.#rest + piece).split('\n')
    this.#rest = lines.pop()!
    return lines.filter((line) => !isTitle(line)).map((line) => words(line.trimEnd()))
  }
}

/** What persistence engines know, by connection. */
class Engines {
  readonly #known = new Map<string, string[]>()

  note(line: string[]): void {
    if (line.length > 9) this.#known.set(identity(line), line.slice(9))
  }

  /** Makes a connection of a line that has the origin in it. */
  complete(line: string[]): Connection {
    const engine = this.#known.get(identity(line)) ?? []
    return connectionOf([...line.slice(0, 8), line[9], ...engine], originOf(line))
  }
}

/** Checks a filter, and makes the question of it that a connection has to answer. */
function matcher(filter: ConnectionFilter | undefined): (connection: Connection) => boolean {
  if (filter === undefined) return () => true
  refuseUnknown(object(filter, 'options'), 'options', FILTER)
  const { service } = filter
  if (service === undefined) return () => true
  const { protocol, address, port, fwmark } = object(service, 'service')
  if (fwmark !== undefined) throw conflict('service.fwmark', 'is not known of a connection: the kernel does not list it')
  oneOf(protocol, 'service.protocol', PROTOCOLS.number)
  const wanted = canonicalAddress(string(address, 'service.address'))
  if (wanted === undefined) throw invalidValue('service.address', 'an IPv4 or IPv6 address', address)
  const ports = integer(port, 'service.port', PORT)
  return ({ protocol: its, virtual }) => its === protocol && virtual.address === wanted && (ports === 0 || virtual.port === ports)
}
