/**
 * The configuration of a director: services, their destinations, how each destination is checked, and what happens when it is down. Plain
 * data that converts to JSON and back.
 *
 * All times are seconds; fractions are allowed. A property that is left out has the default in {@link defaults}. A table of rules
 * (`parseRules`, `snapshot`) without its counters is a configuration without checks.
 */

import type { DaemonInput, DestinationInput, ServiceInput, Timeouts } from '../model/types.js'

/** A whole configuration. */
export interface DirectorConfiguration {
  /** Where an editor finds the schema; ignored otherwise. */
  $schema?: string
  /** The services. No two may have the same key. */
  services: DirectedService[]
  /** Seconds that the kernel remembers idle connections. A timeout that is left out is not changed. */
  timeouts?: Partial<Timeouts>
  /** Connection synchronisation daemons. If left out, daemons are not changed; with an empty list, all are stopped. */
  daemons?: DaemonInput[]
}

/** A virtual service as a director keeps it. */
export type DirectedService = ServiceInput & ServiceDirections

/** A service's properties besides its IPVS configuration. */
export interface ServiceDirections {
  /** The real servers. No two may have the same address and port. None by default. */
  destinations?: DirectedDestination[]
  /** The checks for destinations without checks of their own. A destination without any check is always up. */
  checks?: Check[]
  /**
   * Services with the same group are one service under several addresses: they have the same destinations and the same state, and their
   * programs run once.
   */
  group?: string
  /**
   * The total weight that the destinations that are up must have; below it the fallback serves. 1 to 2³¹-1, 1 by default. A destination of
   * weight 0 counts 0.
   */
  quorum?: number
  /**
   * Prevents flapping: the quorum is lost below `quorum - hysteresis` and reached again at `quorum + hysteresis`. Less than `quorum`, 0 by
   * default.
   */
  hysteresis?: number
  /**
   * The destination that serves while the quorum is missing (keepalived's sorry server). Destinations that are still up get weight 0
   * meanwhile.
   */
  fallback?: Fallback
  /**
   * What happens to a destination that goes down: 'remove' (the default) removes it, 'zero' sets its weight to 0, which keeps its
   * connections. The packets of connections to a removed one are dropped until it returns; with net.ipv4.vs.expire_nodest_conn=1 such a
   * connection ends at its next packet.
   */
  whenDown?: WhenDown
  /**
   * What happens when no destination is up and there is no fallback: 'remove' (the default) treats the last ones like any other, 'keep'
   * leaves them in the table, because the director itself may be cut off.
   */
  whenAllDown?: 'remove' | 'keep'
  /**
   * Whether destinations that are not in the table when the director starts are down until a check succeeds (keepalived's alpha). False by
   * default.
   */
  startDown?: boolean
  /** Seconds over which a returning destination's weight grows from a small one to the full one. 0 (the default) means at once. */
  rampUp?: number
  /**
   * Whether checks run only while this machine holds the service's address (keepalived's ha_suspend). While they do not, everything stays
   * as it was. Not for firewall marks. False by default.
   */
  onlyWhileHeld?: boolean
  /**
   * Whether `onDown` of the destinations that are up, and `onQuorumLost`, run when the director ends and removes its services (keepalived's
   * omega). False by default.
   */
  notifyAtEnd?: boolean
  /**
   * Whether `onUp` runs for each destination that is added at the start, before any check (keepalived's rs_init_notifies). False by
   * default.
   */
  notifyAtStart?: boolean
  /** Runs when the quorum is reached. */
  onQuorumReached?: Program
  /** Runs when the quorum is lost. */
  onQuorumLost?: Program
}

/** A real server as a director keeps it. */
export type DirectedDestination = DestinationInput & DestinationDirections

/** A destination's properties besides its IPVS configuration. */
export interface DestinationDirections {
  /** Checks that must all succeed; the service's if left out. With an empty list the destination is always up. */
  checks?: Check[]
  /** Overrides the service's. */
  whenDown?: WhenDown
  /** Overrides the service's. */
  startDown?: boolean
  /** Overrides the service's. */
  rampUp?: number
  /** Runs when the destination comes up. */
  onUp?: Program
  /** Runs when the destination goes down. */
  onDown?: Program
}

