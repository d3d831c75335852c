import type { BatchInput } from './client/batch.js'
import { batchSync } from './client/batch-sync.js'
import type { BatchOptions, BatchResult } from './model/batch.js'
import { closedError, IpvsError } from './model/errors.js'
import { failureOf } from './client/failure.js'
import { readList, Rereading } from './client/lists.js'
import type { ChangeMethods, ReadMethods } from './client/methods.js'
import type { NativeHandle } from './wire/addon.js'
import { addon } from './wire/load.js'
import { nativeOptions } from './client/open-options.js'
import { openError } from './client/open-error.js'
import {
  callOf, changes, pack, reads, type ChangeDefinition, type Definition, type ListDefinition, type ReadDefinition,
} from './client/operations.js'
import { Requests } from './wire/pack/requests.js'
import { connectionsSync } from './proc/connections.js'
import { sysctlSync, type SysctlSync } from './proc/sysctl.js'
import { processorTotalsSync, totalsSync } from './proc/totals.js'
import type { Connection, ConnectionFilter, ProcessorTotals, Totals } from './proc/types.js'
import { snapshotSync } from './client/snapshot.js'
import { batchChannel, type BatchTrace } from './client/tracing.js'
import type {
  Daemon, DaemonInput, DaemonKey, Destination, DestinationInput, DestinationKey, Info, ListedDestination, ListedService, ListedTable,
  OpenOptions, Operation, Service, ServiceInput, ServiceKey, Timeouts,
} from './model/types.js'
import { DONE, replyOf, type Reply } from './wire/unpack/reply.js'

// These two functions stand alone because of their closures: V8 allocates what a closure holds at each call of the function around it, even
// if the closure is not made.

function executeTraced(open: () => NativeHandle, requests: Requests, batch: number): Reply | undefined {
  const trace: BatchTrace = { requests: requests.count, bytes: requests.length }
  return batchChannel.traceSync(() => replyOf(open().executeSync(requests.u8, requests.length, requests.count, batch)), trace)
}

/** The reply, if nothing was refused. */
function checked(reply: Reply, requests: Requests, definition: Definition, first: unknown, second: unknown): Reply {
  for (let i = 0; i < requests.count; i++) {
    if (reply.outcome(i) !== DONE) throw failureOf(reply, requests, i, definition.type, () => definition.describe(first, second))!
  }
  return reply
}

/**
 * The synchronous twin of `Ipvs`. It has the same methods, which hold the calling thread for as long as the kernel takes (a microsecond or
 * two for a change), and return directly or throw.
 *
 * @example
 * ```js
 * import { IpvsSync } from 'ipvs'
 *
 * const ipvs = IpvsSync.open()
 * const web = { protocol: 'tcp', address: '10.10.10.100', port: 80 }
 * ipvs.addService({ ...web, scheduler: 'rr' })
 * ipvs.run({ type: 'addDestination', service: web, destination: { address: '10.10.20.1', port: 80, forward: 'nat' } })
 * ipvs.batch((batch) => {
 *   for (const address of ['10.10.20.2', '10.10.20.3']) batch.addDestination(web, { address, port: 80, forward: 'nat' })
 * })
 * for (const { client, state } of ipvs.connections({ service: web })) console.log(client.address, state)
 * console.log(ipvs.destinations(web).length, ipvs.totals().stats.inBytes, ipvs.processorTotals().length)
 * ipvs.close()
 * ```
 */
export class IpvsSync implements ChangeMethods, ReadMethods, Disposable {
  #handle: NativeHandle | undefined
  #requests = new Requests(1024)

  private constructor(handle: NativeHandle) {
    this.#handle = handle
  }

  /** Opens a handle; throws what {@link Ipvs.open} rejects with. */
  static open(options?: OpenOptions): IpvsSync {
    const native = nativeOptions(options)
    try {
      return new IpvsSync(addon.openSync(native))
    } catch (failure) {
      throw openError(failure, native, options)
    }
  }

  #open(): NativeHandle {
    if (this.#handle === undefined) throw closedError()
    return this.#handle
  }

