import { addressFamily, canonicalAddress, parseMask, prefixOfMask } from '../model/address.js'
import { conflict, invalidType, invalidValue, outOfRange } from '../model/errors.js'
import { endpointWords, hasMark, serviceWords } from '../model/keys.js'
import { PREFIX_LENGTH_4, PREFIX_LENGTH_6 } from '../model/limits.js'
import type { DaemonInput, DestinationInput, Tunnel } from '../model/types.js'
import { CHECKSUMS_OF, NAMED_SCHEDULER_FLAGS } from '../model/vocabulary.js'
import type { Mistakes } from './shape.js'
import { defaults } from './table.js'
import type { Check, CheckTarget, DirectedService, HttpCheck, Url } from './types.js'

/** Checks the relations between values. Each single value has already been checked. */

/** The properties of a service on which the validity of its parts depends. */
interface Context {
  family: 4 | 6
  /** `undefined` for a firewall mark. */
  port: number | undefined
  mistakes: Mistakes
}

function tunnelMistakes(destination: DestinationInput, field: string, mistakes: Mistakes): void {
  const { tunnel, forward = defaults.DirectedDestination.forward as string } = destination
  if (tunnel === undefined || tunnel === null) return
  if (forward !== 'tun') {
    mistakes.push(conflict(`${field}.tunnel`, `goes with forward 'tun' only: leave it out for '${forward}'`))
    return
  }
  const { type = defaults.Tunnel.type as Tunnel['type'], port, checksum = defaults.Tunnel.checksum as string } = tunnel
  if (type === 'gue' && port === undefined) {
    mistakes.push(invalidType(`${field}.tunnel.port`, 'an integer from 1 to 65535', undefined))
  }
  if (type !== 'gue' && port !== undefined) mistakes.push(conflict(`${field}.tunnel.port`, `is for GUE; ${type} has none`))
  if (!CHECKSUMS_OF[type].includes(checksum)) {
    const allowed = CHECKSUMS_OF[type].map((word) => `'${word}'`).join(' or ')
    mistakes.push(invalidValue(`${field}.tunnel.checksum`, `${allowed} with tunnel type '${type}'`, checksum))
  }
}

function destinationMistakes(destination: DestinationInput, field: string, { family, port, mistakes }: Context): void {
  const { upperThreshold = 0, lowerThreshold = 0, forward = defaults.DirectedDestination.forward as string } = destination
  if (lowerThreshold > upperThreshold) {
    mistakes.push(outOfRange(`${field}.lowerThreshold`, `at most ${field}.upperThreshold, which is ${upperThreshold}`, lowerThreshold))
  }
  tunnelMistakes(destination, field, mistakes)
  if ((forward === 'dr' || forward === 'tun') && port !== undefined && destination.port !== port) {
    const expected = `the service's port ${port} with forward '${forward}', which leaves ports as they are`
    mistakes.push(invalidValue(`${field}.port`, expected, destination.port))
  }
  const own = addressFamily(destination.address)
  if (forward !== 'tun' && own !== family) {
    const problem = `is IPv${own} and the service is IPv${family}: only forward 'tun' goes from one to the other`
    mistakes.push(conflict(`${field}.address`, problem))
  }
}

function persistenceMistakes({ persistence }: DirectedService, field: string, { family, mistakes }: Context): void {
  if (persistence === undefined || persistence === null) return
  const { prefixLength, netmask } = persistence
  const range = family === 4 ? PREFIX_LENGTH_4 : PREFIX_LENGTH_6
  if (prefixLength !== undefined && (prefixLength < range.min || prefixLength > range.max)) {
    mistakes.push(outOfRange(`${field}.persistence.prefixLength`, `an integer from ${range.min} to ${range.max}`, prefixLength))
  }
  if (netmask === undefined) return
  if (family === 6) {
    mistakes.push(conflict(`${field}.persistence.netmask`, `is for IPv4: an IPv6 service takes ${field}.persistence.prefixLength`))
  } else if (prefixLength !== undefined && prefixOfMask(parseMask(netmask)!) !== prefixLength) {
    const problem = `'${netmask}' contradicts ${field}.persistence.prefixLength ${prefixLength}: give one of them`
    mistakes.push(conflict(`${field}.persistence.netmask`, problem))
  }
}

