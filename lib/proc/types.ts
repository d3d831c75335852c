import type { Protocol, ServiceKey, Statistics, Rates } from '../model/types.js'

/** One end of a connection. */
export interface ConnectionEnd {
  /** IPv4 or IPv6 text, canonical. */
  address: string
  /** 0-65535. */
  port: number
}

/** A connection in IPVS's table, or the template of a persistent client. */
export interface Connection {
  /**
   * The protocol as the kernel writes it, in lower case. 'ip' stands for the templates of firewall-mark services and of persistent services
   * on all ports.
   */
  protocol: Protocol | 'ip'
  /** The client's address and port. A template has the client's network and port 0. */
  client: ConnectionEnd
  /** The virtual service's address and port. The template of a firewall-mark service has the mark in place of the address. */
  virtual: ConnectionEnd
  /** The destination that serves the connection. Its address family may differ from the client's. */
  destination: ConnectionEnd
  /** The kernel's name of the state: 'ESTABLISHED', 'FIN_WAIT', 'UDP', 'NONE', …. */
  state: string
  /** Seconds until the kernel forgets it, unless more packets arrive. */
  expires: number
  /** Whether it was made here, or received from another director by a sync daemon. */
  origin: 'local' | 'sync'
  /** Name of the persistence engine that made it, or `null`. */
  persistenceEngine: string | null
  /** The data by which that engine recognises the client (for sip, the call's identifier), or `null`. */
  persistenceData: string | null
}

/** Which connections to list. */
export interface ConnectionFilter {
  /**
   * Lists only the connections of this virtual service; if its port is 0, those of all ports of its address. It cannot be a firewall-mark
   * service, because the kernel does not say which mark a connection came by.
   */
  service?: ServiceKey
}

/** Counters and rates of all services of a namespace together. */
export interface Totals {
  stats: Statistics
  rates: Rates
}

/** The counters of one processor. */
export interface ProcessorTotals {
  /** Number of the processor, from 0. */
  processor: number
  stats: Statistics
}
