import type { Ipvs } from '../ipvs.js'
import { destinationId, hasMark, keyOf, serviceId } from '../model/keys.js'
import type { DestinationKey, ListedDestination, ListedTableService, ServiceKey } from '../model/types.js'

/** So many connections are remembered one by one: enough to tell that a destination does not answer. */
const MOST_REMEMBERED = 10_000

const HANDSHAKE = 'SYN_RECV'
/** Seconds that the kernel remembers a handshake after its last packet. No setting changes it. */
const REMEMBERED = 60
/** Seconds since the last packet of a handshake after which its client may have given up: it comes after 1, 2, 4, 8, 16 and 32 seconds. */
const TRIED = 10
/** Connections in these states say nothing: one that was reset, one that is nothing yet. */
const SILENT = new Set(['CLOSE', 'NONE', HANDSHAKE])

/** The TCP connections of one destination of one service, at one moment. */
interface Connections {
  /** Clients whose handshake is not over, by 'address port', and whether they sent something a short time ago. */
  readonly handshakes: Map<string, { address: string, isTried: boolean }>
  /** Clients whose handshake is over. */
  readonly served: Set<string>
  servedCount: number
}

/** Connections of all destinations, by service and destination. */
export type Moment = ReadonlyMap<string, Connections>

const idOf = (service: ServiceKey, destination: DestinationKey): string => `${serviceId(service)} ${destinationId(destination)}`

/** Reads the TCP connections of services that are recognised by their addresses; the kernel does not say which mark one came by. */
export async function readMoment(ipvs: Ipvs, services: readonly ListedTableService[]): Promise<Moment> {
  const moment = new Map<string, Connections>()
  const known = new Set(services.map((service) => serviceId(service)))
  for await (const { protocol, client, virtual, destination, state, expires } of ipvs.connections()) {
    if (protocol !== 'tcp' || client.port === 0) continue
    const exact = { protocol, ...virtual } as const
    const service = known.has(serviceId(exact)) ? exact : { ...exact, port: 0 }
    const id = idOf(service, destination)
    let connections = moment.get(id)
    if (!connections) moment.set(id, connections = { handshakes: new Map(), served: new Set(), servedCount: 0 })
    const end = `${client.address} ${client.port}`
    if (state === HANDSHAKE) {
      if (connections.handshakes.size < MOST_REMEMBERED) {
        connections.handshakes.set(end, { address: client.address, isTried: expires > REMEMBERED - TRIED })
      }
    } else if (!SILENT.has(state)) {
      connections.servedCount++
      if (connections.served.size < MOST_REMEMBERED) connections.served.add(end)
    }
  }
  return moment
}

/** A destination of a service, with what happened to it from one look to the next. */
export interface Watched {
  service: ListedTableService
  destination: ListedDestination
  breaks: { service: ServiceKey, destination: DestinationKey }
  /** Addresses of the clients whose handshake had not ended at either look, once for each connection. */
  stuck: string[]
  /** Whether a client of those still tries. If none does, what made them hang may be mended since. */
  isTried: boolean
  /** How many connections were served at the last look. */
  served: number
  /** Whether a handshake came to its end between the looks. */
  progressed: boolean
  /** Packets that came and went between the looks. */
  inPackets: bigint
  outPackets: bigint
}

/** Puts two looks together. */
export function watched(
  services: readonly ListedTableService[],
  earlier: readonly ListedTableService[],
  before: Moment,
  after: Moment,
): Watched[] {
  const counted = new Map(
    earlier.flatMap((service) => service.destinations.map((destination) => [idOf(service, destination), destination.stats])),
  )
  return services.flatMap((service) =>
    service.destinations.map((destination) => {
      const id = idOf(service, destination)
      const [first, last] = [before.get(id), after.get(id)]
      const stats = counted.get(id)
      const stuck = [...(last?.handshakes ?? [])].filter(([end]) => first?.handshakes.has(end)).map(([, handshake]) => handshake)
      return {
        service,
        destination,
        breaks: { service: keyOf(service), destination: { address: destination.address, port: destination.port } },
        stuck: stuck.map(({ address }) => address),
        isTried: stuck.some(({ isTried }) => isTried),
        served: last?.servedCount ?? 0,
        progressed: [...(last?.served ?? [])].some((end) => !first?.served.has(end)),
        inPackets: destination.stats.inPackets - (stats?.inPackets ?? 0n),
        outPackets: destination.stats.outPackets - (stats?.outPackets ?? 0n),
      }
    }),
  )
}

/** Whether a service is recognised by an address, and by which. */
export const addressOf = (service: ServiceKey): string | undefined => hasMark(service) ? undefined : service.address
