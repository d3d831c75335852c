import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate as turn } from 'node:timers/promises'
import type { Director, DirectorStatus } from '../../director/index.js'
import type { Ipvs } from '../../ipvs.js'
import { MetricsWriter, type MeasuredStatus } from '../../metrics/index.js'
import { endpointWords, serviceWords } from '../../model/keys.js'

/** Looks at the table that may be missing before it counts as out of reach. */
const LOOKS = 3

/** What the answers are made of. */
export interface Served {
  director: Director
  ipvs: Ipvs
  /** Seconds between two looks at the table. */
  interval: number
  /** What did not work last, and since when, as of `Date.now()`; missing while everything does. */
  failure: () => { message: string, at: number } | undefined
  /** Why this machine is kept out of VRRP for now; `undefined` while it takes part. */
  staysOut: () => string | undefined
}

/** What stands behind a question mark may be a secret. */
const withoutQueries = (words: string): string => words.replace(/\?[^\s,]*/g, '?…')

/** Why the director is not well; `undefined` while it is. */
export function illness(
  { inForce, looked }: Pick<DirectorStatus, 'inForce' | 'looked'>,
  interval: number,
  failure?: { message: string, at: number },
): string | undefined {
  const why = failure === undefined ? '' : `: ${failure.message}`
  if (!inForce || looked === undefined) return `no configuration is in force yet${why}`
  const age = (Date.now() - looked) / 1_000
  return age <= LOOKS * interval
    ? undefined
    : `the last look at the table was ${age.toFixed(1)} s ago, and one is due every ${interval} s${why}`
}

/** The status as JSON, service by service, so that a large table holds up nothing. */
async function* statusPieces({ director, interval, failure, staysOut }: Served): AsyncGenerator<string> {
  const { services, inForce, looked, holding } = director.status()
  const ill = illness({ inForce, looked }, interval, failure())
  const time = (at: number): string => new Date(at).toISOString()
  const head = {
    healthy: ill === undefined,
    ...(ill !== undefined && { reason: ill }),
    inForce,
    ...(looked !== undefined && { looked: time(looked) }),
    ...(holding !== undefined && {
      holding: {
        ...holding,
        since: time(holding.since),
        addresses: holding.addresses.map((one) => ({ ...one, since: time(one.since) })),
        vrrp: holding.vrrp.map(({ at, ...state }) => ({ ...state, since: time(at) })),
      },
    }),
    staysOut: staysOut(),
  }
  yield `${JSON.stringify(head).slice(0, -1)},"services":[`
  let piece = ''
  for (const [index, { service, destinations, draining, ...rest }] of services.entries()) {
    piece += `${index === 0 ? '\n' : ',\n'}${JSON.stringify({
      service: serviceWords(service), ...rest,
      destinations: destinations.map(({ destination, since, check, words, ...other }) => ({
        destination: endpointWords(destination), ...other, since: time(since),
        ...check !== undefined && { check: withoutQueries(check) }, ...words !== undefined && { words: withoutQueries(words) },
      })),
      draining: draining.map(endpointWords),
    })}`
    if (piece.length < 65_536) continue
    yield piece
    piece = ''
    await turn()
  }
  yield `${piece}\n]}\n`
}

interface Page {
  status: number
  type: string
  body: () => AsyncIterable<string> | Iterable<string>
}

const text = (status: number, words: string): Page => ({ status, type: 'text/plain; charset=utf-8', body: () => [`${words}\n`] })

function pageOf(path: string, served: Served): Page {
  switch (path) {
    case '/status.json': return { status: 200, type: 'application/json; charset=utf-8', body: () => statusPieces(served) }
    case '/metrics': {
      const { ipvs, director, staysOut } = served
      const status = (): MeasuredStatus => ({ ...director.status(), staysOut: staysOut() })
      const writer = new MetricsWriter({ ipvs, director: { status, checks: () => director.checks() } })
      return { status: 200, type: writer.contentType, body: () => writer.pieces() }
    }
    case '/healthz': {
      const ill = illness(served.director.status(), served.interval, served.failure())
      return ill === undefined ? text(200, 'ok') : text(503, ill)
    }
    default: return text(404, 'There are /status.json, /metrics and /healthz')
  }
}

/** Sends a page. What fails before its first piece is told; after that the connection is all that can be closed. */
async function send({ status, type, body }: Page, isHead: boolean, response: ServerResponse): Promise<void> {
  const head = { 'content-type': type, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }
  if (isHead) {
    response.writeHead(status, head).end()
    return
  }
  const pieces = (async function* () {
    for await (const piece of body()) {
      if (!response.headersSent) response.writeHead(status, head)
      yield piece
    }
  })()
  try {
    await pipeline(Readable.from(pieces), response)
  } catch (error) {
    if (!response.headersSent && !response.destroyed) response.writeHead(503, { 'content-type': 'text/plain; charset=utf-8' }).end(`${(error as Error).message}\n`)
    else response.destroy()
  }
}

/** Serves what is known of a director over HTTP, for reading only. */
export class Web {
  readonly #server: Server
  #served: Served | undefined

  private constructor() {
    this.#server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000, keepAliveTimeout: 5_000 }, (request, response) =>
      this.#answer(request, response),
    )
    this.#server.maxConnections = 100
  }

  /**
   * Listens. Until there is a director, everything is answered with 503.
   *
   * @throws Error with the system's code: 'EADDRINUSE', 'EACCES', 'EADDRNOTAVAIL'
   */
  static async listen(host: string, port: number): Promise<Web> {
    const web = new Web()
    await new Promise<void>((resolve, reject) => web.#server.once('error', reject).listen(port, host, resolve))
    web.#server.on('error', () => {})
    return web
  }

  /** Where it listens: '127.0.0.1:9102'. */
  get place(): string {
    return endpointWords(this.#server.address() as AddressInfo)
  }

  serve(served: Served): void {
    this.#served = served
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { method } = request
    const [path] = (request.url ?? '').split('?')
    if (method !== 'GET' && method !== 'HEAD') {
      response
        .writeHead(405, { 'content-type': 'text/plain; charset=utf-8', allow: 'GET, HEAD', connection: 'close' })
        .end('Only GET and HEAD are answered\n')
      return
    }
    const page = this.#served === undefined ? text(503, 'the director is starting') : pageOf(path, this.#served)
    // Everything that can go wrong is answered in there.
    void send(page, method === 'HEAD', response)
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }
}
