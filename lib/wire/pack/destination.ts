import { parseAddress } from '../../model/address.js'
import { integer, object, oneOf, onlyKnown, refuseUnknown, string, type Known, type Properties } from '../../arguments/validate.js'
import { conflict, incomplete, invalidValue, outOfRange } from '../../model/errors.js'
import { DEFAULTS, LISTENING_PORT, PORT, THRESHOLD, WEIGHT } from '../../model/limits.js'
import {
  ADDRESS, FAMILY, FORWARD, LOWER_THRESHOLD, PORT as DESTINATION_PORT, PRESENT, TUNNEL_FLAGS, TUNNEL_PORT, TUNNEL_TYPE,
  UPPER_THRESHOLD, WEIGHT as DESTINATION_WEIGHT,
} from '../fields/destination.js'
import { bits, records } from '../layout.js'
import { AF_INET, AF_INET6, CHECKSUMS, CHECKSUMS_OF, FORWARDING_METHODS, TUNNEL_TYPES } from '../../model/vocabulary.js'
import type { Requests } from './requests.js'
import { familyAt, portAt, SERVICE_KEY_SIZE, writeServiceKey } from './service.js'

/** Bytes of a service's key and a destination in a request. */
export const DESTINATION_REQUEST_SIZE = SERVICE_KEY_SIZE + records.destination.requestSize

const KEY = bits('destination', 'family', 'port', 'address')
const CONFIGURATION = KEY | bits('destination', 'forward', 'weight', 'upperThreshold', 'lowerThreshold')
const TUNNEL = bits('destination', 'tunnelType', 'tunnelPort', 'tunnelFlags')

const DESTINATION: Known = {
  what: 'a destination',
  names: new Set([
    'address', 'port', 'forward', 'weight', 'upperThreshold', 'lowerThreshold', 'tunnel',
    'activeConnections', 'inactiveConnections', 'persistentConnections', 'stats', 'rates',
  ]),
}

const TUNNEL_PROPERTIES: Known = { what: 'a tunnel', names: new Set(['type', 'port', 'checksum']) }

const NAT = FORWARDING_METHODS.number.get('nat')!
const TUN = FORWARDING_METHODS.number.get('tun')!
const DR = FORWARDING_METHODS.number.get('dr')!

/** Writes address and port. Returns the address's family. */
function writeKey(requests: Requests, at: number, destination: Properties): 4 | 6 {
  const { address, port } = destination
  const family = parseAddress(string(address, 'destination.address', 'IPv4 or IPv6 address text'), requests.u8, at + ADDRESS)
  if (family === 0) {
    throw invalidValue('destination.address', 'an IPv4 or IPv6 address (without leading zeros, zone or prefix length)', address)
  }
  const at2 = at >> 1
  requests.u16[at2 + FAMILY] = family === 4 ? AF_INET : AF_INET6
  requests.u16[at2 + DESTINATION_PORT] = integer(port, 'destination.port', PORT)
  return family
}

function writeTunnel(requests: Requests, at: number, value: unknown, complete: boolean): void {
  const { u8, u16 } = requests
  const at2 = at >> 1
  if (value === undefined || value === null) {
    u8[at + TUNNEL_TYPE] = u16[at2 + TUNNEL_PORT] = u16[at2 + TUNNEL_FLAGS] = 0
    return
  }
  const tunnel = object(value, 'destination.tunnel')
  refuseUnknown(tunnel, 'destination.tunnel', TUNNEL_PROPERTIES)
  const type = (tunnel.type === undefined && !complete ? DEFAULTS.tunnelType : tunnel.type) as keyof typeof CHECKSUMS_OF
  u8[at + TUNNEL_TYPE] = oneOf(type, 'destination.tunnel.type', TUNNEL_TYPES.number)
  if (type === 'gue') u16[at2 + TUNNEL_PORT] = integer(tunnel.port, 'destination.tunnel.port', LISTENING_PORT)
  else if (tunnel.port === undefined) u16[at2 + TUNNEL_PORT] = 0
  else throw conflict('destination.tunnel.port', `is for GUE; ${type} has none`)
  const checksum = (tunnel.checksum === undefined && !complete ? DEFAULTS.checksum : tunnel.checksum) as string
  u16[at2 + TUNNEL_FLAGS] = oneOf(checksum, 'destination.tunnel.checksum', CHECKSUMS.number)
  if (!CHECKSUMS_OF[type].includes(checksum)) {
    const allowed = CHECKSUMS_OF[type].map((word) => `'${word}'`).join(' or ')
    throw invalidValue('destination.tunnel.checksum', `${allowed} with tunnel type '${type}'`, checksum)
  }
}

