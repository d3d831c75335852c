import { formatIPv4, formatIPv6 } from '../../model/address.js'
import { GROUP, GROUP_FAMILY, INTERFACE, INTERFACE_LENGTH, MAX_LENGTH, PORT, PRESENT, STATE, SYNC_ID, TTL } from '../fields/daemon.js'
import { bits, records } from '../layout.js'
import type { Daemon, DaemonInput } from '../../model/types.js'
import { AF_INET6, ROLES } from '../../model/vocabulary.js'
import { readText, type View } from './reply.js'

/** Bytes of a listed sync daemon. */
export const LISTED_DAEMON_SIZE = records.daemon.size

const HAS_GROUP = bits('daemon', 'group')

/** Role of the daemon at `at`; a number if the role is unknown here. */
export function readRole(view: View, at: number): Daemon['role'] {
  const state = view.u32[(at >>> 2) + STATE]
  return ROLES.word.get(state) ?? state as unknown as Daemon['role']
}

export const readInterface = (view: View, at: number): string => readText(view.u8, at + INTERFACE, INTERFACE_LENGTH)

/** Reads a listed sync daemon. */
export function readDaemon(view: View, at: number): Daemon {
  const { u8, u16, u32 } = view
  const group = !(u32[(at >>> 2) + PRESENT] & HAS_GROUP) ? ''
    : u16[(at >>> 1) + GROUP_FAMILY] === AF_INET6 ? formatIPv6(u8, at + GROUP) : formatIPv4(u8, at + GROUP)
  return {
    role: readRole(view, at),
    interface: readInterface(view, at),
    syncId: u32[(at >>> 2) + SYNC_ID],
    maxLength: u16[(at >>> 1) + MAX_LENGTH],
    group,
    port: u16[(at >>> 1) + PORT],
    ttl: u8[at + TTL],
  }
}

/** Reads the sync daemon that a request starts or stops. */
export function readGivenDaemon(view: View, at: number): DaemonInput {
  const present = view.u32[(at >>> 2) + PRESENT]
  const { maxLength, group, port, ttl, interface: name, ...key } = readDaemon(view, at)
  return {
    ...key,
    ...present & bits('daemon', 'interface') && { interface: name },
    ...present & bits('daemon', 'maxLength') && { maxLength },
    ...present & bits('daemon', 'group') && { group },
    ...present & bits('daemon', 'port') && { port },
    ...present & bits('daemon', 'ttl') && { ttl },
  } as DaemonInput
}