function flagMistakes(service: DirectedService, field: string, mistakes: Mistakes): void {
  const { scheduler = defaults.AddressService.scheduler as string, schedulerFlags = [] } = service
  const named = NAMED_SCHEDULER_FLAGS.get(scheduler)?.number
  for (const [index, flag] of schedulerFlags.entries()) {
    if (flag.startsWith('flag-') || named?.has(flag)) continue
    const allowed = [...named?.keys() ?? [], 'flag-1', 'flag-2', 'flag-3'].map((word) => `'${word}'`).join(', ')
    mistakes.push(invalidValue(`${field}.schedulerFlags[${index}]`, `one of ${allowed} with scheduler '${scheduler}'`, flag))
  }
}

/** fe80::/10 */
const isLinkLocal = (address: string): boolean => /^fe[89ab]/i.test(address) && addressFamily(address) === 6

/** @param home the check's default target; without it, only problems that concern every destination are found */
function targetMistakes(
  target: CheckTarget & { type: string }, field: string, mistakes: Mistakes, home?: { address: string, port: number },
): void {
  const address = target.address ?? home?.address
  if (target.type !== 'ping' && target.port === undefined && home?.port === 0) {
    mistakes.push(conflict(`${field}.port`, 'is missing: the destination has port 0 (all ports), where nothing can be asked'))
  }
  if (address === undefined) return
  if (target.bindAddress !== undefined && addressFamily(target.bindAddress) !== addressFamily(address)) {
    mistakes.push(conflict(`${field}.bindAddress`, `is IPv${addressFamily(target.bindAddress)}, and the check goes to ${address}`))
  }
  if (isLinkLocal(address) && target.bindInterface === undefined) {
    const problem = `is missing: ${address} is a link-local address, which says nothing without its interface`
    mistakes.push(conflict(`${field}.bindInterface`, problem))
  }
}

function urlMistakes(url: Url, field: string, mistakes: Mistakes): void {
  const { pattern, patternFlags, patternFrom = 0, patternUntil } = url
  if (pattern === undefined) {
    for (const name of ['patternFlags', 'patternForbidden', 'patternFrom', 'patternUntil'] as const) {
      if (url[name] !== undefined) mistakes.push(conflict(`${field}.${name}`, 'says something about a pattern, and there is none'))
    }
    return
  }
  try {
    new RegExp(pattern, patternFlags)
  } catch (error) {
    mistakes.push(conflict(`${field}.pattern`, `is no regular expression: ${(error as Error).message}`))
  }
  if (patternUntil !== undefined && patternUntil <= patternFrom) {
    mistakes.push(outOfRange(`${field}.patternUntil`, `more than patternFrom, which is ${patternFrom}`, patternUntil))
  }
}

function httpMistakes(check: HttpCheck, field: string, mistakes: Mistakes): void {
  check.urls.forEach((url, index) => urlMistakes(url, `${field}.urls[${index}]`, mistakes))
}

/**
 * Adds the mistakes of a check.
 *
 * @param home the check's default target
 */
export function checkMistakes(check: Check, field: string, mistakes: Mistakes, home?: { address: string, port: number }): void {
  if (check.type !== 'script' && check.type !== 'file') targetMistakes(check, field, mistakes, home)
  // A service's check is reported once, not for every destination.
  if (home !== undefined && !field.includes('.destinations[')) return
  switch (check.type) {
    case 'http':
      httpMistakes(check, field, mistakes)
      break
    case 'script':
      commandMistakes(check.command, field, mistakes)
      break
    case 'udp':
      if (check.reply !== undefined && check.requireReply === false) {
        mistakes.push(conflict(`${field}.reply`, 'is what an answer must be, and requireReply false needs none'))
      }
      if (check.minReply !== undefined && check.minReply > (check.maxReply ?? 65535)) {
        mistakes.push(outOfRange(`${field}.minReply`, `at most maxReply, which is ${check.maxReply}`, check.minReply))
      }
      break
    case 'file':
      if (check.overwrite !== undefined && check.initial === undefined) {
        mistakes.push(conflict(`${field}.overwrite`, 'says something about initial, which is missing'))
      }
      if (check.reverse === true && check.factor !== undefined && check.factor !== 0) {
        mistakes.push(conflict(`${field}.reverse`, 'goes without a factor: a factor changes the weight, and nothing is down'))
      }
  }
}

