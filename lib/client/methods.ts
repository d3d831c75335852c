import type {
  Daemon, DaemonInput, DaemonKey, Destination, DestinationInput, DestinationKey, Info, ListedDestination, ListedService, ListedTable,
  Service, ServiceInput, ServiceKey, Timeouts,
} from '../model/types.js'

/**
 * The methods that change something, as `IpvsSync` and the builder of a batch have them; those of `Ipvs` return promises.
 *
 * Each validates its arguments in full before anything is sent, and throws a `TypeError` or `RangeError` that names the field. What the
 * kernel refuses is an `IpvsError`.
 */
export interface ChangeMethods {
  /**
   * Adds a virtual service. What is left out has ipvsadm's default: scheduler 'wlc', no flags, no persistence.
   *
   * A scheduler (or persistence engine) that is not in the kernel yet is loaded by the kernel itself, which takes milliseconds. Refused
   * with EEXIST if there is such a service, ENOENT if the scheduler or engine does not exist.
   */
  addService(service: ServiceInput): void

  /**
   * Changes a virtual service. Takes the complete configuration, since the kernel resets what is left out: read, change, write back. The
   * read-only properties of a listed service (`stats`, `rates`) are ignored. Refused with ESRCH if there is no such service.
   */
  updateService(service: Service): void

  /** Removes a virtual service with its destinations. Refused with ESRCH if there is no such service. */
  removeService(service: ServiceKey): void

  /**
   * Adds a destination (real server) to a service. What is left out has ipvsadm's default: forwarding method 'dr', weight 1, no thresholds,
   * IPIP for tunnels.
   *
   * A destination that was removed while connections still used it comes back with its counters. Refused with ESRCH if there is no such
   * service, EEXIST if it has the destination already, EINVAL if the address is none that can be sent to.
   */
  addDestination(service: ServiceKey, destination: DestinationInput): void

  /**
   * Changes a destination. Takes the complete configuration, since the kernel resets what is left out. The read-only properties of a listed
   * destination are ignored. Refused with ESRCH if there is no such service, ENOENT if it has no such destination.
   */
  updateDestination(service: ServiceKey, destination: Destination): void

  /**
   * Removes a destination from its service; its connections end or move on, as the scheduler and the sysctl expire_nodest_conn have it.
   * Refused with ESRCH if there is no such service, ENOENT if it has no such destination.
   */
  removeDestination(service: ServiceKey, destination: DestinationKey): void

  /**
   * Sets the counters of one service and its destinations to zero; without an argument, of all services. Refused with ESRCH if there is no
   * such service.
   */
  zero(service?: ServiceKey): void

  /** Removes every service. */
  flush(): void

  /**
   * Sets timeouts, in seconds; those that are left out, or 0, stay as they are. Refused with EINVAL above the kernel's limit, which is
   * INT_MAX divided by its clock rate (at least 2,147,483 seconds).
   */
  setTimeouts(timeouts: Partial<Timeouts>): void

  /**
   * Starts a connection synchronisation daemon in the handle's network namespace. There can be one of each role. Refused with EEXIST if
   * there is one with that role, ENODEV if the network interface does not exist, EINVAL if a destination has the other address family than
   * its service.
   */
  startDaemon(daemon: DaemonInput): void

  /** Stops a connection synchronisation daemon; its role is enough. Refused with ESRCH if none is running. */
  stopDaemon(daemon: DaemonKey): void
}

/** The methods that read, as `IpvsSync` has them; those of `Ipvs` return promises. Every field that the kernel reports is there. */
export interface ReadMethods {
  /** Version of IPVS and size of its connection table. */
  info(): Info

  /** One service with its statistics, or `undefined` if there is none. */
  getService(service: ServiceKey): ListedService | undefined

  /**
   * All services with their statistics; `[]` if there are none.
   *
   * The kernel can skip or repeat entries of a list that is edited while it is read, and from Linux 7.1 on also while it moves a table that
   * has grown, some milliseconds after the edits. A list with repetitions is read again, up to five times.
   */
  services(): ListedService[]

  /**
   * The destinations of a service with connection counts and statistics; `[]` if it has none. Rejected with ESRCH if there is no such
   * service.
   *
   * If others edit a long list meanwhile, destinations that are there throughout can be missing, because the kernel continues by position.
   * None is there twice.
   */
  destinations(service: ServiceKey): ListedDestination[]

  /** How long idle connections are remembered. */
  timeouts(): Timeouts

  /** The connection synchronisation daemons that run in the handle's network namespace. */
  daemons(): Daemon[]

  /**
   * The whole table: every service with its destinations and statistics, the timeouts and the sync daemons.
   *
   * It is not one moment's picture: the kernel lists services first, then the destinations of each, and does not say if something changed
   * in between. A service that is removed meanwhile is there without destinations, one that is added meanwhile is missing, and entries can
   * be skipped if lists are edited while they are read. Operations of the same handle are not among these edits: they wait until the
   * snapshot has been read.
   */
  snapshot(): ListedTable
}

/** Methods with promises in place of what they return. */
export type Promised<Methods> = {
  [Name in keyof Methods]: Methods[Name] extends (...args: infer Arguments) => infer Answer
    ? (...args: Arguments) => Promise<Answer>
    : never
}

/** Collects the operations of a batch. Its methods validate at once, and send nothing. */
export type BatchBuilder = ChangeMethods

