import type { Agreement } from './agreement.js'
import type { CheckFailure } from '../checks/index.js'
import type { DirectorConfiguration } from '../configuration/types.js'
import type { Ipvs } from '../ipvs.js'
import type { DestinationKey, ServiceKey } from '../model/types.js'
import type { ReconcileOptions } from '../state/pace.js'
import type { ReconcilerEvents } from '../state/reconcile.js'
import type { DrainOptions, Ownership } from '../state/types.js'

/** Options of a {@link Director}. All times are in seconds, fractions allowed. */
export interface DirectorOptions extends Pick<ReconcileOptions, 'interval' | 'jitter' | 'backOff'> {
  /**
   * The handle whose table is directed; checks run in its network namespace. It stays the caller's, and open until the director is closed.
   */
  ipvs: Ipvs
  /** What is to be done: a configuration, or an async iterable of them (a file that is followed). Left out: what `set()` says later. */
  configuration?: DirectorConfiguration | AsyncIterable<DirectorConfiguration>
  /**
   * How destinations leave that are taken out of the configuration, and the fallback when it serves no more: with weight 0 until their
   * connections are gone. True by default; false removes them at once. A destination that is down leaves at once either way: its
   * connections have nobody to go to.
   */
  drain?: boolean | DrainOptions
  /** Whether the whole table is the director's: services that the configuration does not name are removed. False by default. */
  prune?: boolean
  /**
   * Services that are the director's even before a configuration has named them: they are removed where it does not. By default those that
   * its configurations have named since it began.
   */
  owns?: Ownership
  /**
   * Whether the services that configurations have named are remembered in a file, so that the next director removes what is taken out while
   * none runs: true for a file of the network namespace in /run/ipvs, or the file's absolute path. False by default.
   *
   * It is written before the table is changed. What it says counts until the machine is started again, and as long as none but root (or the
   * user of this process) could have changed it.
   */
  remember?: boolean | string
  /** Sockets of checks that are open at once, at most. 2,000 by default. */
  sockets?: number
  /** Programs of checks that run at once, at most. 32 by default. */
  programs?: number
  /**
   * What directors of a fleet see together decides which destinations are up, instead of the own checks alone. It is of one director.
   */
  agreement?: Agreement
  /**
   * Addresses that move between directors: the event 'holding' tells whether this machine has them. By default those of the services.
   */
  addresses?: readonly string[]
  /**
   * Absolute path of the FIFO that keepalived writes its states into (`vrrp_notify_fifo`): the event 'vrrp'. It is made where it is
   * missing; make it before keepalived starts, which otherwise removes its own when it ends. By default none is read.
   */
  fifo?: string
}

/** An address that moves between directors. */
export interface HeldAddress {
  /** Canonical. */
  address: string
  /** Whether this machine has it, on any interface. */
  held: boolean
  /** Since when it does, or does not, in milliseconds as of `Date.now()`. */
  since: number
  /** The interface that has it. */
  interface?: string
  /**
   * Hardware addresses of other machines that answer for it as well, to ARP or a neighbour solicitation; missing where none does, and where
   * it could not be asked (no CAP_NET_RAW).
   */
  sharedWith?: string[]
}

/** This machine has other addresses than before. */
export interface HoldingChange {
  /** How many of the addresses that are looked for it has. */
  held: 'all' | 'some' | 'none'
  /** Addresses that came, and that went. */
  came: string[]
  went: string[]
  /** In words: '192.0.2.1 came to eth0'. */
  why: string
  /** Since when `held` is what it is, in milliseconds as of `Date.now()`. */
  at: number
}

/** A state that keepalived has told of. */
export interface VrrpState {
  type: 'instance' | 'group'
  name: string
  state: 'MASTER' | 'BACKUP' | 'FAULT' | 'STOP' | 'DELETED'
  /** 0 of a group. */
  priority: number
  /** In milliseconds as of `Date.now()`. */
  at: number
}

/** Other machines answer for an address that this one has, to ARP or a neighbour solicitation, or no more do. */
export interface SharedAddress {
  address: string
  interface?: string
  /** Hardware addresses of the others; none when it is over. */
  hardware: string[]
}

/** Whether this machine has the addresses that move between directors. */
export interface HoldingStatus {
  held: HoldingChange['held']
  /** Since when, in milliseconds as of `Date.now()`. */
  since: number
  addresses: HeldAddress[]
  /** What keepalived has written into the FIFO last, of each instance and group; empty without one. */
  vrrp: VrrpState[]
}

/** A destination came up, went down, or has another weight. */
export interface DestinationChange {
  service: ServiceKey
  destination: DestinationKey
  up: boolean
  /** The weight that it has while it is up. */
  weight: number
  /** When, in milliseconds as of `Date.now()`. */
  at: number
  /** The check whose answer decided: 'GET /service.txt'. Missing where a configuration did. */
  check?: string
  /** What it found: 'GET /service.txt answered 503'. */
  words?: string
  /** After how many answers in a row. */
  answers?: number
  /** Seconds that the last good answer of that check took. */
  lastGood?: number
}

/** The quorum of a service is reached, or lost. Of each service it is told once when the service is new. */
export interface QuorumChange {
  service: ServiceKey
  reached: boolean
  /** Weight that the living destinations have together. */
  weight: number
  /** Weight that they need. */
  quorum: number
  /** Whether the fallback serves. */
  fallback: boolean
}