  #execute(requests: Requests, batch = 0): Reply | undefined {
    const handle = this.#open()
    if (!batchChannel.hasSubscribers) return replyOf(handle.executeSync(requests.u8, requests.length, requests.count, batch))
    // A subscriber may call this handle. Its requests are packed elsewhere, so that the one it is told of stays as it is.
    if (requests === this.#requests) this.#requests = new Requests(1024)
    return executeTraced(() => this.#open(), requests, batch)
  }

  /** Packs a request and has the kernel carry it out. What was refused is thrown. */
  #ask(definition: Definition, first: unknown, second: unknown): Reply | undefined {
    this.#open()
    const requests = this.#requests
    requests.clear()
    pack(requests, definition, first, second)
    const reply = this.#execute(requests)
    return reply === undefined ? undefined : checked(reply, requests, definition, first, second)
  }

  #change(definition: ChangeDefinition, first?: unknown, second?: unknown): void {
    this.#ask(definition, first, second)
  }

  #read<Answer>(definition: ReadDefinition<Answer>, first?: unknown): Answer {
    const reply = this.#ask(definition, first, undefined)!
    return definition.read(reply, reply.recordsOf(0))
  }

  #list<Element>(definition: ListDefinition<Element>, first?: unknown): Element[] {
    const rereading = new Rereading(definition)
    for (;;) {
      const reply = this.#ask(definition, first, undefined)
      if (reply === undefined) return []
      const request = reply.requests - 1
      if (!rereading.isDue(reply, request)) return readList(definition, reply, request, rereading.repeated)
    }
  }

  /** Size of the socket's receive buffer in bytes, as the kernel reports it (twice what it was asked for). */
  get receiveBuffer(): number { return this.#open().receiveBuffer }
  /** Size of the socket's send buffer in bytes, as the kernel reports it. */
  get sendBuffer(): number { return this.#open().sendBuffer }

  info(): Info { return this.#read(reads.info) }
  addService(service: ServiceInput): void { this.#change(changes.addService, service) }
  updateService(service: Service): void { this.#change(changes.updateService, service) }
  removeService(service: ServiceKey): void { this.#change(changes.removeService, service) }

  getService(service: ServiceKey): ListedService | undefined {
    try {
      return this.#read(reads.getService, service)
    } catch (error) {
      if (error instanceof IpvsError && error.code === reads.getService.missing) return undefined
      throw error
    }
  }

  services(): ListedService[] { return this.#list(reads.services) }
  addDestination(service: ServiceKey, destination: DestinationInput): void { this.#change(changes.addDestination, service, destination) }
  updateDestination(service: ServiceKey, destination: Destination): void { this.#change(changes.updateDestination, service, destination) }
  removeDestination(service: ServiceKey, destination: DestinationKey): void {
    this.#change(changes.removeDestination, service, destination)
  }
  destinations(service: ServiceKey): ListedDestination[] { return this.#list(reads.destinations, service) }
  zero(service?: ServiceKey): void { this.#change(changes.zero, service) }
  flush(): void { this.#change(changes.flush) }
  timeouts(): Timeouts { return this.#read(reads.timeouts) }
  setTimeouts(timeouts: Partial<Timeouts>): void { this.#change(changes.setTimeouts, timeouts) }
  startDaemon(daemon: DaemonInput): void { this.#change(changes.startDaemon, daemon) }
  stopDaemon(daemon: DaemonKey): void { this.#change(changes.stopDaemon, daemon) }
  daemons(): Daemon[] { return this.#list(reads.daemons) }

  snapshot(): ListedTable {
    this.#open()
    this.#requests.clear()
    return snapshotSync(this.#requests, (requests) => this.#execute(requests))
  }

  /** As {@link Ipvs.connections}. Read as it is iterated over. */
  connections(filter?: ConnectionFilter): Generator<Connection, void, undefined> { return connectionsSync(() => this.#open(), filter) }
  /** As {@link Ipvs.totals}. */
  totals(): Totals { return totalsSync(this.#open()) }
  /** As {@link Ipvs.processorTotals}. */
  processorTotals(): ProcessorTotals[] { return processorTotalsSync(this.#open()) }
  /** As {@link Ipvs.sysctl}. */
  readonly sysctl: SysctlSync = sysctlSync(() => this.#open())

  /** As {@link Ipvs.run}. */
  run(operation: Operation): void {
    this.#open()
    this.#change(...callOf(operation))
  }

  /** As {@link Ipvs.batch}, with a function, an array or a plain iterable. */
  batch(operations: BatchInput, options?: BatchOptions): BatchResult {
    this.#open()
    return batchSync((requests, batch) => this.#execute(requests, batch), operations, options)
  }

  /** Closes the handle. Can be called again. */
  close(): void {
    this.#handle?.close()
    this.#handle = undefined
  }

  [Symbol.dispose](): void { this.close() }
}
