/**
 * The shapes users see. Names are the field's own: those of the kernel and of ipvsadm's manual.
 *
 * Facts about the kernel are from `include/uapi/linux/ip_vs.h` and `net/netfilter/ipvs/ip_vs_ctl.c`; facts about ipvsadm from its manual,
 * ipvsadm(8).
 */

/** The transport protocols IPVS balances. SCTP needs Linux 2.6.34. */
export type Protocol = 'tcp' | 'udp' | 'sctp'

/** A service that is recognised by protocol, virtual address and port. */
export interface AddressServiceKey {
  /** The transport protocol. */
  protocol: Protocol
  /** The virtual IP address, IPv4 or IPv6 text. Listed in its canonical form (RFC 5952). */
  address: string
  /** 0-65535. Port 0 means all ports; the kernel takes it, ipvsadm allows it only with persistence. */
  port: number
}

/** A service that is recognised by a firewall mark, set by iptables or nftables. */
export interface FirewallMarkServiceKey {
  /** The firewall mark, 1 to 2³²-1. */
  fwmark: number
  /** The address family of the packets with that mark, and of the destinations. */
  family: 4 | 6
}

/** Identifies a virtual service. */
export type ServiceKey = AddressServiceKey | FirewallMarkServiceKey

/** Client affinity: connections of one client (or one client network) go to one destination. */
export interface Persistence {
  /**
   * How long the affinity outlives the last connection, in seconds, 1 to 4,294,967 (49 days). A kernel with the fastest clock rate would
   * silently shorten longer ones. ipvsadm's own limit is 31 days; its default is 360 seconds, although its manual says 300.
   */
  timeout: number
  /**
   * How many leading bits of the client's address count: 0-32 for IPv4 (32 by default), 1-128 for IPv6 (128 by default). Listed services
   * have it, except in the one case that {@link netmask} describes.
   */
  prefixLength: number
  /**
   * IPv4's spelling of {@link prefixLength} ('255.255.255.0'), which can be given in its place. The kernel accepts masks whose bits are not
   * contiguous ('255.0.255.0'): those have this spelling only, and are listed with it, without a prefix length.
   */
  netmask?: string
}

/** How a service is configured. */
export interface ServiceConfiguration {
  /**
   * Name of the scheduler ('rr', 'wrr', 'lc', 'wlc', 'sh', 'mh', …), at most 15 bytes, or 'none'. `addService` defaults to ipvsadm's 'wlc'.
   */
  scheduler: string
  /**
   * Flags of the scheduler: 'sh-fallback' and 'sh-port' for sh, 'mh-fallback' and 'mh-port' for mh, 'flag-1', 'flag-2', 'flag-3' by number
   * for every scheduler. `addService` defaults to none.
   */
  schedulerFlags: string[]
  /** One-packet scheduling: each UDP datagram is scheduled anew. `addService` defaults to false. */
  onePacket: boolean
  /** Client affinity, or `null` for none (the default of `addService`). */
  persistence: Persistence | null
  /** Name of the persistence engine ('sip'), at most 16 bytes, or `null` for none (the default of `addService`). */
  persistenceEngine: string | null
}

/** A virtual service: what it is recognised by, and its configuration. */
export type Service = ServiceKey & ServiceConfiguration

/** What `addService` takes: all but the key has a default. */
export type ServiceInput = ServiceKey & Partial<Omit<ServiceConfiguration, 'persistence'>> & {
  /**
   * As in {@link Service}. The prefix length may be left out, or given as an IPv4 netmask instead. The timeout defaults to ipvsadm's 360
   * seconds.
   */
  persistence?: Partial<Persistence> | null
}

/**
 * How packets reach a destination: by network address translation, by direct routing, through a tunnel, as a local process of the director,
 * or past IPVS.
 *
 * ipvsadm calls the first three masquerading (`-m`), gatewaying (`-g`) and tunneling (`-i`). It cannot set the last two.
 */
export type ForwardingMethod = 'nat' | 'dr' | 'tun' | 'local' | 'bypass'