/** A destination that was taken out of the configuration has left the table. */
export interface Drained {
  service: ServiceKey
  destination: DestinationKey
  /** Connections that it had when it was removed, closed ones that are remembered included: 0, unless its time to drain had passed. */
  connections: number
}

/** A program to notify has ended. */
export interface ProgramEnd {
  command: string[]
  service: ServiceKey
  /** Missing where it was about the quorum. */
  destination?: DestinationKey
  /** 'good' for exit status 0; 'untried' where this machine could not start it. */
  outcome: 'good' | 'bad' | 'untried'
  /** How it ended, and what it printed. */
  words: string
  /** Seconds that it took. */
  duration: number
}

/** A check could not be tried, or can be tried again. It changes no state. */
export interface Trouble {
  destinations: { service: ServiceKey, destination: DestinationKey }[]
  check: string
  /** Why not; missing when the trouble is over. */
  words?: string
}

/** The file of the services that were named could not be read or written. The director goes on without it. */
export interface MemoryTrouble {
  file: string
  /** What could not be done, and why. */
  words: string
}

/** Events of a {@link Director} and their arguments. */
export interface DirectorEvents {
  /**
   * A destination came up. Those that are up when the director takes them over, or takes them in, have come up for nobody: `status()` has
   * them, and `quorum` is told once of each service.
   */
  up: [DestinationChange]
  /** A destination went down. */
  down: [DestinationChange]
  /** The checks of a destination say another weight. */
  weight: [DestinationChange]
  /** The quorum of a service is reached, or lost. */
  quorum: [QuorumChange]
  /** Something was done in the table, or refused: what, and why. */
  applied: ReconcilerEvents['applied']
  /** The table is as it should be. */
  converged: ReconcilerEvents['converged']
  /** A destination that was taken out of the configuration has left the table. Only where `drain` is not false. */
  drained: [Drained]
  /**
   * It did not work; the next attempt comes after so many seconds. `Infinity`: a configuration was refused, or there are no more of them;
   * the last good one stays in force. It has no consequences if nobody listens.
   */
  failed: [{ error?: unknown, result?: ReconcilerEvents['failed'][0]['result'], retryIn: number }]
  /** A check could not be tried, or can be tried again. */
  trouble: [Trouble]
  /** The own checks see a destination up or down, and the fleet does not agree: nothing changes. Only with `agreement`. */
  outvoted: [DestinationChange]
  /** A bad answer to a check with `logEachFailure` that decided nothing. */
  bad: [Omit<CheckFailure, 'id'> & { service: ServiceKey, destination: DestinationKey }]
  /** A program to notify has ended. */
  program: [ProgramEnd]
  /** Services of the table that are not the director's. They are left as they are, and told once. */
  foreign: [ServiceKey[]]
  /** The services that were named could not be remembered, or not be looked up. Only with `remember`. */
  memory: [MemoryTrouble]
  /** This machine has other addresses of those that move between directors; told at the start too. */
  holding: [HoldingChange]
  /** keepalived has told of a state. Only with `fifo`. */
  vrrp: [VrrpState]
  /** keepalived has closed the FIFO for good: it has ended, or was killed, which leaves the addresses where they are. Only with `fifo`. */
  vrrpGone: [{ held: HoldingChange['held'] }]
  /** Another machine has an address that this one has, or no more. */
  shared: [SharedAddress]
  /** The thread of the checks ended by itself, which is a fault of this package. It is started again, and goes on from what was known. */
  restarted: [Error]
  /** The director has ended. */
  closed: []
}

/** How a destination stands. */
export interface DirectedDestinationStatus {
  destination: DestinationKey
  up: boolean
  /** Since when, in milliseconds as of `Date.now()`. */
  since: number
  /** How often it came up and went down since it was first named. */
  ups: number
  downs: number
  /** The weight that it should have in the table now; missing where it should not be there. */
  weight?: number
  /** The check that decided last, and what it found. */
  check?: string
  words?: string
}

/** How a service stands. */
export interface DirectedServiceStatus {
  service: ServiceKey
  group?: string
  /** Whether the quorum is reached. */
  quorum: boolean
  /** Whether the fallback serves. */
  fallback: boolean
  destinations: DirectedDestinationStatus[]
  /** Destinations that are taken out of the configuration, and still have connections. */
  draining: DestinationKey[]
  /** Present where its checks rest, because this machine does not have its address (`onlyWhileHeld`). */
  resting?: true
}

/** How everything stands, as far as it is known without asking anybody. */
export interface DirectorStatus {
  services: DirectedServiceStatus[]
  /** Who holds the addresses; missing before that is known, and where no service has one. */
  holding?: HoldingStatus
  /** Whether a configuration is in force. */
  inForce: boolean
  /** Numbers since the director began. */
  counts: {
    /** Changes that were made in the table. */
    applied: number
    /** Changes that the kernel refused, each try counted. */
    refused: number
    /** What did not work: the events 'failed'. */
    failed: number
    /** How programs to notify ended. */
    programs: Record<ProgramEnd['outcome'], number>
  }
  /** When the table was last seen to be as it should be, or was changed, in milliseconds as of `Date.now()`; missing before that. */
  looked?: number
}
