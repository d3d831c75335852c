/**
 * What a director is told: services, their destinations, how each destination is checked, and what becomes of it when it is down. Plain data, JSON in and JSON out.
 *
 * All times are seconds, fractions allowed. What is left out has the default that {@link defaults} names. A table of rules (`parseRules`, `snapshot`) is a configuration
 * without checks, once what the kernel counts is left out.
 */

import type { DaemonInput, DestinationInput, ServiceInput, Timeouts } from '../model/types.js'

/** A whole configuration. */
export interface DirectorConfiguration {
  /** Where an editor finds the schema; ignored otherwise. */
  $schema?: string
  /** The services, each with another key. */
  services: DirectedService[]
  /** Seconds that idle connections are remembered. What is not named is left as it is. */
  timeouts?: Partial<Timeouts>
  /** Connection synchronisation daemons. Left out: they are left alone. An empty list: none should run. */
  daemons?: DaemonInput[]
}

/** A virtual service as a director keeps it. */
export type DirectedService = ServiceInput & ServiceDirections

/** What a service has beside its IPVS configuration. */
export interface ServiceDirections {
  /** The real servers, each with another address and port. None by default. */
  destinations?: DirectedDestination[]
  /** The checks of each destination that names none of its own. Without any a destination is always up. */
  checks?: Check[]
  /**
   * Services with the same group are one service under several addresses: they have the same destinations, are up and down together, and their programs run once.
   */
  group?: string
  /** Weight that the living destinations must have together; below it the fallback comes in. 1 to 2³¹-1, 1 by default. A destination of weight 0 counts 0. */
  quorum?: number
  /**
   * Keeps a quorum from flapping: it is lost below `quorum - hysteresis`, and reached again at `quorum + hysteresis`. 0 by default, less than `quorum`.
   */
  hysteresis?: number
  /** The destination that serves while the quorum is missing (keepalived's sorry server). The living that yield to it go to weight 0. */
  fallback?: Fallback
  /** What becomes of destinations that are down: 'remove' (the default) takes them out, 'zero' leaves them with weight 0, so that their connections live on. */
  whenDown?: WhenDown
  /** What is done when no destination is up and there is no fallback: 'remove' (the default) as for one, 'keep' leaves the last ones in, because the director itself may be cut off. */
  whenAllDown?: 'remove' | 'keep'
  /** Destinations that are not in the table when the director starts are down until they were good (keepalived's alpha). False by default. */
  startDown?: boolean
  /** Seconds in which a destination that comes back grows from a small weight to its whole one. 0 (the default) for at once. */
  rampUp?: number
  /** Checks run only while this machine holds the service's address (keepalived's ha_suspend); otherwise everything stays as it was. Not for firewall marks. False by default. */
  onlyWhileHeld?: boolean
  /** Runs `onDown` of the destinations that are up, and `onQuorumLost`, when the director ends and takes its services with it (keepalived's omega). False by default. */
  notifyAtEnd?: boolean
  /** Runs `onUp` for each destination that is taken into the table at the start, before any check (keepalived's rs_init_notifies). False by default. */
  notifyAtStart?: boolean
  /** Runs when the quorum is reached. */
  onQuorumReached?: Program
  /** Runs when the quorum is lost. */
  onQuorumLost?: Program
}

/** A real server as a director keeps it. */
export type DirectedDestination = DestinationInput & DestinationDirections

/** What a destination has beside its IPVS configuration. */
export interface DestinationDirections {
  /** All of them must be good. Left out: those of the service. An empty list: none, always up. */
  checks?: Check[]
  /** As of the service, which it overrides. */
  whenDown?: WhenDown
  /** As of the service, which it overrides. */
  startDown?: boolean
  /** As of the service, which it overrides. */
  rampUp?: number
  /** Runs when the destination comes up. */
  onUp?: Program
  /** Runs when the destination goes down. */
  onDown?: Program
}

export type WhenDown = 'remove' | 'zero'

