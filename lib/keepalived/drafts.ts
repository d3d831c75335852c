import type { DnsCheck, Url } from '../configuration/index.js'
import type { Tunnel } from '../model/types.js'
import type { Place } from './line.js'
import type { Given } from './statement.js'
import type { PlacedProgram, Vrrp } from './types.js'

/** What was read from the files, before a configuration is made of it. */

/** When checks run; times are in seconds. Virtual servers, real servers and checkers can set these, and the innermost value counts. */
export interface Pace {
  delayLoop?: Given<number>
  delayBeforeRetry?: Given<number>
  retry?: Given<number>
  warmup?: Given<number>
  connectTimeout?: Given<number>
  alpha?: boolean
}

export interface Method {
  forward: 'nat' | 'dr' | 'tun'
  tunnel?: Tunnel
}

export type Script = Given<{ command: string[], user?: string, group?: string }>

export interface TargetDraft {
  address?: string
  port?: number
  bindAddress?: Given<string>
  bindPort?: number
  bindInterface?: string
  mark?: number
}

export interface HostDraft {
  target: TargetDraft
  timeout?: Given<number>
}

export interface UrlDraft extends Partial<Omit<Url, 'pattern' | 'patternFlags'>> {
  place: Place
  regex?: Given<string>
  flags: Set<string>
}

/** A checker of any kind. Each kind sets the properties that it has keywords for. */
export interface CheckerDraft {
  keyword: string
  place: Place
  pace: Pace
  logAll?: boolean
  target: TargetDraft
  /** HTTP_GET, SSL_GET */
  version?: '1.0' | '1.1'
  close?: boolean
  virtualhost?: string
  sni?: boolean
  serverName?: string
  fastRecovery?: boolean
  urls: UrlDraft[]
  /** MISC_CHECK */
  script?: Script
  /** Set if misc_path could not be read, for which there is an error already. */
  scriptTold?: true
  scriptTimeout?: number
  user?: string
  group?: string
  dynamic?: boolean
  /** SMTP_CHECK */
  hello?: string
  /** The targets of `host` blocks, which are the old way to name several. */
  hosts: HostDraft[]
  /** DNS_CHECK */
  recordType?: DnsCheck['recordType']
  name?: string
  /** UDP_CHECK */
  payload?: string
  requireReply?: boolean
  reply?: string
  minReply?: number
  maxReply?: number
  /** FILE_CHECK */
  trackFile?: Given<string>
  factor?: number
  reverse?: boolean
}

export interface RealServer {
  place: Place
  address: string
  family: 4 | 6
  /** 0 if none is written. */
  port: number
  portPlace: Place
  weight?: number
  method?: Method
  upperThreshold?: Given<number>
  lowerThreshold?: Given<number>
  inhibit?: boolean
  notifyUp?: Script
  notifyDown?: Script
  pace: Pace
  virtualhost?: string
  checks: CheckerDraft[]
}

export interface SorryServer {
  place: Place
  address: string
  family: 4 | 6
  port: number
  inhibit?: boolean
  method?: Method
}

export type Head =
  | { kind: 'address', address: string, family: 4 | 6, port: number }
  | { kind: 'fwmark', fwmark: number }
  | { kind: 'group', name: string }

export interface VirtualServer {
  place: Place
  head: Head
  /** From the head or `ip_family`, or else from `persistence_granularity` or the first server that no tunnel reaches. */
  family?: 4 | 6
  pace: Pace
  scheduler?: string
  /** The kernel's scheduler flags, under ipvsadm's numbered names. */
  flags: Set<'flag-1' | 'flag-2' | 'flag-3'>
  onePacket?: Place
  method?: Method
  persistence?: number
  granularity?: Given<string>
  engine?: Given<string>
  protocol?: Given<'tcp' | 'udp' | 'sctp'>
  haSuspend?: Place
  virtualhost?: string
  omega?: boolean
  quorum?: Given<number>
  hysteresis?: Given<number>
  quorumUp?: Script
  quorumDown?: Script
  weight?: number
  inhibit?: boolean
  sorry?: SorryServer
  servers: RealServer[]
}

/** A line of a group: addresses with a port, or a mark. */
export type GroupEntry =
  | { addresses: string[], family: 4 | 6, port: number, place: Place }
  | { fwmark: number, family?: 4 | 6, place: Place }

export interface ServerGroup {
  name: string
  place: Place
  entries: GroupEntry[]
}

export interface TrackFile {
  name: string
  place: Place
  file?: string
  weight?: number
  initial?: number
  overwrite?: boolean
}

/** All that was read. */
export interface FileDraft {
  virtualServers: VirtualServer[]
  groups: ServerGroup[]
  trackFiles: TrackFile[]
  ssl?: { password?: string, ca?: Given<string>, certificate?: Given<string>, key?: Given<string> }
  timeouts: { tcp?: number, tcpFin?: number, udp?: number }
  logAll: boolean
  notifyAtStart: boolean
  scriptUser?: { user: string, group?: string }
  /** The user that runs programs for which the file names none. */
  defaultUser?: string
  /** Programs that were read, in the order of their services, by what they are and where. */
  programs: Map<string, PlacedProgram>
  syncDaemon?: Given<NonNullable<Vrrp['syncDaemon']>>
  vrrp: Vrrp
}
