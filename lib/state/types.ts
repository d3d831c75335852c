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

/** A service as it should be, with all its destinations. What is left out has the default of `addService` and `addDestination`. */
export type DesiredService = ServiceInput & { destinations?: readonly DestinationInput[] }

/**
 * A table as it should be. Every `Table` is one, a `snapshot` too: what the kernel counts is ignored.
 *
 * Timeouts and sync daemons are compared only where they are named; `daemons: []` says that none should run, see `prune`.
 */
export interface DesiredTable {
  services: Iterable<DesiredService>
  timeouts?: Partial<Timeouts>
  daemons?: readonly DaemonInput[]
}

/**
 * What `plan`, `apply` and `reconcile` take: a table, or its services. The lists of services and of destinations are copied when they are
 * given, and can be changed afterwards; the services and destinations themselves are not, so put others in their place instead of changing
 * them while they are being applied.
 */
export type Desired = DesiredTable | Iterable<DesiredService>

/**
 * What changes in a desired state: services that are new in it or take the place of those with the same key, and keys of services that it
 * has no more. Copied as a desired state is.
 */
export interface DesiredUpdate {
  services?: readonly DesiredService[]
  removed?: readonly ServiceKey[]
}

/** Numbers of a range: one, or from the first to the last of two. */
export type NumberRange = number | readonly [number, number]

/** Service keys that belong together. What is left out is not looked at. */
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
    family?: 4 | 6
  }

/** Which services are this program's: a predicate over their canonical keys, a range, or several ranges. */
export type Ownership = ((service: ServiceKey) => boolean) | ServiceRange | readonly ServiceRange[]

/** How long a destination that is taken away is waited for. */
export interface DrainOptions {
  /**
   * 'all' (the default): until it has no connection of any kind. 'established': inactive ones do not count, which are all of UDP's, TCP
   * connections that are still being opened, and those that are closed and remembered for a while: 120 seconds with 'nat',
   * `timeouts.tcpFin` with 'dr' and 'tun'. With persistence it waits as long as 'all', because a template stays until the last of its
   * connections is forgotten. Templates of a service that has persistence no more are not waited for.
   */
  until?: 'all' | 'established'
  /**
   * Time limit in seconds, after which it is removed with the connections it has. 300 by default; 0 removes at once what was brought to
   * weight 0.
   */
  timeout?: number
  /** Seconds between two looks at the connections. 0.25 by default. */
  interval?: number
}

/** What may be removed, and how. */
export interface PlanOptions {
  /**
   * Keys of the services that this is about. These are read and planned alone, so that it costs what they cost, however large the table is.
   * Everything else stays as it is, timeouts and sync daemons included; of the desired state nothing is looked at but keys and these
   * services. `prune` speaks of these only: a named service that is not desired goes.
   */
  only?: readonly ServiceKey[]
  /**
   * What may be removed of that which the desired state does not name: 'none' (the default) removes nothing, neither services nor
   * destinations nor sync daemons; 'owned' what `owns` says; 'all' everything. Where `owns` is given, nothing else is ever touched, with
   * 'all' neither. Sync daemons are nobody's then: those that the desired state names are started and changed, the others are left alone.
   */
  prune?: 'none' | 'owned' | 'all'
  /**
   * The services that are this program's. The kernel has no place to keep an owner, so it is said each time; programs with different
   * services share a table. A desired service outside is refused before anything is sent.
   */
  owns?: Ownership
  /**
   * Whether (and how) destinations are drained before they are removed: brought to weight 0, and removed when their connections are gone.
   * One that another program configured in a way this library refuses to write is removed at once; the operation's reason says so.
   */
  drain?: boolean | DrainOptions
}

/** An operation, and why. */
export type PlannedOperation = Operation & { reason: string }

/** Something that a plan cannot do anything about. */
export interface PlanWarning {
  /**
   * 'left-over': the table has more than the desired state, and `prune` keeps it. 'refuses-clients': at weight 0 the scheduler turns
   * clients away. 'sysctl': a setting decides what becomes of a drained destination's clients. 'inactive-connections': draining waits for
   * closed connections, for longer than the options make one expect. 'cannot-remove': an entry of another program, of a kind that this
   * library cannot name to the kernel. 'order': the scheduler (mh, sh, dh) chooses by the order in which destinations were added, and that
   * is neither the order of the desired list nor that of addresses, so a director that makes its table anew chooses otherwise.
   */
  code: 'left-over' | 'refuses-clients' | 'sysctl' | 'inactive-connections' | 'cannot-remove' | 'order'
  message: string
  service?: ServiceKey
}