/** The destination that serves while the quorum is missing. Weight 1 by default, as any. */
export type Fallback = DestinationInput & {
  /** Where it is while it is not needed: 'remove' (the default) out of the table, 'zero' in it with weight 0 (keepalived's sorry_server_inhibit). */
  whenIdle?: WhenDown
}

/** A program, started without a shell. */
export interface Program {
  /** The program's absolute path, then its arguments. */
  command: string[]
  /** Seconds after which it is ended, 0.001 to 2,147,483. 60 by default. */
  timeout?: number
  /** Name of the user it runs as; the director's own by default. */
  user?: string
  /** Name of the group it runs as; the user's own by default. */
  group?: string
}

/** When a check runs, and how many answers decide. */
export interface CheckCommon {
  /** Seconds from the end of a check to the start of the next, 0.001 to 2,147,483. 10 by default. */
  interval?: number
  /** Seconds for the whole check, from the first packet to the last byte of the answer, 0.001 to 2,147,483. 5 by default. */
  timeout?: number
  /** Bad answers in a row that bring a destination down, 1 to 2³¹-1. 2 by default. */
  failures?: number
  /** Good answers in a row that bring it up, 1 to 2³¹-1. 1 by default. */
  successes?: number
  /** Seconds from a bad answer to the next try while the destination is up, 0 to 2,147,483. 1 by default. */
  retryInterval?: number
  /** Seconds over which the first checks are spread, 0 to 2,147,483. The interval by default. */
  warmup?: number
  /** As of the destination, which it overrides. */
  startDown?: boolean
  /** Whether every bad answer is logged, not only the deciding one. False by default. */
  logEachFailure?: boolean
}

/** Where a check goes, and from where. */
export interface CheckTarget {
  /** Address to connect to; the destination's by default. */
  address?: string
  /** Port to connect to, 1 to 65535; the destination's by default, which must not be 0 then. */
  port?: number
  /** Local address to connect from. */
  bindAddress?: string
  /** Local port to connect from, 1 to 65535. */
  bindPort?: number
  /** Network interface to go out of; link-local IPv6 addresses need it. */
  bindInterface?: string
  /** Firewall mark that the check's packets have, 1 to 2³²-1. */
  mark?: number
}

/** How TLS is spoken. */
export interface TlsOptions {
  /** Name for the server (SNI), and the name that its certificate must have. None by default: the certificate must have the address. */
  serverName?: string
  /** Whether the server's certificate must be valid. True by default. */
  verify?: boolean
  /** File with the certificates of the authorities to trust; those of the system by default. */
  authorities?: string
  /** File with the certificate to show the server. */
  certificate?: string
  /** File with its key. */
  key?: string
  /** Password of the key's file. */
  passphrase?: string
  /** Whether an end of the answer without TLS's own closing message is bad. False by default. */
  requireClose?: boolean
}

/** A TCP connection can be opened. */
export interface TcpCheck extends CheckCommon, CheckTarget {
  type: 'tcp'
}

/** A TLS session can be opened. */
export interface TlsCheck extends CheckCommon, CheckTarget {
  type: 'tls'
  /** How TLS is spoken. */
  tls?: TlsOptions
}

/** Pages have the answer they should have. All urls are asked, one after another; all must be good. */
export interface HttpCheck extends CheckCommon, CheckTarget {
  type: 'http'
  /** Over TLS, with these options; `{}` for the defaults. Without it: plain HTTP. */
  tls?: TlsOptions
  /** Version of the protocol in the request. '1.0' by default: no chunked answers, the server closes. */
  version?: '1.0' | '1.1'
  /** Whether the request says `Connection: close`. With version 1.1 true by default, with 1.0 false. */
  close?: boolean
  /** Value of the Host header, where a url has none. ADDRESS:PORT by default. */
  host?: string
  /** Largest answer in bytes, headers included, 1 to 2³¹-1; a larger one is bad. 1,048,576 by default. */
  maxSize?: number
  /** At least one. */
  urls: Url[]
}

