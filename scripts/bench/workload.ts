import { isDeepStrictEqual } from 'node:util'
import type { Counted, Destination, ListedTable, Operation, ServiceKey } from 'ipvs'

/** How large a table is. */
export interface Shape {
  services: number
  /** Of each service. */
  destinations: number
}

/** What is done to every entry of a table. */
export type Verb = 'add' | 'update' | 'remove'
export const verbs: readonly Verb[] = ['add', 'update', 'remove']

/** How many rules a table of that shape takes: a service is one, and so is a destination. */
export const rulesOf = ({ services, destinations }: Shape): number => services * (1 + destinations)

export const formatShape = ({ services, destinations }: Shape): string =>
  `${services.toLocaleString('en')} × ${destinations.toLocaleString('en')}`

const dotted = (address: number): string => `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`

// The same table as reference.c's, entry by entry.
const serviceAddress = (index: number): string => dotted(0x0a000000 + index)
const destinationAddress = (index: number): string => dotted(0xac100001 + index)

export const serviceKey = (index: number): ServiceKey & { address: string } =>
  ({ protocol: 'tcp', address: serviceAddress(index), port: 80 })

export const destination = (index: number, weight: number): Destination => ({
  address: destinationAddress(index), port: 8080, forward: 'nat', weight, upperThreshold: 0, lowerThreshold: 0, tunnel: null,
})

/** The weight that each verb leaves destinations with; it is how a read back tells the one from the other. */
export const weightAfter = { add: 1, update: 2 } as const

const service = (index: number) => ({
  ...serviceKey(index), scheduler: 'rr', schedulerFlags: [], onePacket: false, persistence: null, persistenceEngine: null,
})

export function serviceOperation(verb: Verb, index: number): Operation {
  switch (verb) {
    case 'add': return { type: 'addService', service: service(index) }
    case 'update': return { type: 'updateService', service: service(index) }
    case 'remove': return { type: 'removeService', service: serviceKey(index) }
  }
}

export function destinationOperation(verb: Verb, key: ServiceKey, index: number): Operation {
  switch (verb) {
    case 'add': return { type: 'addDestination', service: key, destination: destination(index, weightAfter.add) }
    case 'update': return { type: 'updateDestination', service: key, destination: destination(index, weightAfter.update) }
    case 'remove': return { type: 'removeDestination', service: key, destination: { address: destinationAddress(index), port: 8080 } }
  }
}

/** Every operation that it takes to do something to a whole table, made as they are asked for. */
export function* operations(verb: Verb, { services, destinations }: Shape): Generator<Operation, void, undefined> {
  for (let s = 0; s < services; s++) {
    const key = serviceKey(s)
    if (verb !== 'remove') yield serviceOperation(verb, s)
    for (let d = 0; d < destinations; d++) yield destinationOperation(verb, key, d)
    if (verb === 'remove') yield serviceOperation(verb, s)
  }
}

/** The table as lines that `ipvsadm -R` reads, or that follow `ipvsadm` on a command line. */
export function* ipvsadmLines({ services, destinations }: Shape): Generator<string, void, undefined> {
  for (let s = 0; s < services; s++) {
    yield `-A -t ${serviceAddress(s)}:80 -s rr`
    for (let d = 0; d < destinations; d++) yield `-a -t ${serviceAddress(s)}:80 -r ${destinationAddress(d)}:8080 -m -w ${weightAfter.add}`
  }
}

/** A table with nothing in it. */
export const empty: Shape = { services: 0, destinations: 0 }

/**
 * Makes sure that the kernel's table is the one that was asked for: every service, every destination, no other, each as configured. The
 * kernel lists them in an order of its own.
 *
 * @throws Error naming the first difference
 */
export function verify(listed: Pick<ListedTable, 'services'>, { services, destinations }: Shape, weight: number): void {
  const expect = (actual: unknown, expected: unknown, what: string): void => {
    if (!isDeepStrictEqual(actual, expected)) {
      throw new Error(`the table is not what was asked for: ${what} is ${JSON.stringify(actual)}, expected ${JSON.stringify(expected)}`)
    }
  }
  expect(listed.services.length, services, 'the number of services')
  const missing = new Set(Array.from({ length: services }, (_, i) => serviceAddress(i)))
  for (const entry of listed.services) {
    const address = 'address' in entry ? entry.address : ''
    if (!missing.delete(address)) {
      throw new Error(`the table is not what was asked for: service ${address} is listed twice, or was never added`)
    }
    const { scheduler, schedulerFlags, onePacket, persistence, persistenceEngine } = entry
    expect({
      ...serviceKey(0), address, scheduler, schedulerFlags, onePacket, persistence, persistenceEngine,
    }, { ...service(0), address }, `service ${address}`)
    expect(entry.destinations.length, destinations, `the number of destinations of ${address}`)
    const missingHere = new Set(Array.from({ length: destinations }, (_, i) => destinationAddress(i)))
    for (const d of entry.destinations) {
      const sound = missingHere.delete(d.address) && d.port === 8080 && d.weight === weight && d.forward === 'nat'
        && d.upperThreshold === 0 && d.lowerThreshold === 0
      if (!sound) {
        throw new Error(
          `the table is not what was asked for: destination ${d.address}:${d.port} of ${address}, ${d.forward}, weight ${d.weight} (${weight} expected)`,
        )
      }
    }
  }
}

const sumOfCounters = ({ stats, rates }: Counted): number =>
  Number(stats.connections) + Number(stats.inPackets) + Number(stats.outPackets) + Number(stats.inBytes) + Number(stats.outBytes)
  + rates.connections + rates.inPackets + rates.outPackets + rates.inBytes + rates.outBytes

/** Reads and adds up every field of a listing, as a program would that makes use of all of it. */
export function sumOfEveryField({ services }: Pick<ListedTable, 'services'>): number {
  let sum = 0
  for (const s of services) {
    sum += 'address' in s ? s.address.length + s.port + s.protocol.length : s.fwmark + s.family
    sum += s.scheduler.length + s.schedulerFlags.length + Number(s.onePacket)
      + (s.persistence?.timeout ?? 0) + (s.persistence?.prefixLength ?? 0)
    sum += (s.persistenceEngine?.length ?? 0) + sumOfCounters(s)
    for (const d of s.destinations) {
      sum += d.address.length + d.port + d.forward.length + d.weight + d.upperThreshold + d.lowerThreshold + (d.tunnel?.port ?? 0)
      sum += d.activeConnections + d.inactiveConnections + d.persistentConnections + sumOfCounters(d)
    }
  }
  return sum
}
