import { addressFamily, parseAddress } from '../../model/address.js'
import { integer, object, oneOf, refuseUnknown, string, type Known, type Properties } from '../../arguments/validate.js'
import { invalidValue } from '../../model/errors.js'
import { DEFAULTS, INTERFACE_NAME_LENGTH, LISTENING_PORT, SYNC_ID, SYNC_MAX_LENGTH, TIME_TO_LIVE } from '../../model/limits.js'
import {
  GROUP, GROUP_FAMILY, INTERFACE, INTERFACE_LENGTH, MAX_LENGTH, PORT, PRESENT, STATE, SYNC_ID as IDENTIFIER, TTL,
} from '../fields/daemon.js'
import { bits, records } from '../layout.js'
import { AF_INET, AF_INET6, ROLES } from '../../model/vocabulary.js'
import type { Requests } from './requests.js'
import { byteLength, writeText } from './text.js'

/** Bytes of a sync daemon in a request. */
export const DAEMON_SIZE = records.daemon.requestSize

const KEY = bits('daemon', 'state', 'syncId')

const DAEMON: Known = { what: 'a sync daemon', names: new Set(['role', 'syncId', 'interface', 'maxLength', 'group', 'port', 'ttl']) }

function writeKey(requests: Requests, at: number, daemon: Properties): void {
  const { role, syncId } = daemon
  requests.u32[(at >> 2) + STATE] = oneOf(role, 'daemon.role', ROLES.number)
  requests.u32[(at >> 2) + IDENTIFIER] = syncId === undefined ? DEFAULTS.syncId : integer(syncId, 'daemon.syncId', SYNC_ID)
  refuseUnknown(daemon, 'daemon', DAEMON)
}

/** Follows the kernel's `dev_valid_name`: no slash, colon or white space. The length counts bytes, not characters. */
function interfaceName(value: unknown): string {
  const text = string(value, 'daemon.interface')
  if (text === '' || text === '.' || text === '..' || /[\0/:\s]/.test(text) || byteLength(text) > INTERFACE_NAME_LENGTH) {
    throw invalidValue('daemon.interface', `the name of a network interface, at most ${INTERFACE_NAME_LENGTH} bytes`, value)
  }
  return text
}

function writeGroup(requests: Requests, at: number, value: unknown): void {
  const text = string(value, 'daemon.group', 'multicast address text')
  const family = addressFamily(text)
  if (family !== 0) parseAddress(text, requests.u8, at + GROUP)
  const first = requests.u8[at + GROUP]
  if (family === 0 || (family === 4 ? first >> 4 !== 0xe : first !== 0xff)) {
    throw invalidValue('daemon.group', 'an IPv4 or IPv6 multicast address', value)
  }
  requests.u16[(at >> 1) + GROUP_FAMILY] = family === 4 ? AF_INET : AF_INET6
}

/** Writes the record that starts a sync daemon. */
export function writeDaemon(requests: Requests, at: number, value: unknown): void {
  const daemon = object(value, 'daemon')
  writeKey(requests, at, daemon)
  const { maxLength, group, port, ttl } = daemon
  let present = KEY | bits('daemon', 'interface')
  writeText(requests.u8, at + INTERFACE, INTERFACE_LENGTH, interfaceName(daemon.interface))
  if (maxLength !== undefined) {
    requests.u16[(at >> 1) + MAX_LENGTH] = integer(maxLength, 'daemon.maxLength', SYNC_MAX_LENGTH)
    present |= bits('daemon', 'maxLength')
  }
  if (group !== undefined) {
    writeGroup(requests, at, group)
    present |= bits('daemon', 'groupFamily', 'group')
  }
  if (port !== undefined) {
    requests.u16[(at >> 1) + PORT] = integer(port, 'daemon.port', LISTENING_PORT)
    present |= bits('daemon', 'port')
  }
  if (ttl !== undefined) {
    requests.u8[at + TTL] = integer(ttl, 'daemon.ttl', TIME_TO_LIVE)
    present |= bits('daemon', 'ttl')
  }
  requests.u32[(at >> 2) + PRESENT] = present
}

/** Writes the key of a sync daemon. */
export function writeDaemonKey(requests: Requests, at: number, value: unknown): void {
  writeKey(requests, at, object(value, 'daemon'))
  requests.u32[(at >> 2) + PRESENT] = KEY
}
