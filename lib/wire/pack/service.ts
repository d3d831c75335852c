import { maskOfPrefix, parseAddress, parseMask, prefixOfMask } from '../../model/address.js'
import {
  boolean, countOf, integer, name, object, oneOf, onlyKnown, property, refuseUnknown, string, type Known, type Properties,
} from '../../arguments/validate.js'
import { conflict, incomplete, invalidType, invalidValue } from '../../model/errors.js'
import {
  DEFAULTS, FIREWALL_MARK, PERSISTENCE_ENGINE_NAME_LENGTH, PERSISTENCE_TIMEOUT, PORT, PREFIX_LENGTH_4, PREFIX_LENGTH_6,
  SCHEDULER_NAME_LENGTH,
} from '../../model/limits.js'
import {
  ADDRESS, ENGINE, ENGINE_LENGTH, FAMILY, FLAGS, FLAGS_MASK, FWMARK, NETMASK, PORT as SERVICE_PORT, PRESENT, PROTOCOL, SCHEDULER,
  SCHEDULER_LENGTH, TIMEOUT,
} from '../fields/service.js'
import { bits, records } from '../layout.js'
import {
  AF_INET, AF_INET6, CONFIGURABLE_FLAGS, NAMED_SCHEDULER_FLAGS, ONE_PACKET, PERSISTENT, PROTOCOLS, SCHEDULER_FLAGS,
} from '../../model/vocabulary.js'
import type { Requests } from './requests.js'
import { writeText } from './text.js'

/** Bytes of a service's key and of its configuration in a request. */
export const SERVICE_KEY_SIZE = records.service.keySize
export const SERVICE_SIZE = records.service.requestSize

const ADDRESS_KEY = bits('service', 'family', 'protocol', 'port', 'address')
const FIREWALL_MARK_KEY = bits('service', 'family', 'fwmark')
const CONFIGURATION = bits('service', 'flags', 'flagsMask', 'timeout', 'netmask', 'scheduler')
const WITH_ENGINE = bits('service', 'persistenceEngine')

const KEY_NAMES = ['protocol', 'address', 'port', 'fwmark', 'family']
const NAMES = [...KEY_NAMES, 'scheduler', 'schedulerFlags', 'onePacket', 'persistence', 'persistenceEngine', 'stats', 'rates']

const SERVICE: Known = {
  what: 'a service',
  names: new Set(NAMES),
  hints: { destinations: 'is not set through its service: use addDestination, or leave it out' },
}

/** Any description of a service is accepted as a key, including a listed service and one with destinations. */
const WITH_DESTINATIONS: Known = { what: 'a service', names: new Set([...NAMES, 'destinations']) }

const PERSISTENCE: Known = { what: 'persistence', names: new Set(['timeout', 'prefixLength', 'netmask']) }

const FAMILIES = 'the number 4 or 6'

/** Equal to no given value, not even `undefined`: the first key never matches a previous one. */
const NOTHING = Symbol('nothing')

/** Number of properties of the last key. */
let keyProperties = 0

/**
 * The last key with an address. The destinations of a service usually come one after another, and comparing three values costs a fraction
 * of validating them.
 */
const last = {
  protocol: NOTHING as unknown,
  address: NOTHING as unknown,
  port: NOTHING as unknown,
  words: new Uint32Array(SERVICE_KEY_SIZE / 4),
}

function writeFirewallMarkKey(requests: Requests, at: number, service: Properties, fwmark: unknown): number {
  requests.u32[(at >> 2) + FWMARK] = integer(fwmark, 'service.fwmark', FIREWALL_MARK)
  for (const other of ['protocol', 'address', 'port']) {
    if (service[other] === undefined) continue
    throw conflict(`service.${other}`, 'does not go with service.fwmark: a service has an address or a firewall mark')
  }
  const { family } = service
  if (family !== 4 && family !== 6) {
    throw (typeof family === 'number' ? invalidValue : invalidType)('service.family', FAMILIES, family)
  }
  const { u16 } = requests
  const at2 = at >> 1
  u16[at2 + FAMILY] = family === 4 ? AF_INET : AF_INET6
  u16[at2 + PROTOCOL] = 0
  u16[at2 + SERVICE_PORT] = 0
  requests.u8.fill(0, at + ADDRESS, at + ADDRESS + 16)
  requests.u32[(at >> 2) + PRESENT] = FIREWALL_MARK_KEY
  keyProperties = 2
  return FIREWALL_MARK_KEY
}