/**
 * Writes a service's key and a destination's configuration. A missing property gets its default, or is refused if the configuration must be
 * `complete`.
 */
export function writeDestination(requests: Requests, serviceAt: number, service: unknown, value: unknown, complete: boolean): void {
  writeServiceKey(requests, serviceAt, service)
  const at = serviceAt + SERVICE_KEY_SIZE
  const destination = object(value, 'destination')
  const family = writeKey(requests, at, destination)
  let read = 2
  const { u32 } = requests
  const at4 = at >> 2
  let present = CONFIGURATION

  const { forward, weight, upperThreshold, lowerThreshold, tunnel } = destination
  const isWhole =
    forward !== undefined && weight !== undefined && upperThreshold !== undefined && lowerThreshold !== undefined && tunnel !== undefined
  if (complete && !isWhole) throw incomplete('destination', { forward, weight, upperThreshold, lowerThreshold, tunnel })
  let method = DR
  if (forward !== undefined) {
    method = forward === 'nat' ? NAT : oneOf(forward, 'destination.forward', FORWARDING_METHODS.number)
    read++
  }
  u32[at4 + FORWARD] = method

  let value32: number = DEFAULTS.weight
  if (weight !== undefined) {
    value32 = integer(weight, 'destination.weight', WEIGHT)
    read++
  }
  requests.i32[at4 + DESTINATION_WEIGHT] = value32

  let upper: number = DEFAULTS.upperThreshold
  if (upperThreshold !== undefined) {
    upper = integer(upperThreshold, 'destination.upperThreshold', THRESHOLD)
    read++
  }
  u32[at4 + UPPER_THRESHOLD] = upper

  let lower: number = DEFAULTS.lowerThreshold
  if (lowerThreshold !== undefined) {
    lower = integer(lowerThreshold, 'destination.lowerThreshold', THRESHOLD)
    read++
  }
  if (lower > upper) throw outOfRange('destination.lowerThreshold', `at most destination.upperThreshold, which is ${upper}`, lower)
  u32[at4 + LOWER_THRESHOLD] = lower

  if (tunnel !== undefined) read++
  if (method === TUN) {
    writeTunnel(requests, at, tunnel, complete)
    present |= TUNNEL
  } else if (tunnel !== undefined && tunnel !== null) {
    throw conflict('destination.tunnel', `goes with forward 'tun' only: set it to null for '${forward as string ?? DEFAULTS.forward}'`)
  }
  u32[at4 + PRESENT] = present
  onlyKnown(destination, read, 'destination', DESTINATION)

  if (method === DR || method === TUN) {
    const port = portAt(requests, serviceAt)
    const own = requests.u16[(at >> 1) + DESTINATION_PORT]
    if (port !== -1 && port !== own) {
      const forwarding = method === DR ? 'dr' : 'tun'
      throw invalidValue('destination.port', `the service's port ${port} with forward '${forwarding}', which leaves ports as they are`, own)
    }
  }
  if (method !== TUN && family !== familyAt(requests, serviceAt)) {
    const serviceFamily = familyAt(requests, serviceAt)
    const families = `is IPv${family} and the service is IPv${serviceFamily}`
    throw conflict('destination.address', `${families}: only forward 'tun' goes from one to the other`)
  }
}

/** Writes a service's key and a destination's. */
export function writeDestinationKey(requests: Requests, serviceAt: number, service: unknown, value: unknown): void {
  writeServiceKey(requests, serviceAt, service)
  const at = serviceAt + SERVICE_KEY_SIZE
  const destination = object(value, 'destination')
  writeKey(requests, at, destination)
  requests.u32[(at >> 2) + PRESENT] = KEY
  onlyKnown(destination, 2, 'destination', DESTINATION)
}
