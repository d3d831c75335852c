import { canonicalAddress } from '../model/address.js'
import { object, refuseUnknown, type Known } from '../arguments/validate.js'
import { conflict } from '../model/errors.js'
import type { AddressServiceKey } from '../model/types.js'
import type { NativeHandle } from '../wire/addon.js'
import { Requests } from '../wire/pack/requests.js'
import { SERVICE_KEY_SIZE, writeServiceKey } from '../wire/pack/service.js'
import { connectionOf, connectionsFile, identity, isTitle, originOf, originsFile, words } from './connection-line.js'
import { readPieces, readPiecesSync, type NamespaceFile } from './namespace-file.js'
import type { Connection, ConnectionFilter } from './types.js'

const file = (name: string): NamespaceFile => ({ path: `/proc/thread-self/net/${name}`, operation: { type: 'connections' } })

const FILTER: Known = { what: 'the options of connections', names: new Set(['service']) }

/**
 * Lists the connections that match. Combines two files: it first reads and keeps the data of persistence engines, which few connections
 * have. Then it streams all connections with their origin, so that memory does not grow with the table.
 *
 * The filter is checked at once. The files are opened when the first connection is asked for. If a list is abandoned before its end, its
 * file is closed when the list is garbage-collected.
 *
 * @param open returns the handle, or throws if it is closed
 */
export function connections(open: () => NativeHandle, filter?: ConnectionFilter): AsyncGenerator<Connection, void, undefined> {
  const matches = matcher(filter)
  const reading: Reading<AsyncGenerator<string>> = {}
  const list = listed(open, matches, reading)
  dropped.register(list, reading)
  return list
}

async function* listed(
  open: () => NativeHandle, matches: Matcher, reading: Reading<AsyncGenerator<string>>,
): AsyncGenerator<Connection, void, undefined> {
  const engines = new Engines()
  const first = new Lines()
  for await (const piece of reading.pieces = readPieces(open(), file(connectionsFile))) {
    for (const line of first.take(piece)) engines.note(line)
  }
  const second = new Lines()
  for await (const piece of reading.pieces = readPieces(open(), file(originsFile))) {
    for (const line of second.take(piece)) {
      const connection = engines.complete(line)
      if (matches(connection)) yield connection
    }
  }
}

/** The same on the calling thread. */
export function connectionsSync(open: () => NativeHandle, filter?: ConnectionFilter): Generator<Connection, void, undefined> {
  const matches = matcher(filter)
  const reading: Reading<Generator<string>> = {}
  const list = listedSync(open, matches, reading)
  dropped.register(list, reading)
  return list
}

function* listedSync(
  open: () => NativeHandle, matches: Matcher, reading: Reading<Generator<string>>,
): Generator<Connection, void, undefined> {
  const engines = new Engines()
  const first = new Lines()
  for (const piece of reading.pieces = readPiecesSync(open(), file(connectionsFile))) {
    for (const line of first.take(piece)) engines.note(line)
  }
  const second = new Lines()
  for (const piece of reading.pieces = readPiecesSync(open(), file(originsFile))) {
    for (const line of second.take(piece)) {
      const connection = engines.complete(line)
      if (matches(connection)) yield connection
    }
  }
}

/** The file that a list is reading. It must not refer to the list, because the list could then never be garbage-collected. */
interface Reading<Pieces> { pieces?: Pieces }

/** Closes the files of abandoned lists. An abandoned generator never runs its `finally`, so its file's generator is ended instead. */
const dropped = new FinalizationRegistry<Reading<Generator<string> | AsyncGenerator<string>>>(({ pieces }) => {
  void pieces?.return(undefined)
})

/** Splits pieces of text into lines of words, without the title. */
class Lines {
  #rest = ''

  take(piece: string): string[][] {
    const lines = (this.#rest + piece).split('\n')
    this.#rest = lines.pop()!
    return lines.filter((line) => !isTitle(line)).map((line) => words(line.trimEnd()))
  }
}

/** The data of persistence engines, by connection. */
class Engines {
  readonly #known = new Map<string, string[]>()

  note(line: string[]): void {
    if (line.length > 9) this.#known.set(identity(line), line.slice(9))
  }

  /** Reads a connection from a line with the origin, and adds the persistence engine's data. */
  complete(line: string[]): Connection {
    const engine = this.#known.get(identity(line)) ?? []
    return connectionOf([...line.slice(0, 8), line[9], ...engine], originOf(line))
  }
}

type Matcher = (connection: Connection) => boolean

/** Checks a filter and turns it into a predicate. */
function matcher(filter: ConnectionFilter | undefined): Matcher {
  if (filter === undefined) return () => true
  refuseUnknown(object(filter, 'options'), 'options', FILTER)
  const { service } = filter
  if (service === undefined) return () => true
  // Writing the key validates it.
  writeServiceKey(new Requests(SERVICE_KEY_SIZE), 0, service)
  const { fwmark, protocol, address, port } = service as AddressServiceKey & { fwmark?: unknown }
  if (fwmark !== undefined) throw conflict('service.fwmark', 'is not known of a connection: the kernel does not list it')
  const wanted = canonicalAddress(address)
  return ({ protocol: its, virtual }) => its === protocol && virtual.address === wanted && (port === 0 || virtual.port === port)
}
