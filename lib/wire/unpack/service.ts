import { formatIPv4, formatIPv6, formatMask, prefixOfMask } from '../../model/address.js'
import {
  ADDRESS, ENGINE, ENGINE_LENGTH, FAMILY, FLAGS, FWMARK, NETMASK, PORT, PRESENT, PROTOCOL, SCHEDULER, SCHEDULER_LENGTH, TIMEOUT,
} from '../fields/service.js'
import { bits, records } from '../layout.js'
import type { ListedService, Persistence, Protocol, Service, ServiceKey } from '../../model/types.js'
import { AF_INET, NAMED_SCHEDULER_FLAGS, ONE_PACKET, PERSISTENT, PROTOCOLS, SCHEDULER_FLAGS } from '../../model/vocabulary.js'
import { counterLayout, isStill, readRates, readStatistics } from './counters.js'
import { readText, readWord, type ListingView, type View } from './reply.js'

/** Bytes of a listed service. */
export const LISTED_SERVICE_SIZE = records.service.size

const COUNTERS = counterLayout('service')

const HAS_FIREWALL_MARK = bits('service', 'fwmark')
const HAS_ENGINE = bits('service', 'persistenceEngine')

const ALL_SCHEDULER_FLAGS = [...SCHEDULER_FLAGS.word.keys()].reduce((mask, bit) => mask | bit)

/** Family of the service at `at`. */
export const readServiceFamily = (view: View, at: number): 4 | 6 => view.u16[(at >>> 1) + FAMILY] === AF_INET ? 4 : 6

/** Reads the key of the service at `at`. */
export function readServiceKey(view: View, at: number): ServiceKey {
  const at2 = at >>> 1
  const family = readServiceFamily(view, at)
  if (view.u32[(at >>> 2) + PRESENT] & HAS_FIREWALL_MARK) return { fwmark: view.u32[(at >>> 2) + FWMARK], family }
  const protocol = view.u16[at2 + PROTOCOL]
  return {
    // A number is a protocol that another program set and that the kernel does not balance.
    protocol: PROTOCOLS.word.get(protocol) ?? protocol as unknown as Protocol,
    address: family === 4 ? formatIPv4(view.u8, at + ADDRESS) : formatIPv6(view.u8, at + ADDRESS),
    port: view.u16[at2 + PORT],
  }
}

/** The names of the set scheduler flags. */
function schedulerFlags(flags: number, scheduler: string): string[] {
  if ((flags & ALL_SCHEDULER_FLAGS) === 0) return []
  const names = NAMED_SCHEDULER_FLAGS.get(scheduler)?.word
  const set: string[] = []
  for (const [bit, name] of SCHEDULER_FLAGS.word) if (flags & bit) set.push(names?.get(bit) ?? name)
  return set
}

function persistence(view: View, at: number): Persistence {
  const timeout = view.u32[(at >>> 2) + TIMEOUT]
  const mask = view.u32[(at >>> 2) + NETMASK]
  if (view.u16[(at >>> 1) + FAMILY] !== AF_INET) return { timeout, prefixLength: mask }
  const prefixLength = prefixOfMask(mask)
  // A mask whose bits are not contiguous has no length. The property is missing only in this case.
  return prefixLength === undefined ? { timeout, netmask: formatMask(mask) } as Persistence : { timeout, prefixLength }
}

/** Reads the configuration of the service at `at`. */
export function readService(view: View, at: number): Service {
  const flags = view.u32[(at >>> 2) + FLAGS]
  const scheduler = readWord(view.u8, at + SCHEDULER, SCHEDULER_LENGTH)
  const present = view.u32[(at >>> 2) + PRESENT]
  const named = schedulerFlags(flags, scheduler)
  const onePacket = (flags & ONE_PACKET) !== 0
  const affinity = flags & PERSISTENT ? persistence(view, at) : null
  const persistenceEngine = present & HAS_ENGINE ? readText(view.u8, at + ENGINE, ENGINE_LENGTH) : null
  const key = readServiceKey(view, at)
  return 'fwmark' in key
    ? { fwmark: key.fwmark, family: key.family, scheduler, schedulerFlags: named, onePacket, persistence: affinity, persistenceEngine }
    : {
        protocol: key.protocol, address: key.address, port: key.port,
        scheduler, schedulerFlags: named, onePacket, persistence: affinity, persistenceEngine,
      }
}

/** Whether the kernel's averages show no traffic through the listed service at `at`. */
export const isServiceStill = (view: View, at: number): boolean => isStill(view, at, COUNTERS)

/** Reads a listed service. */
export function readListedService(reply: ListingView, at: number): ListedService {
  const service = readService(reply, at) as ListedService
  service.stats = readStatistics(reply, at, COUNTERS)
  service.rates = readRates(reply, at, COUNTERS)
  return service
}

/** Name of the scheduler in a packed service. */
export const readScheduler = (view: View, at: number): string => readText(view.u8, at + SCHEDULER, SCHEDULER_LENGTH)

/** Name of the persistence engine in a packed service, or `null`. */
export const readEngine = (view: View, at: number): Service['persistenceEngine'] =>
  view.u32[(at >>> 2) + PRESENT] & HAS_ENGINE ? readText(view.u8, at + ENGINE, ENGINE_LENGTH) : null
