/**
 * The ranges and defaults of every field, in one table: validation, completion and documentation read it.
 *
 * The library allows what the kernel allows (`net/netfilter/ipvs/ip_vs_ctl.c`), except values that the kernel accepts and then does not
 * keep to. The defaults are those of ipvsadm(8).
 */

/** An inclusive range of integers. */
export interface Range {
  readonly min: number
  readonly max: number
}

const range = (min: number, max: number): Range => ({ min, max })

const INT_MAX = 2 ** 31 - 1

/** Ports of services and destinations; 0 means all of them. */
export const PORT = range(0, 65535)
/** Ports that something listens on: a tunnel's, a sync daemon's. */
export const LISTENING_PORT = range(1, 65535)
/** Firewall marks. 0 means "no firewall mark" to the kernel: such a request would be about the service tcp 0.0.0.0:0. */
export const FIREWALL_MARK = range(1, 2 ** 32 - 1)
/** The kernel keeps weights in a signed integer and refuses negative ones. */
export const WEIGHT = range(0, INT_MAX)
/** The kernel compares thresholds with a signed connection count. */
export const THRESHOLD = range(0, INT_MAX)
/**
 * Seconds that persistence outlives the last connection. The kernel multiplies them by its clock rate without a check. Up to this value the
 * product fits into 32 bits at every clock rate (1000 Hz at most); above it the kernel would keep a shorter timeout.
 */
export const PERSISTENCE_TIMEOUT = range(1, Math.floor((2 ** 32 - 1) / 1000))
/** Leading bits of an IPv4 client address that persistence looks at. */
export const PREFIX_LENGTH_4 = range(0, 32)
/** Leading bits of an IPv6 client address that persistence looks at; the kernel refuses 0. */
export const PREFIX_LENGTH_6 = range(1, 128)
/** Seconds; 0 leaves a timeout as it is. The kernel's own limit is INT_MAX divided by its clock rate, which it checks. */
export const TIMEOUT = range(0, INT_MAX)
/** Identifier of a group of sync daemons: eight bits in the messages. */
export const SYNC_ID = range(0, 255)
/** Bytes of a sync message, which is one UDP datagram. */
export const SYNC_MAX_LENGTH = range(1, 65507)
/** Time to live of multicast packets. */
export const TIME_TO_LIVE = range(1, 255)
/** Sizes of socket buffers in bytes. The kernel doubles them in a signed integer, and raises small ones to its own minimum. */
export const SOCKET_BUFFER = range(1, Math.floor(INT_MAX / 2))

/** Longest names in bytes: `IP_VS_SCHEDNAME_MAXLEN` and `IP_VS_IFNAME_MAXLEN` count the closing NUL, `IP_VS_PENAME_MAXLEN` does not. */
export const SCHEDULER_NAME_LENGTH = 15
export const PERSISTENCE_ENGINE_NAME_LENGTH = 16
export const INTERFACE_NAME_LENGTH = 15

/** What `addService` and `addDestination` use for properties that are left out. */
export const DEFAULTS = {
  scheduler: 'wlc',
  persistenceTimeout: 360,
  forward: 'dr',
  weight: 1,
  upperThreshold: 0,
  lowerThreshold: 0,
  tunnelType: 'ipip',
  checksum: 'none',
  syncId: 0,
} as const
