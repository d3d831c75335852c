import { batch, type AsyncBatchInput } from './client/batch.js'
import type { ChangeMethods, Promised, ReadMethods } from './client/methods.js'
import type { NativeHandle } from './wire/addon.js'
import { addon } from './wire/load.js'
import type { BatchOptions, BatchResult } from './model/batch.js'
import { closedError } from './model/errors.js'
import { nativeOptions } from './client/open-options.js'
import { openError } from './client/open-error.js'
import { callOf, changes, reads } from './client/operations.js'
import { connections } from './proc/connections.js'
import { sysctl, type Sysctl } from './proc/sysctl.js'
import { processorTotals, totals } from './proc/totals.js'
import type { Connection, ConnectionFilter, ProcessorTotals, Totals } from './proc/types.js'
import { Queue } from './client/queue.js'
import { readPackedServices } from './client/packed-services.js'
import { readPackedTable } from './client/packed-table.js'
import { snapshot } from './client/snapshot.js'
import { apply, plan } from './state/apply.js'
import type { TableHandle } from './state/handle.js'
import type { ReconcileOptions } from './state/pace.js'
import { reconcile, type Reconciler } from './state/reconcile.js'
import type { ApplyOptions, ApplyResult, CarryOutOptions, Desired, Plan, PlanOptions } from './state/types.js'
import { watch, type Observation, type WatchOptions } from './state/watch.js'
import type {
  Daemon, DaemonInput, DaemonKey, Destination, DestinationInput, DestinationKey, Info, ListedDestination, ListedService, ListedTable,
  OpenOptions, Operation, Service, ServiceInput, ServiceKey, Timeouts,
} from './model/types.js'

/**
 * A handle on the IPVS table of one network namespace.
 *
 * Operations are carried out in the order they were called. Those called without waiting in between travel to the kernel together, and each
 * promise settles with its own answer. The event loop never waits for the kernel. Every method validates all of its arguments before
 * anything is sent. Bad input rejects with a `TypeError` or `RangeError` that names the field, a refusal of the kernel with an `IpvsError`,
 * and every call after {@link close} with `ERR_IPVS_CLOSED`.
 */
export class Ipvs implements Promised<ChangeMethods & ReadMethods>, AsyncDisposable {
  readonly #handle: NativeHandle
  readonly #queue: Queue
  #closed = false

  private constructor(handle: NativeHandle) {
    this.#handle = handle
    this.#queue = new Queue(handle)
  }

  /**
   * Opens a handle. The kernel (5.16 and later) loads its IPVS module for it.
   *
   * Rejects with an `IpvsError` whose `reason` is 'permission' (no CAP_NET_ADMIN in the initial user namespace, or no CAP_SYS_ADMIN to
   * enter another network namespace), 'unavailable' (no IPVS in this kernel), or 'namespace' (the network namespace does not exist, or is
   * gone).
   *
   * @example
   * ```js
   * const there = await Ipvs.open()                 // or Ipvs.open({ netns: 'director' }), as `ip netns` knows it
   * console.log(await there.services())
   * await there.close()
   * ```
   */
  static async open(options?: OpenOptions): Promise<Ipvs> {
    const native = nativeOptions(options)
    try {
      return new Ipvs(await addon.open(native))
    } catch (failure) {
      throw openError(failure, native, options)
    }
  }