export type WhenDown = 'remove' | 'zero'

/** The destination that serves while the quorum is missing. Weight 1 by default, like any destination. */
export type Fallback = DestinationInput & {
  /**
   * What happens while it is not needed: 'remove' (the default) removes it, 'zero' sets its weight to 0 (keepalived's
   * sorry_server_inhibit).
   */
  whenIdle?: WhenDown
}

/** A program, which is started without a shell. */
export interface Program {
  /** The program's absolute path, then its arguments. */
  command: string[]
  /** Seconds after which it is stopped, 0.001 to 2,147,483. 60 by default. */
  timeout?: number
  /** Name of the user it runs as; the director's own by default. */
  user?: string
  /** Name of the group it runs as; the user's own by default. */
  group?: string
}

/** When a check runs, and how many results change a destination's state. */
export interface CheckCommon {
  /** Seconds from the end of a check to the start of the next, 0.001 to 2,147,483. 10 by default. */
  interval?: number
  /** Seconds for the whole check, from the first packet to the last byte of the answer, 0.001 to 2,147,483. 5 by default. */
  timeout?: number
  /** Failures in a row after which a destination is down, 1 to 2³¹-1. 2 by default. */
  failures?: number
  /** Successes in a row after which a destination is up, 1 to 2³¹-1. 1 by default. */
  successes?: number
  /** Seconds from a failure to the next try while the destination is up, 0 to 2,147,483. 1 by default. */
  retryInterval?: number
  /** Seconds over which the first checks are spread, 0 to 2,147,483. The interval by default. */
  warmup?: number
  /** Overrides the destination's. */
  startDown?: boolean
  /** Whether every failure is logged, not only the one that changes the state. False by default. */
  logEachFailure?: boolean
}

/** A check's target and source. */
export interface CheckTarget {
  /** Address to connect to; the destination's by default. */
  address?: string
  /** Port to connect to, 1 to 65535; the destination's by default, which must not be 0 then. */
  port?: number
  /** Local address to connect from. */
  bindAddress?: string
  /** Local port to connect from, 1 to 65535. */
  bindPort?: number
  /** Outgoing network interface. Required for link-local IPv6 addresses. */
  bindInterface?: string
  /** Firewall mark of the check's packets, 1 to 2³²-1. */
  mark?: number
}

/** Options of a TLS session. */
export interface TlsOptions {
  /** Name for the server (SNI), which its certificate must have too. Without it (the default) the certificate must have the address. */
  serverName?: string
  /** Whether the server's certificate must be valid. True by default. */
  verify?: boolean
  /** File with the trusted authorities' certificates; the system's by default. */
  authorities?: string
  /** File with the client's certificate. */
  certificate?: string
  /** File with the client certificate's key. */
  key?: string
  /** Password of the key file. */
  passphrase?: string
}

/** Succeeds if a TCP connection can be opened. */
export interface TcpCheck extends CheckCommon, CheckTarget {
  type: 'tcp'
}

/** Succeeds if a TLS session can be opened. */
export interface TlsCheck extends CheckCommon, CheckTarget {
  type: 'tls'
  /** Options of the TLS session. */
  tls?: TlsOptions
}

/** Succeeds if every URL has the expected answer. URLs are requested one after another. */
export interface HttpCheck extends CheckCommon, CheckTarget {
  type: 'http'
  /** Uses TLS with these options; `{}` for the defaults. Plain HTTP if left out. */
  tls?: TlsOptions
  /** Protocol version of the request. '1.0' by default, with which answers are not chunked and the server closes the connection. */
  version?: '1.0' | '1.1'
  /** Whether the request has `Connection: close`. True by default with version 1.1, false with 1.0. */
  close?: boolean
  /** Host header for URLs without one of their own. ADDRESS:PORT by default. */
  host?: string
  /** Largest answer in bytes, including headers, 1 to 2³¹-1; a larger one fails the check. 1,048,576 by default. */
  maxSize?: number
  /** The URLs to request, at least one. */
  urls: Url[]
}

