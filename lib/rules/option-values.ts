import { canonicalAddress, parseMask } from '../model/address.js'
import type { Protocol } from '../model/types.js'
import { looseIPv4 } from './address-text.js'
import { limits } from './language.js'
import { valueError, type GivenOption } from './options.js'
import type { NameReference } from './types.js'

/** An address with a port, as it was given. */
export interface Endpoint {
  family: 4 | 6
  address: string
  port: number | string
}

/** What the values of later options depend on, and the names found in them. */
export interface ValueContext {
  /** The protocol of the service that was given before, to which port names belong. */
  protocol: Protocol | undefined
  /** The address family of that service; 0 if none was given yet. */
  family: 0 | 4 | 6
  names: NameReference[] | undefined
}

const number = /^[ \t\n\v\f\r]*[+-]?[0-9]+$/
const hostName = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/
const serviceName = /^[A-Za-z0-9][A-Za-z0-9_.+*/-]*$/

/** The number that a text stands for; NaN for other text. Adding 0 makes 0 of -0. */
const numberOf = (text: string): number => (number.test(text) ? Number(text) + 0 : NaN)

export function readInteger(given: GivenOption, min: number, max: number, what: string): number {
  const value = numberOf(given.argument ?? '')
  if (value >= min && value <= max) return value
  throw valueError(given, `${what} from ${min} to ${max}`)
}

/**
 * Reads `address[:port]`. An IPv6 address needs brackets if a port follows. ipvsadm accepts brackets around anything else too, and drops
 * them together with the port.
 *
 * @param otherPort the port to use where none is given
 */
export function readEndpoint(given: GivenOption, context: ValueContext, otherPort: number | string): Endpoint {
  const text = given.argument ?? ''
  const expected = 'ADDRESS[:PORT], an IPv6 address with a port in brackets'
  if (/^[0-9]*$/.test(text)) throw valueError(given, expected)
  let host = text
  let hostColumn = given.argumentColumn
  let port: string | undefined
  if (text[0] === '[') {
    const close = text.indexOf(']')
    if (close < 0 || text[close + 1] !== ':') throw valueError(given, '[ADDRESS]:PORT')
    host = text.slice(1, close)
    hostColumn++
    if (host.includes(':')) port = text.slice(close + 2)
  }
  const colon = host.lastIndexOf(':')
  const ipv6 = colon !== host.indexOf(':') ? canonicalAddress(host) : undefined
  if (ipv6 !== undefined) return { family: 6, address: ipv6, port: port === undefined ? otherPort : readPort(given, context, port) }
  if (colon >= 0) {
    port = host.slice(colon + 1)
    host = host.slice(0, colon)
  }
  const address = looseIPv4(host) ?? readHostName(given, context, host, hostColumn, expected)
  return { family: 4, address, port: port === undefined ? otherPort : readPort(given, context, port) }
}

/** Reads the mask of persistence. For IPv4 it is an address or the name of one, for IPv6 a prefix length. */
export function readMask(given: GivenOption, context: ValueContext): string | number {
  const text = given.argument ?? ''
  if (context.family === 6) {
    const length = parseInt(text, 10)
    if (length >= 1 && length <= 128) return length
    throw valueError(given, 'a prefix length from 1 to 128')
  }
  return looseIPv4(text) ?? readHostName(given, context, text, given.argumentColumn, 'an IPv4 netmask such as 255.255.255.0')
}

/** Reads the multicast group of a sync daemon. */
export function readGroup(given: GivenOption): string {
  const group = canonicalAddress(given.argument ?? '')
  if (group === undefined || !isMulticast(group)) throw valueError(given, 'a multicast address, IPv4 or IPv6')
  return group
}

const isMulticast = (address: string): boolean =>
  address.includes(':') ? /^ff..:/.test(address) : (parseMask(address)! & 0xf000_0000) >>> 0 === 0xe000_0000

function readHostName(given: GivenOption, context: ValueContext, name: string, column: number, expected: string): string {
  if (!hostName.test(name)) throw valueError(given, expected)
  note(context, { kind: 'host', name, line: given.line, column })
  return name
}

function readPort(given: GivenOption, context: ValueContext, text: string): number | string {
  const { protocol } = context
  const port = numberOf(text)
  if (port >= 0 && port <= limits.port) return port
  if (Number.isNaN(port) && serviceName.test(text) && protocol) {
    const column = given.argumentColumn + given.argument!.length - text.length
    note(context, { kind: 'service', name: text, protocol, line: given.line, column })
    return text
  }
  throw valueError(given, `a port from 0 to ${limits.port}${protocol ? ' or the name of one' : ' (its name only after the service)'}`)
}

function note(context: ValueContext, name: NameReference): void {
  context.names ??= []
  context.names.push(name)
}
