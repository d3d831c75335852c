import type { DirectorConfiguration } from '../../configuration/index.js'
import type { ArgumentError } from '../../model/errors.js'

/** TLS to etcd. Files are read when an endpoint comes into use, so renewed ones count from the next connection after a failure. */
export interface EtcdTls {
  /** File with the certificates of the authorities that etcd's certificate must come from; the system's by default. */
  authorities?: string
  /** File with the client's certificate. Needed where etcd runs with --client-cert-auth. */
  certificate?: string
  /** File with the key of the client's certificate. */
  key?: string
  /** Password of the key file. */
  passphrase?: string
  /** The name that etcd's certificate must have; the endpoint's by default. */
  serverName?: string
}

/** How a cluster is reached. All times are seconds, fractions allowed. */
export interface EtcdOptions {
  /** Addresses for clients, such as 'https://10.0.0.1:2379'. All members of one cluster; one is used at a time. */
  endpoints: string | readonly string[]
  /** TLS, where endpoints begin with 'https:'. */
  tls?: EtcdTls
  /**
   * Name of a user of etcd. Its gateway does not learn the name in a client's certificate, so roles need this and `password`.
   */
  user?: string
  /** The user's password, or a function that finds it; it is called for each token, so that a password can be changed. */
  password?: string | (() => string | Promise<string>)
  /** Seconds until an answer must be there, 0.05 to 3,600. 5 by default. */
  timeout?: number
  /**
   * Seconds between two questions on a watch whether the member is still there, 0.05 to 3,600. 2 by default. Three without an answer mean
   * that it is not.
   */
  heartbeat?: number
}

/** Options of {@link followEtcd}. */
export interface FollowOptions extends EtcdOptions {
  /** What all keys of the fleet begin with: '/ipvs'. A slash at the end is ignored. */
  prefix: string
  /**
   * Directory of the programs that values may name, as an absolute path. Without it (the default) a value that names a program is refused:
   * whoever may write to etcd could run anything on every director.
   */
  scripts?: string
  /**
   * What else there is to object to in a configuration of one service: what this machine cannot do, for one. It is asked of each new value,
   * and refuses that value alone. Mistakes name their field: 'services[0].checks[0]'.
   */
  objections?: (configuration: DirectorConfiguration) => readonly ArgumentError[]
  /** File that keeps the last configuration for the next start, as an absolute path, in case etcd is away then. None by default. */
  copy?: string
  /** Ends it. */
  signal?: AbortSignal
}

/** A key whose value is refused. What it stands for stays as it was, or is left out if it never was good. */
export interface KeyProblem {
  /** The whole key: '/ipvs/v1/services/web'. */
  key: string
  /** What is wrong, all mistakes of the value. */
  message: string
  /** Mistakes that the configuration's validation found. Empty for others, such as text that is no JSON. */
  mistakes: readonly ArgumentError[]
}

/** A whole list was read. */
export interface Listed {
  /**
   * Why: at the 'start'; 'compacted', because revisions after the last one seen are no longer kept; or 'history', because the cluster is
   * another one than before or was restored from an older backup.
   */
  why: 'start' | 'compacted' | 'history'
  revision: number
  /** Keys that were read. */
  keys: number
}

/** Events of an {@link EtcdFollower} and their arguments. */
export interface EtcdFollowerEvents {
  /** The value of a key is refused. Told again where the reason changes. */
  problem: [KeyProblem]
  /** A key that had a problem has none any more, or is gone. */
  solved: [{ key: string }]
  /** The cluster cannot be read: once for each reason, until it is back. Everything stays as it was. */
  away: [{ error: Error, endpoint: string }]
  /** The cluster can be read again, or for the first time. */
  back: [{ endpoint: string, revision: number }]
  /** A whole list was read. */
  listed: [Listed]
  /**
   * The cluster has lost its history, and there is no service in it where there were some: it was set up anew. The services stay as they
   * were until there is one.
   */
  emptied: [{ endpoint: string, services: number }]
  /**
   * Somebody writes a configuration that needs several transactions (`ipvs fleet apply`), and everything stays as it is until it is
   * written. Told once; where it never ends, the same has to be applied again.
   */
  held: [{ by: string, since: string }]
  /** The configuration of the copy is in use, because no endpoint answered. */
  copied: [{ file: string, revision: number }]
  /** The copy could not be read or written. */
  uncopied: [{ file: string, error: Error }]
  /** It has ended. */
  closed: []
}

/** How an {@link EtcdFollower} stands. */
export interface EtcdFollowerStatus {
  /** Whether the cluster is watched now. */
  connected: boolean
  /** The endpoint in use. */
  endpoint: string
  /** Revision of the last change that was seen; missing before there is any. */
  revision?: number
  /** Number of services in the configuration. */
  services: number
  /** Keys whose values are refused. */
  problems: KeyProblem[]
}