/** A destination that has to go and still has connections, or had them when the table was read. */
export interface DrainingDestination {
  service: ServiceKey
  destination: DestinationKey
  activeConnections: number
  inactiveConnections: number
  persistentConnections: number
}

/** What makes the table what it should be. Plain data: `JSON.stringify` and `structuredClone` take it, `formatPlan` prints it. */
export interface Plan {
  /**
   * The smallest list of operations, in an order that serves traffic throughout: what is new is added and what differs is changed before
   * anything is removed, capacity grows before it shrinks. Empty where nothing is to be done.
   */
  operations: PlannedOperation[]
  warnings: PlanWarning[]
  /**
   * Of a plan that `plan` made: digests of what the services that it is about were like, by which `apply` knows whether any has changed
   * since. Goes with the plan, through JSON too.
   */
  basis?: Record<string, string>
  /** With `drain`: destinations at weight 0 that wait for their connections to go, those that the operations bring there included. */
  draining?: DrainingDestination[]
}

/** How far an `apply` is. */
export interface ApplyProgress {
  phase: 'changing' | 'draining' | 'undoing'
  /** Operations of the phase that were sent. */
  completed: number
  /** Operations of the phase that are known of so far. */
  total: number
  /** What is still waited for. */
  draining: DrainingDestination[]
}

/** Options of `apply`. */
export interface ApplyOptions extends PlanOptions {
  /** Plans only. */
  dryRun?: boolean
  /**
   * Ends the work between two batches, and the waiting for connections. What was done stays; the `AbortError` has it as `result`, with an
   * empty plan where there was none yet.
   */
  signal?: AbortSignal
  /** Called after each batch, and after each look at draining destinations. */
  onProgress?: (progress: ApplyProgress) => void
  /**
   * If the kernel refuses anything, the inverse of everything that was done is sent. Best effort: counters and connections do not come
   * back, other programs see the state in between, and what could not be undone is in the result. What draining removed is not undone.
   */
  rollback?: boolean
  /**
   * Reads the table once more before anything is written; if another program changed what matters in between, plans anew, at most
   * `attempts` times (5). Then `apply` rejects with `ERR_IPVS_TABLE_CHANGING`, and nothing was sent. The kernel has no transaction, so a
   * window remains, from the end of that last reading until the operations arrive: entries that appear or go in it lead to refusals
   * (EEXIST, ENOENT, ESRCH), never to an operation on another entry than meant; a changed entry is overwritten.
   */
  concurrencyCheck?: boolean | { attempts?: number }
  /** Most operations sent together. Without it: as many as the handle's socket takes. */
  batchSize?: number
  /**
   * What is withheld where the kernel refuses something: 'service' (the default): of the service that it is about, no destination is
   * removed and no weight lowered; 'all': neither of any service, and no service is removed. With 'all', an address that moves to another
   * key does not lose its old service because the new one was refused. What is withheld is in the result; the next `apply` does it.
   */
  withhold?: 'service' | 'all'
}

/** Options of `apply` where it is given a plan: what is planned is said already. */
export type CarryOutOptions = Pick<ApplyOptions, 'dryRun' | 'signal' | 'onProgress' | 'rollback' | 'batchSize' | 'withhold'>

/**
 * How an `apply` ended. Each operation of the plan was done or refused, is unknown, was withheld, or was not sent; after a dry run all of
 * these are empty. Those that were done have no object. With `drain`, the operations count too that followed after the plan. Any error that
 * ends it in the middle, a closed handle's or what `onProgress` throws, has this as `result` too.
 */
export interface ApplyResult {
  plan: Plan
  /** Operations that are in force. */
  done: number
  /** Operations that the kernel refused, with its errors. The index is the place in the plan; what follows after the plan counts on. */
  refused: Refusal[]
  /** Operations whose answer was lost: they may be in force. The code of their error is 'ERR_IPVS_ANSWER_LOST'. */
  unknown: Refusal[]
  /** Operations that would take away what is not replaced, because something was refused: see `withhold`. They were not sent. */
  withheld: PlannedOperation[]
  /** How many others were not sent: for an overrun before them, because `rollback` came first, or because it ended early. */
  notSent: number
  /** With `drain`: destinations that are left at weight 0, because their removal was refused or not sent. */
  draining?: DrainingDestination[]
  /**
   * With `rollback`, if anything was refused: how many operations undid something, and which could not: the kernel refused them, or (not
   * sent) they would bring back what this library refuses to write. Their index is the place in the plan of what they undo.
   */
  rollback?: { undone: number, notUndone: Refusal[] }
}