  /**
   * Size of the socket's receive buffer in bytes, as the kernel reports it: twice what it was asked for. It decides how many requests one
   * send can carry.
   */
  get receiveBuffer(): number { return this.#handle.receiveBuffer }
  /** Size of the socket's send buffer in bytes, as the kernel reports it. */
  get sendBuffer(): number { return this.#handle.sendBuffer }

  /** @internal Descriptor of the handle's network namespace, open until the handle is closed; negative where there is none. */
  get namespace(): number { return this.#open().namespace }

  info(): Promise<Info> { return this.#queue.read(reads.info) as Promise<Info> }
  addService(service: ServiceInput): Promise<void> { return this.#queue.change(changes.addService, service, undefined) }
  updateService(service: Service): Promise<void> { return this.#queue.change(changes.updateService, service, undefined) }
  removeService(service: ServiceKey): Promise<void> { return this.#queue.change(changes.removeService, service, undefined) }
  getService(service: ServiceKey): Promise<ListedService | undefined> { return this.#queue.read(reads.getService, service) }
  services(): Promise<ListedService[]> { return this.#queue.list(reads.services) }
  addDestination(service: ServiceKey, destination: DestinationInput): Promise<void> {
    return this.#queue.change(changes.addDestination, service, destination)
  }

  updateDestination(service: ServiceKey, destination: Destination): Promise<void> {
    return this.#queue.change(changes.updateDestination, service, destination)
  }

  removeDestination(service: ServiceKey, destination: DestinationKey): Promise<void> {
    return this.#queue.change(changes.removeDestination, service, destination)
  }

  destinations(service: ServiceKey): Promise<ListedDestination[]> { return this.#queue.list(reads.destinations, service) }
  zero(service?: ServiceKey): Promise<void> { return this.#queue.change(changes.zero, service, undefined) }
  flush(): Promise<void> { return this.#queue.change(changes.flush, undefined, undefined) }
  timeouts(): Promise<Timeouts> { return this.#queue.read(reads.timeouts) as Promise<Timeouts> }
  setTimeouts(timeouts: Partial<Timeouts>): Promise<void> { return this.#queue.change(changes.setTimeouts, timeouts, undefined) }
  startDaemon(daemon: DaemonInput): Promise<void> { return this.#queue.change(changes.startDaemon, daemon, undefined) }
  stopDaemon(daemon: DaemonKey): Promise<void> { return this.#queue.change(changes.stopDaemon, daemon, undefined) }
  daemons(): Promise<Daemon[]> { return this.#queue.list(reads.daemons) }
  snapshot(): Promise<ListedTable> { return snapshot(this.#queue) }

  /**
   * Carries out one operation, given as an object as batches and plans have them. It does what the method that `operation.type` names does,
   * and rejects as that method does. A type that does not exist rejects with `ERR_INVALID_ARG_TYPE`.
   *
   * @example
   * ```js
   * await ipvs.run({ type: 'addService', service: { ...web, port: 443, scheduler: 'rr' } })
   * ```
   */
  async run(operation: Operation): Promise<void> { return this.#queue.change(...callOf(operation)) }

  /**
   * Carries out any number of operations in as few system calls as the socket's limits allow, in order. Nothing is kept of those that were
   * carried out.
   *
   * The operations are given as a function that calls the methods of a builder, as an array, or as an iterable or async iterable. A
   * function and an array are validated whole before anything is sent. An iterable of either kind is sent in pieces of up to 4096
   * operations while it is read, so bad input, or an error of the iterable's own, ends the batch with an error that has the `result` up to
   * there. An array is copied when it is given; the operations in it must stay as they are until the promise settles. The kernel carries
   * out every operation that it does not refuse, whatever was refused before it.
   *
   * The event loop is never held for long, except by the function while it runs: give very many operations as an iterable. Operations
   * called later on this handle wait until the batch has been sent. The pieces of an async iterable take their turn as they come instead:
   * what it yields is sent within a turn of the event loop, so what it calls on the same handle before that turn is sent first.
   *
   * @returns how many operations were carried out, and which were not. Rejects with a `BatchError` if one was not, unless `refusals` is
   * 'return', and with an `AbortError` if the signal was aborted before everything was sent
   *
   * @example
   * ```js
   * const { done } = await ipvs.batch((batch) => {
   *   for (const address of ['10.10.20.2', '10.10.20.3']) batch.addDestination(web, { address, port: 80, forward: 'nat' })
   * })
   * ```
   */
  batch(operations: AsyncBatchInput, options?: BatchOptions): Promise<BatchResult> { return batch(this.#queue, operations, options) }

  /**
   * Compares the table with what it should be, and says what would have to be done: the smallest list of operations, in an order that
   * serves traffic throughout, with the reason of each. Changes nothing. Comparison is by meaning: defaults, spellings and what the kernel
   * adds are no differences.
   *
   * Bad input rejects with a `TypeError` or `RangeError` that names the place: 'desired.services[3].destinations[0].weight'.
   *
   * @example
   * ```js
   * const plan = await ipvs.plan([{ ...web, scheduler: 'wlc', destinations: [] }], { prune: 'all' })
   * console.log(formatPlan(plan))
   * ```
   */
  plan(desired: Desired, options?: PlanOptions): Promise<Plan> { return plan(this.#state, desired, options) }

  /**
   * Makes the table what it should be: plans, and carries the plan out in batches. With `drain` it waits for connections before it removes
   * destinations. Refusals of the kernel do not reject: the result says what is in force and what is not. An error that ends it in the
   * middle has the same as its `result`. If it is interrupted at any point, another `apply` completes it.
   *
   * @example
   * ```js
   * const destinations = [{ address: '10.10.20.2', port: 80, forward: 'nat' }]
   * const { refused } = await ipvs.apply([{ ...web, scheduler: 'rr', destinations }], { prune: 'all', drain: true })
   * ```
   */
  apply(desired: Desired, options?: ApplyOptions): Promise<ApplyResult>
  /**
   * Carries out a plan that `plan` made and somebody has reviewed, and nothing else. If one of its services has changed since, it rejects
   * with `ERR_IPVS_TABLE_CHANGED` before anything is sent, and the error says which in `changed`. What drains is left at weight 0.
   *
   * @example
   * ```js
   * const plan = await ipvs.plan([{ ...web, scheduler: 'wlc' }])
   * await ipvs.apply(plan)
   * ```
   */
  apply(plan: Plan, options?: CarryOutOptions): Promise<ApplyResult>
  apply(desired: Desired | Plan, options?: ApplyOptions): Promise<ApplyResult> { return apply(this.#state, desired, options) }

  /**
   * Keeps the table at a desired state until it is closed. The state is given here, changed by `set()`, or followed from an async iterable
   * of states. Close the reconciler before this handle.
   *
   * @example
   * ```js
   * const reconciler = ipvs.reconcile({ services: [] }, { prune: 'none' })
   * await reconciler.set([{ ...web, scheduler: 'wlc' }])
   * await reconciler.close()
   * ```
   */
  reconcile(desired?: Desired | AsyncIterable<Desired>, options?: ReconcileOptions): Reconciler {
    return reconcile(this.#state, desired, options)
  }

  /**
   * What changes in the table, and the traffic of its services and destinations, from one look to the next. Ends when its signal is
   * aborted, or when the iteration is left.
   *
   * @example
   * ```js
   * for await (const { changes, rates } of ipvs.watch({ interval: 1 })) {
   *   console.log(changes.length, rates.length)
   *   break
   * }
   * ```
   */
  watch(options?: WatchOptions): AsyncGenerator<Observation, void, undefined> { return watch(this.#state, options) }

  /**
   * The connections that IPVS remembers in the handle's network namespace, from `/proc/net/ip_vs_conn` and `ip_vs_conn_sync`. Read as it is
   * iterated over: connections that come and go meanwhile may be left out or, rarely, come twice. Memory does not grow with their number.
   *
   * @example
   * ```js
   * for await (const { client, destination, state } of ipvs.connections({ service: web })) {
   *   console.log(client.address, destination.address, state)
   * }
   * ```
   */
  connections(filter?: ConnectionFilter): AsyncGenerator<Connection, void, undefined> { return connections(() => this.#open(), filter) }

  /**
   * The counters and rates of all services of the handle's network namespace together, from `/proc/net/ip_vs_stats`.
   *
   * @example
   * ```js
   * const { stats, rates } = await ipvs.totals()
   * ```
   */
  async totals(): Promise<Totals> { return totals(this.#open()) }

  /**
   * The same counters for each processor, from `/proc/net/ip_vs_stats_percpu`.
   *
   * @example
   * ```js
   * for (const { processor, stats } of await ipvs.processorTotals()) console.log(processor, stats.inPackets)
   * ```
   */
  async processorTotals(): Promise<ProcessorTotals[]> { return processorTotals(this.#open()) }

  /**
   * The settings under `net.ipv4.vs` of the handle's network namespace: `await ipvs.sysctl.get('conntrack')`, `await
   * ipvs.sysctl.set('conntrack', 1)`.
   *
   * @example
   * ```js
   * await ipvs.sysctl.set('expire_nodest_conn', 1)
   * console.log(await ipvs.sysctl.get('expire_nodest_conn'))
   * ```
   */
  readonly sysctl: Sysctl = sysctl(() => this.#open())

  /** What plans are made with. */
  readonly #state: TableHandle = {
    table: (options) => readPackedTable(this.#queue, options),
    services: (keys, also) => readPackedServices(this.#queue, keys, also),
    batch: (operations, options) => this.batch(operations, options),
    sysctl: this.sysctl,
  }

  #open(): NativeHandle {
    if (this.#closed) throw closedError()
    return this.#handle
  }

  /**
   * Finishes what was called before, then closes the handle. Can be called again. The callback or async iterable of a batch must not wait
   * for this: each would wait for the other.
   *
   * @example
   * ```js
   * await ipvs.close()
   * ```
   */
  close(): Promise<void> {
    this.#closed = true
    return this.#queue.close()
  }

  [Symbol.asyncDispose](): Promise<void> { return this.close() }
}