function commandMistakes([path]: readonly string[], field: string, mistakes: Mistakes): void {
  if (!path.startsWith('/')) mistakes.push(invalidValue(`${field}.command[0]`, 'an absolute path', path))
}

function programMistakes(owner: object, names: readonly string[], field: string, mistakes: Mistakes): void {
  for (const name of names) {
    const program = (owner as Record<string, { command: string[] } | undefined>)[name]
    if (program !== undefined) commandMistakes(program.command, `${field}.${name}`, mistakes)
  }
}

/** A service's key as text. */
export const idOf = (service: DirectedService): string =>
  hasMark(service) ? serviceWords(service) : `${service.protocol} ${endpoint(service)}`

const endpoint = ({ address, port }: { address: string, port: number }): string =>
  endpointWords({ address: canonicalAddress(address)!, port })

/** Adds the mistakes of a service. */
export function serviceMistakes(service: DirectedService, field: string, mistakes: Mistakes): void {
  const family = hasMark(service) ? service.family : addressFamily(service.address) as 4 | 6
  const context: Context = { family, port: hasMark(service) ? undefined : service.port, mistakes }
  flagMistakes(service, field, mistakes)
  persistenceMistakes(service, field, context)
  const { quorum = defaults.AddressService.quorum as number, hysteresis = 0, fallback, checks = [], destinations = [] } = service
  if (hysteresis >= quorum) mistakes.push(outOfRange(`${field}.hysteresis`, `less than the quorum, which is ${quorum}`, hysteresis))
  if (service.onlyWhileHeld === true && hasMark(service)) {
    mistakes.push(conflict(`${field}.onlyWhileHeld`, 'needs an address that can be held: a firewall mark has none'))
  }
  if (fallback !== undefined) destinationMistakes(fallback, `${field}.fallback`, context)
  programMistakes(service, ['onQuorumReached', 'onQuorumLost'], field, mistakes)
  checks.forEach((check, index) => checkMistakes(check, `${field}.checks[${index}]`, mistakes))
  const seen = new Map<string, number>()
  for (const [index, destination] of destinations.entries()) {
    const at = `${field}.destinations[${index}]`
    const id = endpoint(destination)
    const before = seen.get(id)
    if (before !== undefined) mistakes.push(conflict(at, `is ${id} a second time: it is ${field}.destinations[${before}] already`))
    seen.set(id, index)
    destinationMistakes(destination, at, context)
    programMistakes(destination, ['onUp', 'onDown'], at, mistakes)
    const own = destination.checks === undefined ? { checks, of: field } : { checks: destination.checks, of: at }
    own.checks.forEach((check, number) => checkMistakes(check, `${own.of}.checks[${number}]`, mistakes, destination))
  }
}

const isMulticast = (address: string): boolean =>
  addressFamily(address) === 6 ? /^ff/i.test(address) : /^2(?:2[4-9]|3[0-9])\./.test(address)

export function daemonMistakes(daemons: readonly DaemonInput[], mistakes: Mistakes): void {
  for (const [index, { role, group }] of daemons.entries()) {
    const field = `daemons[${index}]`
    if (daemons.findIndex((other) => other.role === role) < index) {
      mistakes.push(conflict(`${field}.role`, `is '${role}' a second time: a namespace runs one of each`))
    }
    if (group !== undefined && !isMulticast(group)) {
      mistakes.push(invalidValue(`${field}.group`, 'an IPv4 or IPv6 multicast address', group))
    }
  }
}
