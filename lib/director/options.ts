import { boolean, integer, object, refuseUnknown, string, type Known } from '../arguments/validate.js'
import { canonicalAddress } from '../model/address.js'
import { invalidType, invalidValue } from '../model/errors.js'
import { applySettings } from '../state/options.js'
import { ownership, type Owns } from '../state/ownership.js'
import type { DrainOptions } from '../state/types.js'
import { Agreement } from './agreement.js'
import type { DirectorOptions } from './types.js'

const NAMES: Known = {
  what: 'the options of a director',
  names: new Set([
    'ipvs', 'configuration', 'drain', 'prune', 'owns', 'sockets', 'programs', 'interval', 'jitter', 'backOff', 'remember',
    'addresses', 'fifo', 'agreement',
  ]),
}
const MANY = { min: 1, max: 2 ** 31 - 1 }

/** The options of a director, checked and complete; those of reconcile are reconcile's to check. */
export interface DirectorSettings {
  drain: Required<DrainOptions> | undefined
  prune: boolean
  owns: Owns
  /** Whether the services that were named are remembered, and in which file. */
  remember: boolean | string
  sockets: number | undefined
  programs: number | undefined
  agreement: Agreement | undefined
  /** Addresses that move between directors; those of the services where it is `undefined`. */
  addresses: readonly string[] | undefined
  fifo: string | undefined
}

function path(value: string, field: string, what: string): string {
  if (!value.startsWith('/') || value.includes('\0')) throw invalidValue(field, what, value)
  return value
}

/** @throws ArgumentError naming the address that is wrong */
export function heldAddresses(value: readonly string[] | undefined, field: string): readonly string[] | undefined {
  if (value === undefined) return undefined
  if (!Array.isArray(value)) throw invalidType(field, 'an array of IP addresses', value)
  return value.map((one: unknown, index) => {
    const address = canonicalAddress(string(one, `${field}[${index}]`, 'an IP address, a string'))
    if (address === undefined) throw invalidValue(`${field}[${index}]`, 'an IPv4 or IPv6 address', one)
    return address
  })
}

/** @throws ArgumentError naming the option that is wrong */
export function directorSettings(options: DirectorOptions): DirectorSettings {
  const given = object(options, 'options') as unknown as DirectorOptions
  refuseUnknown(given as unknown as Record<string, unknown>, 'options', NAMES)
  const { ipvs, drain = true, prune, owns, remember = false, sockets, programs, addresses, fifo, agreement } = given
  if (typeof (ipvs as { reconcile?: unknown } | undefined)?.reconcile !== 'function')
    throw invalidType('options.ipvs', 'an open handle of the class Ipvs', ipvs)
  if (agreement !== undefined && !(agreement instanceof Agreement)) {
    throw invalidType('options.agreement', 'an object of the class Agreement', agreement)
  }
  return {
    drain: applySettings({ drain }).drain,
    prune: prune === undefined ? false : boolean(prune, 'options.prune'),
    owns: owns === undefined ? () => false : ownership(owns),
    remember: typeof remember === 'string' ? path(remember, 'options.remember', 'true, false, or the absolute path of a file') : boolean(remember, 'options.remember'),
    sockets: sockets === undefined ? undefined : integer(sockets, 'options.sockets', MANY),
    agreement,
    programs: programs === undefined ? undefined : integer(programs, 'options.programs', MANY),
    addresses: heldAddresses(addresses, 'options.addresses'),
    fifo: fifo === undefined
      ? undefined
      : path(string(fifo, 'options.fifo', 'the absolute path of a FIFO'), 'options.fifo', 'the absolute path of a FIFO'),
  }
}
