/** An address that the machine has on one of its interfaces. */
export interface InterfaceAddress {
  /** IPv4 or IPv6 text, canonical. */
  address: string
  /** Leading bits of the address that name its network: 0-32, or 0-128 for IPv6. */
  prefixLength: number
  /** Name of the interface. */
  interface: string
  /** Number of the interface, from 1. */
  index: number
  /** How far it is valid: the whole world, the link (fe80::/10), or this machine alone (127.0.0.1). */
  scope: 'global' | 'site' | 'link' | 'host'
  /**
   * Whether the machine cannot use an IPv6 address yet, because it still asks whether another machine has it, or never will, because one
   * does (duplicate address detection). Always false for IPv4.
   */
  tentative: boolean
}

/** A network interface. */
export interface Link {
  name: string
  /** Its number, from 1. */
  index: number
  /** Whether it is switched on (`ip link set … up`). */
  up: boolean
  /** Whether it is switched on and has a carrier: the cable is in, the other end is up. */
  running: boolean
  /** Whether it is the loopback interface. */
  loopback: boolean
  /** Whether machines on it find each other by ARP: an Ethernet, not a loopback or a tunnel. */
  arp: boolean
  /** Hardware address as six bytes in hexadecimal ('02:00:0a:00:00:01'); `null` where it has none, or one of another kind. */
  hardwareAddress: string | null
  /** Largest packet in bytes. */
  mtu: number
  /** The driver's name of a virtual interface ('veth', 'bridge', 'ipip', 'macvlan'); `null` for the others. */
  kind: string | null
  /** Number of the bridge or bond that it is part of; `null` for none. */
  master: number | null
}

/** What the kernel does with packets to an address. */
export interface Route {
  /**
   * 'unicast': they are sent away. 'local': they are for this machine. 'unreachable', 'prohibit', 'blackhole': they are not sent, because
   * there is no route or because a route says so.
   */
  type: 'unicast' | 'local' | 'broadcast' | 'anycast' | 'multicast' | 'unreachable' | 'prohibit' | 'blackhole' | 'other'
  /** The router that they are sent to; `null` if the address is on the link itself, or if they are not sent. */
  gateway: string | null
  /** Name of the interface by which they leave (for 'local': usually lo), `null` if they are not sent. */
  interface: string | null
  /** The source address that this machine would choose; `null` if the kernel does not say. */
  source: string | null
}

/** What a route depends on besides the address. */
export interface RouteOptions {
  /** The source address of the packets: rules for policy routing may look at it. */
  from?: string
  /** The firewall mark of the packets, 1 to 2³²-1. */
  mark?: number
}

/** What the machine knows of another one on a link (ARP, neighbour discovery). */
export interface Neighbour {
  /**
   * 'incomplete': asked, no answer yet. 'failed': asked several times without an answer. 'reachable', 'stale', 'delay', 'probe': its
   * hardware address is known, and more or less recently confirmed. 'permanent', 'noarp': nobody is asked.
   */
  state: 'incomplete' | 'reachable' | 'stale' | 'delay' | 'probe' | 'failed' | 'noarp' | 'permanent' | 'none'
  /** As in {@link Link}; `null` while it is not known. */
  hardwareAddress: string | null
}

/**
 * What {@link Network.addressEvents} yields. The first event is a 'list' of all addresses. Another 'list' follows where events were lost,
 * because more happened than anybody read; it takes the place of everything before.
 */
export type AddressEvent =
  | { type: 'list', addresses: InterfaceAddress[] }
  | { type: 'added' | 'changed' | 'removed', address: InterfaceAddress }