/** A page, and what makes its answer good: each of the conditions that are given. */
export interface Url {
  /** Sent as it is: '/service.txt?x=1'. */
  path: string
  /** Value of the Host header; the check's by default. */
  host?: string
  /** Status codes that are good, alone or from the first to the last of two, 100 to 599. [[200, 299]] by default. */
  status?: (number | [number, number])[]
  /** MD5 of the body as it comes over the wire, 32 hexadecimal digits. `ipvs digest` tells it. */
  digest?: string
  /** Text that the body has. */
  text?: string
  /** Regular expression of JavaScript that the body matches. The body is read as UTF-8 with the flag 'u', as bytes otherwise. */
  pattern?: string
  /** Flags of the pattern: 'i', 'm', 's', 'u', each at most once. None by default. */
  patternFlags?: string
  /** Whether a body that matches the pattern is bad. False by default. */
  patternForbidden?: boolean
  /** Bytes of the body that are not searched, 0 to 2³¹-1. 0 by default. */
  patternFrom?: number
  /** Byte of the body from which on no match may start, 0 to 2³¹-1; more than `patternFrom`. None by default. */
  patternUntil?: number
}

/** A program ends with status 0. */
export interface ScriptCheck extends CheckCommon {
  type: 'script'
  /** The program's absolute path, then its arguments. It is started without a shell. */
  command: string[]
  /** Name of the user it runs as; the director's own by default. */
  user?: string
  /** Name of the group it runs as; the user's own by default. */
  group?: string
  /** Whether the exit status tells a weight: 0 the configured one, 1 bad, 2 to 255 good with the weight status - 2. False by default. */
  dynamicWeight?: boolean
}

/** A mail server greets, and takes HELO and QUIT. */
export interface SmtpCheck extends CheckCommon, CheckTarget {
  type: 'smtp'
  /** Name for HELO. 'localhost' by default. */
  hello?: string
}

/** A name server answers a query over UDP. */
export interface DnsCheck extends CheckCommon, CheckTarget {
  type: 'dns'
  /** Name that is asked for. '.' by default. */
  name?: string
  /** Type of the records. 'SOA' by default. */
  recordType?: 'A' | 'AAAA' | 'CNAME' | 'DNSKEY' | 'MX' | 'NS' | 'RRSIG' | 'SOA' | 'TXT'
}

/** A UDP datagram is answered as it should be, or at least not refused within the timeout. */
export interface UdpCheck extends CheckCommon, CheckTarget {
  type: 'udp'
  /** Bytes that are sent, in hexadecimal digits; spaces are allowed between bytes. An empty datagram by default. */
  payload?: string
  /** Whether an answer is needed. True by default where `reply` is given. */
  requireReply?: boolean
  /** How the answer begins, in hexadecimal digits, 'x' for any. */
  reply?: string
  /** Fewest bytes of the answer, 0 to 65535. 0 by default. */
  minReply?: number
  /** Most bytes of the answer, 0 to 65535. 65535 by default. */
  maxReply?: number
}

/** An echo request (ICMP) is answered. */
export interface PingCheck extends CheckCommon, Omit<CheckTarget, 'port' | 'bindPort'> {
  type: 'ping'
}

/**
 * A file has a number in it. With a `factor` the number times the factor is added to the destination's weight; without one (or 0) the destination is down unless the number is 0.
 * A file that is missing or has no number stands for 0. It is looked at when it changes.
 */
export interface FileCheck extends Pick<CheckCommon, 'startDown' | 'logEachFailure'> {
  type: 'file'
  /** Absolute path of the file. */
  path: string
  /** -2147483647 to 2147483647. 0 by default. */
  factor?: number
  /** Without a factor: down if the number is 0. False by default. */
  reverse?: boolean
  /** Number that is written into the file at the start if there is none. */
  initial?: number
  /** Whether `initial` is written even if the file is there. False by default. */
  overwrite?: boolean
}

/** A check of a destination. */
export type Check = TcpCheck | TlsCheck | HttpCheck | ScriptCheck | SmtpCheck | DnsCheck | UdpCheck | PingCheck | FileCheck