/** How the 'tun' forwarding method wraps packets. GUE needs Linux 5.2, GRE and the checksum choices 5.3. */
export interface Tunnel {
  /** The encapsulation: IP in IP, Generic UDP Encapsulation, or Generic Routing Encapsulation. */
  type: 'ipip' | 'gue' | 'gre'
  /** Port that the destination listens on for GUE, 1-65535. GUE needs it, the others have none. */
  port?: number
  /** 'csum' and 'none' for GUE and GRE, 'remcsum' (remote checksum offload) for GUE. IPIP has 'none', which is the default. */
  checksum: 'none' | 'csum' | 'remcsum'
}

/** Identifies a destination among those of its service. */
export interface DestinationKey {
  /**
   * The real server's address, IPv4 or IPv6 text. It can be of another family than the service's with `forward: 'tun'`, which needs Linux
   * 3.18.
   */
  address: string
  /** 0-65535. With 'dr' and 'tun' it is the service's port, except for firewall-mark services. */
  port: number
}

/** A destination (real server) of a virtual service. */
export interface Destination extends DestinationKey {
  /** The forwarding method. `addDestination` defaults to ipvsadm's 'dr'. */
  forward: ForwardingMethod
  /** Share of new connections, 0 to 2³¹-1 (ipvsadm's limit is 65535). At 0 it takes no new connections. `addDestination` defaults to 1. */
  weight: number
  /** The number of connections from which on it takes no new ones: 0 (the default) for no limit, at most 2³¹-1. */
  upperThreshold: number
  /**
   * The number of connections below which it takes new ones again, at most the upper threshold. 0 (the default) means 75 % of the upper
   * threshold.
   */
  lowerThreshold: number
  /** How 'tun' wraps packets (ipip by default); `null` for the other methods. */
  tunnel: Tunnel | null
}

/** What `addDestination` takes: all but the key has a default. */
export type DestinationInput = DestinationKey & Partial<Omit<Destination, 'tunnel' | keyof DestinationKey>> & {
  /** As in {@link Destination}; the checksum defaults to 'none'. */
  tunnel?: (Omit<Tunnel, 'checksum'> & Partial<Pick<Tunnel, 'checksum'>>) | null
}

/**
 * Counters since the entry was added or zeroed. The kernel counts on each processor and adds up every two seconds, so what is read is up to
 * two seconds old. They have 64 bits from Linux 4.1 on; in older kernels packets and connections have 32 bits, and wrap.
 */
export interface Statistics {
  /** Connections that were scheduled. */
  connections: bigint
  /** Packets from clients. */
  inPackets: bigint
  /** Packets to clients that go through the director: all with 'nat', usually none with the other methods. */
  outPackets: bigint
  /** Bytes of {@link inPackets}. */
  inBytes: bigint
  /** Bytes of {@link outPackets}. */
  outBytes: bigint
}

/** The kernel's own moving averages, per second. Bytes are bytes, although the kernel's names for them say "bps". */
export type Rates = Record<keyof Statistics, number>

/** What the kernel counts for services and destinations alike. */
export interface Counted {
  stats: Statistics
  rates: Rates
}

/** A service as the kernel lists it. */
export type ListedService = Service & Counted

/** A destination as the kernel lists it. */
export interface ListedDestination extends Destination, Counted {
  /** Established connections. */
  activeConnections: number
  /** Connections in any other state; all of UDP's. */
  inactiveConnections: number
  /** Persistence templates that point here. */
  persistentConnections: number
}

/** How long idle connections are remembered, in seconds. */
export interface Timeouts {
  /** Established TCP connections; the kernel starts with 900. */
  tcp: number
  /** TCP connections after a FIN; the kernel starts with 120. */
  tcpFin: number
  /** UDP; the kernel starts with 300. */
  udp: number
}

/** Identifies a connection synchronisation daemon. A namespace can run one of each role. */
export interface DaemonKey {
  /** Whether it sends connections or takes them over. */
  role: 'master' | 'backup'
  /** 0-255. A backup whose identifier is not 0 takes connections only from masters with the same one. `stopDaemon` needs only the role. */
  syncId?: number
}