function writeKey(requests: Requests, at: number, service: Properties): number {
  const fwmark = property(service, 'fwmark')
  if (fwmark !== undefined) return writeFirewallMarkKey(requests, at, service, fwmark)
  const protocol = property(service, 'protocol')
  const address = property(service, 'address')
  const port = property(service, 'port')
  const { u8, u16, u32 } = requests
  const at2 = at >> 1
  u16[at2 + PROTOCOL] = protocol === 'tcp' ? 6 : oneOf(protocol, 'service.protocol', PROTOCOLS.number)
  u16[at2 + SERVICE_PORT] = integer(port, 'service.port', PORT)
  const family = parseAddress(string(address, 'service.address', 'IPv4 or IPv6 address text'), u8, at + ADDRESS)
  if (family === 0) throw invalidValue('service.address', 'an IPv4 or IPv6 address (without leading zeros, zone or prefix length)', address)
  const given = property(service, 'family')
  if (given !== undefined && given !== family) {
    throw conflict('service.family', `is that of a firewall-mark service; service.address is IPv${family} by itself`)
  }
  u16[at2 + FAMILY] = family === 4 ? AF_INET : AF_INET6
  const at4 = at >> 2
  u32[at4 + FWMARK] = 0
  u32[at4 + PRESENT] = ADDRESS_KEY
  last.protocol = protocol
  last.address = address
  last.port = port
  for (let i = 0; i < last.words.length; i++) last.words[i] = u32[at4 + i]
  keyProperties = 3
  return ADDRESS_KEY
}

/** Writes a service's key. */
export function writeServiceKey(requests: Requests, at: number, value: unknown): void {
  const service = object(value, 'service')
  const { u32 } = requests
  const { words } = last
  const at4 = at >> 2
  const repeated = service.address === last.address && Object.is(service.port, last.port) && service.protocol === last.protocol
  if (repeated && countOf(service) === 3) {
    for (let i = 0; i < words.length; i++) u32[at4 + i] = words[i]
    return
  }
  writeKey(requests, at, service)
  onlyKnown(service, keyProperties, 'service', WITH_DESTINATIONS)
}

/** Family of the service whose record is at `at`: 4 or 6. */
export const familyAt = (requests: Requests, at: number): 4 | 6 => requests.u16[(at >> 1) + FAMILY] === AF_INET ? 4 : 6

/** Port of the service whose record is at `at`, or -1 for a firewall-mark service, which has none. */
export const portAt = (requests: Requests, at: number): number =>
  requests.u32[(at >> 2) + PRESENT] === FIREWALL_MARK_KEY ? -1 : requests.u16[(at >> 1) + SERVICE_PORT]

/** The bits of scheduler flags given by name. */
function schedulerFlags(value: unknown, scheduler: string): number {
  if (!Array.isArray(value)) throw invalidType('service.schedulerFlags', 'an array of strings', value)
  let flags = 0
  for (let i = 0; i < value.length; i++) {
    const field = `service.schedulerFlags[${i}]`
    const flag = string(value[i], field)
    const named = NAMED_SCHEDULER_FLAGS.get(scheduler)?.number
    const bit = named?.get(flag) ?? SCHEDULER_FLAGS.number.get(flag)
    if (bit === undefined) {
      const allowed = [...named?.keys() ?? [], ...SCHEDULER_FLAGS.number.keys()].map((word) => `'${word}'`).join(', ')
      throw invalidValue(field, `one of ${allowed} with scheduler '${scheduler}'`, flag)
    }
    flags |= bit
  }
  return flags
}

