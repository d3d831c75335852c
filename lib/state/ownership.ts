import { parseAddress } from '../model/address.js'
import { integer, object, oneOf, refuseUnknown, type Known, type Properties } from '../arguments/validate.js'
import { conflict, invalidType, invalidValue } from '../model/errors.js'
import { FIREWALL_MARK, PORT, PREFIX_LENGTH_4, PREFIX_LENGTH_6, type Range } from '../model/limits.js'
import type { ServiceKey } from '../model/types.js'
import { PROTOCOLS } from '../model/vocabulary.js'
import type { NumberRange, Ownership } from './types.js'

/** Says whether the service with a canonical key is this program's. */
export type Owns = (service: ServiceKey) => boolean

const ADDRESS_RANGE: Known = { what: 'a range of services', names: new Set(['protocol', 'address', 'port']) }
const MARK_RANGE: Known = { what: 'a range of firewall-mark services', names: new Set(['fwmark', 'family']) }

const everything = (): boolean => true

function numberRange(value: unknown, field: string, limits: Range): (number: number) => boolean {
  if (value === undefined) return everything
  if (!Array.isArray(value)) {
    const only = integer(value, field, limits)
    return (number) => number === only
  }
  if (value.length !== 2) throw invalidType(field, 'a number, or the first and the last of several', value)
  const [first, last] = (value as NumberRange & unknown[]).map((end, i) => integer(end, `${field}[${i}]`, limits))
  if (first > last) throw conflict(field, `begins with ${first}, above its end ${last}`)
  return (number) => number >= first && number <= last
}

function addressRange(value: unknown, field: string): (address: string) => boolean {
  if (value === undefined) return everything
  const expected = 'an IP address, or a prefix like 10.1.0.0/16'
  if (typeof value !== 'string') throw invalidType(field, expected, value)
  const [text, length, ...rest] = value.split('/')
  const prefix = new Uint8Array(16)
  const family = parseAddress(text, prefix, 0)
  if (family === 0 || rest.length > 0) throw invalidValue(field, expected, value)
  const bits = family === 4 ? PREFIX_LENGTH_4.max : PREFIX_LENGTH_6.max
  if (length !== undefined && (!/^\d{1,3}$/.test(length) || Number(length) > bits)) throw invalidValue(field, expected, value)
  const leading = Number(length ?? bits)
  const whole = leading >> 3
  const mask = 0xff00 >> (leading & 7) & 0xff
  const candidate = new Uint8Array(17)
  prefix[whole] &= mask
  return (address) => {
    if (parseAddress(address, candidate, 0) !== family) return false
    for (let i = 0; i < whole; i++) if (candidate[i] !== prefix[i]) return false
    return (candidate[whole] & mask) === (prefix[whole] ?? 0)
  }
}

function serviceRange(value: unknown, field: string): Owns {
  const range: Properties = object(value, field)
  if (range.fwmark !== undefined) {
    refuseUnknown(range, field, MARK_RANGE)
    const marks = numberRange(range.fwmark, `${field}.fwmark`, FIREWALL_MARK)
    const { family } = range
    if (family !== undefined && family !== 4 && family !== 6) throw invalidValue(`${field}.family`, 'the number 4 or 6', family)
    return (service) => 'fwmark' in service && marks(service.fwmark) && (family === undefined || family === service.family)
  }
  refuseUnknown(range, field, ADDRESS_RANGE)
  const { protocol } = range
  if (protocol !== undefined) oneOf(protocol, `${field}.protocol`, PROTOCOLS.number)
  const addresses = addressRange(range.address, `${field}.address`)
  const ports = numberRange(range.port, `${field}.port`, PORT)
  return (service) =>
    !('fwmark' in service) && (protocol === undefined || service.protocol === protocol) && ports(service.port) && addresses(service.address)
}

/** Makes a predicate from the option `owns`. */
export function ownership(owns: Ownership | undefined): Owns {
  if (owns === undefined) return everything
  if (typeof owns === 'function') return (service) => {
    const answer: unknown = owns(service)
    if (typeof answer !== 'boolean') throw invalidType('the answer of options.owns', 'true or false', answer)
    return answer
  }
  if (!Array.isArray(owns)) return serviceRange(owns, 'options.owns')
  const ranges = owns.map((range, i) => serviceRange(range, `options.owns[${i}]`))
  return (service) => ranges.some((range) => range(service))
}
