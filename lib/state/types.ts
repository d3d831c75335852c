import type { Refusal } from '../model/batch.js'
import type {
  DaemonInput,
  DestinationInput,
  DestinationKey,
  Operation,
  Protocol,
  ServiceInput,
  ServiceKey,
  Timeouts,
} from '../model/types.js'

/** A desired service with all its destinations. What is left out has the default of `addService` and `addDestination`. */
export type DesiredService = ServiceInput & { destinations?: readonly DestinationInput[] }

/**
 * A desired table. Every `Table` is one, and so is a `snapshot`, whose counters are ignored.
 *
 * Timeouts and sync daemons are compared only if they are named. `daemons: []` means that none should run; `prune` decides whether they are
 * stopped.
 */
export interface DesiredTable {
  services: Iterable<DesiredService>
  /** In seconds. A timeout that is missing, or 0, stays as it is. */
  timeouts?: Partial<Timeouts>
  /** At most one of each role. */
  daemons?: readonly DaemonInput[]
}

/**
 * What `plan`, `apply` and `reconcile` take: a table, or its services. The lists of services and of destinations are copied when they are
 * given, so they can be changed afterwards. The services and destinations themselves are not copied: replace them instead of changing them
 * while they are being applied.
 */
export type Desired = DesiredTable | Iterable<DesiredService>

/**
 * What changes in a desired state: `services` are added, or replace those with the same key; `removed` are keys of services that are no
 * longer desired. It is copied as a desired state is.
 */
export interface DesiredUpdate {
  services?: readonly DesiredService[]
  removed?: readonly ServiceKey[]
}

/** A number, or the first and the last number of a range. */
export type NumberRange = number | readonly [number, number]

/** A range of service keys. A property that is left out can have any value. */
export type ServiceRange =
  | {
    protocol?: Protocol
    /** An address, or the addresses of a prefix: '10.1.0.0/16', 'fd00:1::/32'. */
    address?: string
    /** A port, or the first and the last of several. */
    port?: NumberRange
  }
  | {
    /** A firewall mark, or the first and the last of several. */
    fwmark: NumberRange
    /** The address family of the service. */
    family?: 4 | 6
  }

/** Which services are this program's: a predicate over their canonical keys, a range, or several ranges. */
export type Ownership = ((service: ServiceKey) => boolean) | ServiceRange | readonly ServiceRange[]

/** How long draining waits for the connections of a destination. */
export interface DrainOptions {
  /**
   * 'all' (the default) waits until the destination has no connection of any kind. 'established' does not wait for inactive ones: all of
   * UDP's, TCP connections that are still being opened, and closed ones, which the kernel remembers for a while: 120 seconds with 'nat',
   * `timeouts.tcpFin` with 'dr' and 'tun'. With persistence it waits as long as 'all', because a template stays until the last of its
   * connections is forgotten. Templates of a service that has persistence no more are not waited for.
   */
  until?: 'all' | 'established'
  /**
   * Time limit in seconds, 0 to 2,147,483, after which the destination is removed with the connections that it has. 300 by default. With 0
   * it is removed as soon as it has weight 0.
   */
  timeout?: number
  /** Seconds between two looks at the connections, 0.001 to 2,147,483. 0.25 by default. */
  interval?: number
}

/** What may be removed, and how. */
export interface PlanOptions {
  /**
   * Keys of the services that the plan is about. Only these are read and planned, so the cost does not depend on the size of the table.
   * Everything else stays as it is, timeouts and sync daemons included. Of the desired state only the keys, and these services, are looked
   * at. `prune` is then about the named services: one that is not desired is removed.
   */
  only?: readonly ServiceKey[]
  /**
   * Which entries that the desired state does not name may be removed. 'none' (the default) removes nothing: no services, no destinations,
   * no sync daemons. 'owned' removes what `owns` says, 'all' removes everything. If `owns` is given, nothing else is ever touched, with
   * 'all' too. Sync daemons then belong to nobody: those that the desired state names are started and changed, the others are left alone.
   */
  prune?: 'none' | 'owned' | 'all'
  /**
   * The services that are this program's, so that programs with different services can share a table. The kernel has no place to keep an
   * owner, so it has to be given each time. A desired service that is not among them is refused before anything is sent. By default all
   * services are.
   */
  owns?: Ownership
  /**
   * Whether (and how) destinations are drained before they are removed: they are brought to weight 0, and removed when their connections
   * are gone. A destination with a configuration of another program that this library refuses to write is removed at once; the operation's
   * reason says so. False by default; `true` has the defaults of {@link DrainOptions}.
   */
  drain?: boolean | DrainOptions
}

/** An operation, and the reason for it in words. */
export type PlannedOperation = Operation & { reason: string }

/** Something that a plan cannot change, and that the program should know. */
export interface PlanWarning {
  /**
   * 'left-over': the table has more than the desired state, and `prune` keeps it. 'refuses-clients': at weight 0 the scheduler turns
   * clients away. 'sysctl': a setting decides what happens to the clients of a drained destination. 'inactive-connections': draining waits
   * for closed connections, for longer than one would expect from the options. 'cannot-remove': the table has an entry of another program
   * that this library cannot remove. 'order': the scheduler (mh, sh, dh) chooses by the order in which destinations were added, and that is
   * neither the order of the desired list nor that of addresses. A director that makes its table anew then chooses differently.
   */
  code: 'left-over' | 'refuses-clients' | 'sysctl' | 'inactive-connections' | 'cannot-remove' | 'order'
  /** The warning in words. */
  message: string
  /** The service that the warning is about, if it is about one. */
  service?: ServiceKey
}