/** A connection synchronisation daemon: the master multicasts its connections, backups take them over. */
export interface Daemon extends DaemonKey {
  syncId: number
  /** Name of the network interface whose multicast is used, at most 15 bytes. */
  interface: string
  /**
   * Largest sync message in bytes, 1-65507 as in ipvsadm. `startDaemon` leaves it to the kernel by default, which takes the interface's MTU
   * less the headers. Needs Linux 4.3.
   */
  maxLength: number
  /** Multicast group, IPv4 or IPv6. `startDaemon` defaults to the kernel's 224.0.0.81. Needs Linux 4.3. */
  group: string
  /** UDP port, 1-65535. `startDaemon` defaults to the kernel's 8848. Needs Linux 4.3. */
  port: number
  /** Time to live of the multicast packets, 1-255. `startDaemon` defaults to the kernel's 1. Needs Linux 4.3. */
  ttl: number
}

/** What `startDaemon` takes: role and interface are needed, the rest has a default (syncId 0). */
export type DaemonInput = Pick<Daemon, 'role' | 'interface'> & Partial<Omit<Daemon, 'role' | 'interface'>>

/** A service with its destinations, as configuration. */
export type TableService = Service & { destinations: Destination[] }

/** A whole IPVS table as configuration: what is saved, restored and compared. */
export interface Table {
  services: TableService[]
  /** Missing if the table says nothing about timeouts. */
  timeouts?: Timeouts
  /** Missing if the table says nothing about sync daemons. */
  daemons?: Daemon[]
}

/** A service with its destinations, as the kernel lists them. */
export type ListedTableService = ListedService & { destinations: ListedDestination[] }

/** What `snapshot` answers: a whole {@link Table}, with the kernel's counters. */
export interface ListedTable {
  services: ListedTableService[]
  timeouts: Timeouts
  daemons: Daemon[]
}

/** What `info` answers. */
export interface Info {
  /** Version of IPVS itself, which is not the kernel's version: '1.2.1' in all recent kernels. */
  version: string
  /** Number of hash rows of the connection table. Linux 7.1 answers 0 until the first service exists. */
  connectionTableSize: number
}

/**
 * Something that changes the table, with one member for each method of `Ipvs` that does. `batch` takes operations, `plan` answers them,
 * errors name them.
 */
export type Operation =
  | { type: 'addService', service: ServiceInput }
  | { type: 'updateService', service: Service }
  | { type: 'removeService', service: ServiceKey }
  | { type: 'addDestination', service: ServiceKey, destination: DestinationInput }
  | { type: 'updateDestination', service: ServiceKey, destination: Destination }
  | { type: 'removeDestination', service: ServiceKey, destination: DestinationKey }
  | { type: 'zero', service?: ServiceKey }
  | { type: 'flush' }
  | { type: 'setTimeouts', timeouts: Partial<Timeouts> }
  | { type: 'startDaemon', daemon: DaemonInput }
  | { type: 'stopDaemon', daemon: DaemonKey }

/** What can be asked of a handle: an {@link Operation}, or a method that reads. `error.operation` is one. */
export type Request =
  | Operation
  | { type: 'open', netns?: NetworkNamespace }
  | { type: 'info' | 'services' | 'timeouts' | 'daemons' | 'snapshot' }
  | { type: 'getService' | 'destinations', service: ServiceKey }
  | { type: 'connections' | 'totals' | 'processorTotals' }
  | { type: 'getSysctl' | 'setSysctl', name: string }

/**
 * A network namespace: its name as `ip netns` knows it, the path of a file that stands for it, a process that is in it, or an open
 * descriptor of one (which stays the caller's).
 */
export type NetworkNamespace = string | { pid: number } | { fd: number }

/** What `open` takes. */
export interface OpenOptions {
  /** The network namespace whose table is managed. Without it: the one the calling thread is in. Entering needs CAP_SYS_ADMIN. */
  netns?: NetworkNamespace
  /**
   * Size of the socket's receive buffer in bytes, 1 to 1,073,741,823. It decides how many requests one send can carry. 4 MiB by default.
   */
  receiveBuffer?: number
  /** Size of the socket's send buffer in bytes, 1 to 1,073,741,823. 1 MiB by default. */
  sendBuffer?: number
}