/** The mask in the kernel's form: a netmask in host order for IPv4, a prefix length for IPv6. */
function persistenceMask(persistence: Properties, family: 4 | 6, complete: boolean): number {
  const { prefixLength, netmask } = persistence
  if (prefixLength === undefined && netmask === undefined) {
    if (complete) {
      throw invalidType('service.persistence.prefixLength', 'an integer (or service.persistence.netmask given instead)', undefined)
    }
    return family === 4 ? maskOfPrefix(32) : 128
  }
  const length = prefixLength === undefined ? undefined
    : integer(prefixLength, 'service.persistence.prefixLength', family === 4 ? PREFIX_LENGTH_4 : PREFIX_LENGTH_6)
  if (netmask === undefined) return family === 4 ? maskOfPrefix(length!) : length!
  const text = string(netmask, 'service.persistence.netmask', 'IPv4 netmask text')
  if (family === 6) throw conflict('service.persistence.netmask', 'is for IPv4: an IPv6 service takes service.persistence.prefixLength')
  const mask = parseMask(text)
  if (mask === undefined) throw invalidValue('service.persistence.netmask', 'an IPv4 netmask like 255.255.255.0', netmask)
  if (length !== undefined && prefixOfMask(mask) !== length) {
    throw conflict('service.persistence.netmask', `'${text}' contradicts service.persistence.prefixLength ${length}: give one of them`)
  }
  return mask
}

/** The last valid scheduler name. */
let lastScheduler: string = DEFAULTS.scheduler

/**
 * Writes a service's configuration. A missing property gets its default, or is refused if the configuration must be `complete`.
 *
 * @param withDestinations whether the service may have destinations, which are ignored
 */
export function writeService(requests: Requests, at: number, value: unknown, complete: boolean, withDestinations = false): void {
  const service = object(value, 'service')
  let present = writeKey(requests, at, service) | CONFIGURATION
  let read = keyProperties
  const { u8, u32 } = requests
  const at4 = at >> 2
  const family = familyAt(requests, at)

  let flags = 0
  let timeout = 0
  let mask = family === 4 ? maskOfPrefix(32) : 128

  const scheduler = property(service, 'scheduler')
  const named = property(service, 'schedulerFlags')
  const onePacket = property(service, 'onePacket')
  const persistence = property(service, 'persistence')
  const persistenceEngine = property(service, 'persistenceEngine')
  const isWhole = scheduler !== undefined && named !== undefined && onePacket !== undefined
    && persistence !== undefined && persistenceEngine !== undefined
  if (complete && !isWhole) throw incomplete('service', { scheduler, schedulerFlags: named, onePacket, persistence, persistenceEngine })

  if (scheduler !== undefined) {
    if (scheduler !== lastScheduler) lastScheduler = name(scheduler, 'service.scheduler', SCHEDULER_NAME_LENGTH)
    read++
  }
  const schedulerName = (scheduler ?? DEFAULTS.scheduler) as string
  writeText(u8, at + SCHEDULER, SCHEDULER_LENGTH, schedulerName)

  if (named !== undefined) {
    flags |= schedulerFlags(named, schedulerName)
    read++
  }
  if (onePacket !== undefined) {
    if (boolean(onePacket, 'service.onePacket')) flags |= ONE_PACKET
    read++
  }
  if (persistence !== undefined) {
    read++
    if (persistence !== null) {
      const given = object(persistence, 'service.persistence')
      refuseUnknown(given, 'service.persistence', PERSISTENCE)
      flags |= PERSISTENT
      timeout = given.timeout === undefined && !complete
        ? DEFAULTS.persistenceTimeout
        : integer(given.timeout, 'service.persistence.timeout', PERSISTENCE_TIMEOUT)
      mask = persistenceMask(given, family, complete)
    }
  }
  if (persistenceEngine !== undefined) {
    read++
    if (persistenceEngine !== null) {
      writeText(u8, at + ENGINE, ENGINE_LENGTH, name(persistenceEngine, 'service.persistenceEngine', PERSISTENCE_ENGINE_NAME_LENGTH))
      present |= WITH_ENGINE
    }
  }

  u32[at4 + FLAGS] = flags
  u32[at4 + FLAGS_MASK] = CONFIGURABLE_FLAGS
  u32[at4 + TIMEOUT] = timeout
  u32[at4 + NETMASK] = mask
  u32[at4 + PRESENT] = present
  if (withDestinations && property(service, 'destinations') !== undefined) read++
  onlyKnown(service, read, 'service', withDestinations ? WITH_DESTINATIONS : SERVICE)
}
