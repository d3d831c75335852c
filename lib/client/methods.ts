import type {
  Daemon, DaemonInput, DaemonKey, Destination, DestinationInput, DestinationKey, Info, ListedDestination, ListedService, ListedTable,
  Operation, Service, ServiceInput, ServiceKey, Timeouts,
} from '../model/types.js'

/**
 * The methods that change something, as `IpvsSync` and the builder of a batch have them. Those of `Ipvs` return promises.
 *
 * Each validates all of its arguments before anything is sent, and throws a `TypeError` or `RangeError` that names the field. What the
 * kernel refuses is an `IpvsError`.
 *
 * In all examples `ipvs` is an open handle, and `web` is `{ protocol: 'tcp', address: '10.10.10.100', port: 80 }`. The methods of
 * `IpvsSync` need no `await`.
 */
export interface ChangeMethods {
  /**
   * Adds a virtual service. What is left out has ipvsadm's default: scheduler 'wlc', no flags, no persistence.
   *
   * A scheduler (or persistence engine) that is not in the kernel yet is loaded by the kernel itself, which takes milliseconds. Refused
   * with EEXIST if there is such a service, ENOENT if the scheduler or engine does not exist.
   *
   * @example
   * ```js
   * await ipvs.addService({ ...web, port: 443, scheduler: 'wrr', persistence: { timeout: 600 } })
   * ```
   */
  addService(service: ServiceInput): void

  /**
   * Changes a virtual service. Takes the complete configuration, since the kernel resets what is left out: read, change, write back. The
   * read-only properties of a listed service (`stats`, `rates`) are ignored. Refused with ESRCH if there is no such service.
   *
   * @example
   * ```js
   * const service = await ipvs.getService(web)
   * await ipvs.updateService({ ...service, scheduler: 'sh', schedulerFlags: ['sh-port'] })
   * ```
   */
  updateService(service: Service): void

  /**
   * Removes a virtual service with its destinations. Refused with ESRCH if there is no such service.
   *
   * @example
   * ```js
   * await ipvs.removeService(web)
   * ```
   */
  removeService(service: ServiceKey): void

  /**
   * Adds a destination (real server) to a service. What is left out has ipvsadm's default: forwarding method 'dr', weight 1, no thresholds,
   * IPIP for tunnels.
   *
   * A destination that was removed while connections still used it comes back with its counters. Refused with ESRCH if there is no such
   * service, EEXIST if it has the destination already, EINVAL if packets cannot be sent to the address.
   *
   * @example
   * ```js
   * await ipvs.addDestination(web, { address: '10.10.20.2', port: 80, forward: 'nat', weight: 5 })
   * ```
   */
  addDestination(service: ServiceKey, destination: DestinationInput): void

  /**
   * Changes a destination. Takes the complete configuration, since the kernel resets what is left out. The read-only properties of a listed
   * destination are ignored. Refused with ESRCH if there is no such service, ENOENT if it has no such destination.
   *
   * @example
   * ```js
   * const [destination] = await ipvs.destinations(web)
   * await ipvs.updateDestination(web, { ...destination, weight: 0 })      // takes no new connections
   * ```
   */
  updateDestination(service: ServiceKey, destination: Destination): void

  /**
   * Removes a destination from its service. The kernel drops the packets of its connections until the connections time out; with the sysctl
   * expire_nodest_conn at 1 it ends the connections instead. Refused with ESRCH if there is no such service, ENOENT if it has no such
   * destination.
   *
   * @example
   * ```js
   * await ipvs.removeDestination(web, { address: '10.10.20.1', port: 80 })
   * ```
   */
  removeDestination(service: ServiceKey, destination: DestinationKey): void

  /**
   * Sets the counters of one service and its destinations to zero; without an argument, those of all services. Refused with ESRCH if there
   * is no such service.
   *
   * @example
   * ```js
   * await ipvs.zero(web)
   * ```
   */
  zero(service?: ServiceKey): void

  /**
   * Removes every service.
   *
   * @example
   * ```js
   * await ipvs.flush()
   * ```
   */
  flush(): void

  /**
   * Sets timeouts, in seconds; those that are left out, or 0, stay as they are. Refused with EINVAL above the kernel's limit, which is
   * INT_MAX divided by its clock rate (at least 2,147,483 seconds).
   *
   * @example
   * ```js
   * await ipvs.setTimeouts({ tcp: 3600 })
   * ```
   */
  setTimeouts(timeouts: Partial<Timeouts>): void

