import type { Protocol, ServiceKey, Statistics, Rates } from '../model/types.js'

/** One end of a connection. */
export interface ConnectionEnd {
  /** IPv4 or IPv6 text, canonical. */
  address: string
  port: number
}

/** A connection that IPVS remembers, or the template of a persistent client. */
export interface Connection {
  /** 'ip' is what the kernel calls the templates of firewall-mark services and of persistent services on all ports. Others read as the kernel writes them, in lower case. */
  protocol: Protocol | 'ip'
  /** Where it comes from. A template has the client's network and port 0. */
  client: ConnectionEnd
  /** The virtual service's address. A firewall-mark service's template has the mark in its place. */
  virtual: ConnectionEnd
  /** The destination that it was given to; its family may be the other one. */
  destination: ConnectionEnd
  /** The kernel's name: 'ESTABLISHED', 'FIN_WAIT', 'UDP', 'NONE', …. */
  state: string
  /** Seconds until it is forgotten, if nothing more is heard of it. */
  expires: number
  /** Whether it was made here, or taken over from another director by a sync daemon. */
  origin: 'local' | 'sync'
  /** Name of the persistence engine that it was made by, or `null`. */
  persistenceEngine: string | null
  /** What that engine recognises it by (sip: the call's identifier), or `null`. */
  persistenceData: string | null
}

/** Which connections to list. */
export interface ConnectionFilter {
  /** Those of one virtual service. One with port 0 has those of all ports of its address. The kernel does not tell which firewall mark a connection came by. */
  service?: ServiceKey
}

/** What all services of a namespace have in common. */
export interface Totals {
  stats: Statistics
  rates: Rates
}

/** The counters of one processor. */
export interface ProcessorTotals {
  processor: number
  stats: Statistics
}