/** A URL and the conditions on its answer. All given conditions must hold. */
export interface Url {
  /** Path and query, sent unchanged: '/service.txt?x=1'. */
  path: string
  /** Host header; the check's by default. */
  host?: string
  /** Accepted status codes, single or as a range [first, last], 100 to 599. [[200, 299]] by default. */
  status?: (number | [number, number])[]
  /** MD5 digest of the body as received, 32 hexadecimal digits. `ipvs digest` prints it. */
  digest?: string
  /** Text that the body must contain. */
  text?: string
  /** JavaScript regular expression that the body must match. The body is decoded as UTF-8 with the flag 'u', otherwise as bytes. */
  pattern?: string
  /** Flags of the pattern: 'i', 'm', 's', 'u', each at most once. None by default. */
  patternFlags?: string
  /** Whether the body must not match the pattern. False by default. */
  patternForbidden?: boolean
  /** Bytes at the start of the body that are not searched, 0 to 2³¹-1. 0 by default. */
  patternFrom?: number
  /** Position in the body, in bytes, before which a match must start, 0 to 2³¹-1; more than `patternFrom`. No limit by default. */
  patternUntil?: number
}

/** Succeeds if a program exits with status 0. */
export interface ScriptCheck extends CheckCommon {
  type: 'script'
  /** The program's absolute path, then its arguments. It is started without a shell. */
  command: string[]
  /** Name of the user it runs as; the director's own by default. */
  user?: string
  /** Name of the group it runs as; the user's own by default. */
  group?: string
  /**
   * Whether the exit status sets the weight: 0 means success with the configured weight, 1 failure, 2 to 255 success with the weight status
   * - 2. False by default.
   */
  dynamicWeight?: boolean
}

/** Succeeds if a mail server sends its greeting and accepts HELO and QUIT. */
export interface SmtpCheck extends CheckCommon, CheckTarget {
  type: 'smtp'
  /** Name sent with HELO. 'localhost' by default. */
  hello?: string
}

/** Succeeds if a name server answers a query over UDP. */
export interface DnsCheck extends CheckCommon, CheckTarget {
  type: 'dns'
  /** The queried name. '.' by default. */
  name?: string
  /** The queried record type. 'SOA' by default. */
  recordType?: 'A' | 'AAAA' | 'CNAME' | 'DNSKEY' | 'MX' | 'NS' | 'RRSIG' | 'SOA' | 'TXT'
}

/** Succeeds if a UDP datagram gets the expected answer or, if none is required, is not refused within the timeout. */
export interface UdpCheck extends CheckCommon, CheckTarget {
  type: 'udp'
  /** Bytes to send, in hexadecimal digits; spaces are allowed between bytes. An empty datagram by default. */
  payload?: string
  /** Whether an answer is required. True by default if `reply` is given. */
  requireReply?: boolean
  /** The beginning of the expected answer in hexadecimal digits, with 'x' for any digit. */
  reply?: string
  /** Minimum length of the answer in bytes, 0 to 65535. 0 by default. */
  minReply?: number
  /** Maximum length of the answer in bytes, 0 to 65535. 65535 by default. */
  maxReply?: number
}

/** Succeeds if an ICMP echo request is answered. */
export interface PingCheck extends CheckCommon, Omit<CheckTarget, 'port' | 'bindPort'> {
  type: 'ping'
}

/**
 * Reads a number from a file. With a `factor`, the number times the factor is added to the destination's weight. Without one (or with 0),
 * the destination is down unless the number is 0. A file that is missing or has no number counts as 0. The file is read whenever it
 * changes.
 */
export interface FileCheck extends Pick<CheckCommon, 'startDown' | 'logEachFailure'> {
  type: 'file'
  /** Absolute path of the file. */
  path: string
  /** Multiplies the number, -2147483647 to 2147483647. 0 by default. */
  factor?: number
  /** Without a factor: whether the destination is down if the number is 0, and up otherwise. False by default. */
  reverse?: boolean
  /** Number to write at the start if the file is missing. */
  initial?: number
  /** Whether to write `initial` even if the file exists. False by default. */
  overwrite?: boolean
}

/** A check of a destination. */
export type Check = TcpCheck | TlsCheck | HttpCheck | ScriptCheck | SmtpCheck | DnsCheck | UdpCheck | PingCheck | FileCheck