/** A destination that is to be removed and still has connections, or had them when the table was read. */
export interface DrainingDestination {
  service: ServiceKey
  destination: DestinationKey
  /** Established connections. */
  activeConnections: number
  /** Connections in any other state; all of UDP's. */
  inactiveConnections: number
  /** Persistence templates. */
  persistentConnections: number
}

/**
 * The operations that bring the table to the desired state. It is plain data: `JSON.stringify` and `structuredClone` take it, `formatPlan`
 * prints it.
 */
export interface Plan {
  /**
   * The smallest list of operations, in an order that serves traffic throughout: everything is added and changed before anything is
   * removed, and capacity grows before it shrinks. Empty if there is nothing to do.
   */
  operations: PlannedOperation[]
  warnings: PlanWarning[]
  /**
   * Digests of the services that the plan is about, as they were when `plan` made it. By these `apply` finds out whether any has changed
   * since. They stay with the plan, through JSON too.
   */
  basis?: Record<string, string>
  /** With `drain`: destinations at weight 0 whose connections are waited for, including those that the operations bring to weight 0. */
  draining?: DrainingDestination[]
}

/** The progress of an `apply`. */
export interface ApplyProgress {
  /** 'changing': the plan is being carried out. 'draining': connections are waited for. 'undoing': `rollback` undoes what was done. */
  phase: 'changing' | 'draining' | 'undoing'
  /** Operations of the phase that were sent. */
  completed: number
  /** Operations of the phase that are known of so far. */
  total: number
  /** Destinations whose connections are still waited for. */
  draining: DrainingDestination[]
}

/** Options of `apply`. */
export interface ApplyOptions extends PlanOptions {
  /** Whether the table is only read and planned, and nothing is sent. False by default. */
  dryRun?: boolean
  /**
   * Ends the work between two batches, and the waiting for connections. What was done stays. The `AbortError` has it as `result`, with an
   * empty plan if there was none yet.
   */
  signal?: AbortSignal
  /** Called after each batch, and after each look at draining destinations. */
  onProgress?: (progress: ApplyProgress) => void
  /**
   * Whether everything that was done is undone if the kernel refuses anything. False by default. It is undone as far as possible: counters
   * and connections do not come back, other programs see the state in between, and the result has what could not be undone. What draining
   * removed is not undone.
   */
  rollback?: boolean
  /**
   * Whether the table is read once more before anything is written. If another program changed what matters in between, the plan is made
   * anew, at most `attempts` times (5 by default). After that `apply` rejects with `ERR_IPVS_TABLE_CHANGING`, and nothing was sent. False
   * by default.
   *
   * The kernel has no transactions, so a window remains, from the end of the last reading until the operations arrive. Entries that appear
   * or vanish in it lead to refusals (EEXIST, ENOENT, ESRCH), never to an operation on another entry. An entry that is changed in it is
   * overwritten.
   */
  concurrencyCheck?: boolean | { attempts?: number }
  /** The most operations that are sent together. By default as many as the handle's socket takes. */
  batchSize?: number
  /**
   * What is withheld if the kernel refuses something. 'service' (the default): no destination of the same service is removed, and no weight
   * of it is lowered. 'all': this applies to all services, and no service is removed. With 'all', an address that moves to another key does
   * not lose its old service because the new one was refused. The result has what is withheld; the next `apply` does it.
   */
  withhold?: 'service' | 'all'
}

/** Options of `apply` when it is given a plan. The options for planning are not among them. */
export type CarryOutOptions = Pick<ApplyOptions, 'dryRun' | 'signal' | 'onProgress' | 'rollback' | 'batchSize' | 'withhold'>

/**
 * The result of an `apply`. Each operation of the plan was done or refused, is unknown, was withheld, or was not sent; after a dry run
 * there are none of these. Operations that were done have no object. With `drain`, operations that followed after the plan count too. Any
 * error that ends `apply` in the middle has this as its `result`, for example that of a closed handle, or what `onProgress` throws.
 */
export interface ApplyResult {
  /** The plan that was carried out, or with `dryRun` only made. */
  plan: Plan
  /** Operations that are in force. */
  done: number
  /**
   * Operations that the kernel refused, with its errors. Their index is the place in the plan; operations that follow after the plan have
   * the next numbers.
   */
  refused: Refusal[]
  /** Operations whose answer was lost. They may be in force. The code of their error is 'ERR_IPVS_ANSWER_LOST'. */
  unknown: Refusal[]
  /** Operations that were not sent because something was refused: they would take away what is not replaced. See `withhold`. */
  withheld: PlannedOperation[]
  /**
   * How many other operations were not sent, because the receive buffer overflowed before their turn, `rollback` came first, or the work
   * ended early.
   */
  notSent: number
  /** With `drain`: destinations that stay at weight 0, because their removal was refused or not sent. */
  draining?: DrainingDestination[]
  /**
   * With `rollback`, if anything was refused: how many operations undid something, and which did not. The kernel refused these, their
   * answer was lost, or they were not sent, for example because they would bring back what this library refuses to write. Their index is
   * the place in the plan of the operation to be undone.
   */
  rollback?: { undone: number, notUndone: Refusal[] }
}