  /**
   * Starts a connection synchronisation daemon in the handle's network namespace. There can be one of each role. Refused with EEXIST if
   * there is one with that role, ENODEV if the network interface does not exist, EINVAL if a destination has the other address family than
   * its service.
   *
   * @example
   * ```js
   * await ipvs.startDaemon({ role: 'master', interface: 'eth0', syncId: 1 })
   * ```
   */
  startDaemon(daemon: DaemonInput): void

  /**
   * Stops a connection synchronisation daemon. Only its role is needed. Refused with ESRCH if none with that role is running.
   *
   * @example
   * ```js
   * for (const daemon of await ipvs.daemons()) await ipvs.stopDaemon(daemon)
   * ```
   */
  stopDaemon(daemon: DaemonKey): void
}

/** The methods that read, as `IpvsSync` has them. Those of `Ipvs` return promises. The answers have every field that the kernel reports. */
export interface ReadMethods {
  /**
   * Version of IPVS and size of its connection table.
   *
   * @example
   * ```js
   * const { version } = await ipvs.info()
   * ```
   */
  info(): Info

  /**
   * One service with its statistics, or `undefined` if there is none.
   *
   * @example
   * ```js
   * const { scheduler, stats } = await ipvs.getService(web)
   * ```
   */
  getService(service: ServiceKey): ListedService | undefined

  /**
   * All services with their statistics; `[]` if there are none.
   *
   * The kernel can skip or repeat entries of a list that is edited while it is read. From Linux 7.1 on it can also do so while it moves a
   * table that has grown, some milliseconds after the edits. A list with repetitions is read again, up to five times.
   *
   * @example
   * ```js
   * for (const { scheduler, stats } of await ipvs.services()) console.log(scheduler, stats.connections)
   * ```
   */
  services(): ListedService[]

  /**
   * The destinations of a service with connection counts and statistics; `[]` if it has none. Rejected with ESRCH if there is no such
   * service.
   *
   * If others edit a long list meanwhile, destinations that are there throughout can be missing, because the kernel continues by position.
   * None is there twice.
   *
   * @example
   * ```js
   * for (const { address, weight, activeConnections } of await ipvs.destinations(web)) console.log(address, weight, activeConnections)
   * ```
   */
  destinations(service: ServiceKey): ListedDestination[]

  /**
   * How long idle connections are remembered, in seconds.
   *
   * @example
   * ```js
   * const { tcp, tcpFin, udp } = await ipvs.timeouts()
   * ```
   */
  timeouts(): Timeouts

  /**
   * The connection synchronisation daemons that run in the handle's network namespace.
   *
   * @example
   * ```js
   * const roles = (await ipvs.daemons()).map(({ role }) => role)
   * ```
   */
  daemons(): Daemon[]

  /**
   * The whole table: every service with its destinations and statistics, the timeouts and the sync daemons.
   *
   * The table is not that of one moment. The kernel lists services first, then the destinations of each, and does not say if something
   * changed in between. A service that is removed meanwhile is listed without destinations, one that is added meanwhile is missing, and
   * entries can be skipped if lists are edited while they are read. Operations of the same handle are not among these edits: they wait
   * until the snapshot has been read.
   *
   * @example
   * ```js
   * const { services } = await ipvs.snapshot()
   * const destinations = services.flatMap((service) => service.destinations)
   * ```
   */
  snapshot(): ListedTable
}

/** Methods with promises in place of what they return. */
export type Promised<Methods> = {
  [Name in keyof Methods]: Methods[Name] extends (...args: infer Arguments) => infer Answer
    ? (...args: Arguments) => Promise<Answer>
    : never
}

/**
 * Collects the operations of a batch. Its methods validate at once, and send nothing. A call that throws adds nothing, so the function that
 * has the builder can catch the error and go on.
 */
export interface BatchBuilder extends ChangeMethods {
  /**
   * Adds an operation that is given as an object, as to `Ipvs.run`.
   *
   * @example
   * ```js
   * await ipvs.batch((batch) => batch.run({ type: 'addService', service: { ...web, port: 443, scheduler: 'rr' } }))
   * ```
   */
  run(operation: Operation): void
}

