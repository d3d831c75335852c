import type { DirectorConfiguration } from '../configuration/index.js'

/** Something about a file that its author should know. */
export interface Diagnostic {
  /** Name of the file, as it was given or as `include` named it. */
  file: string
  /** Counted from 1. */
  line: number
  /** Counted from 1, in UTF-16 units, as editors do. */
  column: number
  /**
   * An 'error' refuses the file. A 'warning' reports a mistake that keepalived tolerates, or a line that has no effect. A 'note' reports
   * something that works in another way than in keepalived.
   */
  severity: 'error' | 'warning' | 'note'
  /** What is wrong, and what happens because of it. */
  message: string
  /** What to write instead, or what to do. */
  advice: string
}

/** A file that an `include` line names. */
export interface IncludedFile {
  /** Its name, for diagnostics. It is also the `from` of `include` lines in this file. */
  file: string
  /** Its contents; `undefined` if it cannot be read. */
  text?: string
  /** Why it cannot be read, or is left out: 'EACCES', 'is a directory'. */
  problem?: string
}

/** What `parseKeepalived` takes besides the text: facts that keepalived would look up on the machine. `parseKeepalived` does not. */
export interface ParseOptions {
  /** Name of the file, for diagnostics and for `include`. 'keepalived.conf' by default. */
  file?: string
  /**
   * Finds the files of an `include` line, in their order: the regular files that match the pattern as in glob(3) with braces. The pattern
   * is relative to the folder of `from`, the file that has the line. Without this option, an `include` line is an error.
   */
  include?: (pattern: string, from: string) => readonly IncludedFile[]
  /** The id that lines beginning with `@ID` are compared with: keepalived's option `-i`, or the host's name up to its first dot. */
  id?: string
  /** Environment variables, for `${_ENV NAME}`. */
  environment?: Readonly<Record<string, string | undefined>>
  /** What `${_INSTANCE}` stands for; `id` by default. */
  instance?: string
  /**
   * The user that runs programs for which the file names none. keepalived takes 'keepalived_script' if the machine has such a user. Without
   * this option, these programs run as the director's own user, and a warning says so.
   */
  scriptUser?: string
}

/** A program that a director may start, and where the file names it. */
export interface PlacedProgram {
  command: string[]
  user?: string
  group?: string
  file: string
  /** Counted from 1. */
  line: number
  /** Counted from 1. */
  column: number
}

/** A file of TLS that the block `SSL` names, and where. */
export interface PlacedTlsFile {
  /** What it is in `TlsOptions`. */
  name: 'authorities' | 'certificate' | 'key'
  path: string
  file: string
  /** Counted from 1. */
  line: number
  /** Counted from 1. */
  column: number
}

/** An address of a VRRP instance. */
export interface VrrpAddress {
  /** IPv4 or IPv6 text, canonical. */
  address: string
  /** 32 or 128 by default. */
  prefixLength: number
  /** The interface that gets the address; the instance's by default. */
  interface?: string
}

/** A program that keepalived starts at a change of state. */
export interface VrrpProgram {
  /** 'notify', 'notify_master', … */
  keyword: string
  command: string[]
  user?: string
  group?: string
}

/** A VRRP instance, as far as a director needs to know it. */
export interface VrrpInstance {
  name: string
  interface?: string
  /** 1-255. */
  virtualRouterId?: number
  /** 100 by default. */
  priority: number
  /** The addresses that the master holds, including those that its advertisements leave out. */
  addresses: VrrpAddress[]
  programs: VrrpProgram[]
}

/** Instances that change state together. */
export interface VrrpGroup {
  name: string
  /** Names of its instances. */
  instances: string[]
  programs: VrrpProgram[]
}

/** Who runs the connection synchronisation daemons, and how. */
export interface SyncDaemon {
  interface: string
  /** Name of the VRRP instance whose state decides the role. */
  instance?: string
  /**
   * 'vrrp': keepalived's VRRP process starts and stops the daemons, with `keepalived -P` too, so a director must leave them alone.
   * 'director': `keepalived -P` does not start them, so the configuration's `daemons` has both roles.
   */
  by: 'vrrp' | 'director'
  syncId?: number
  maxLength?: number
  port?: number
  ttl?: number
  group?: string
}

/** What a director needs from the rest of the file: which instance holds which address, and where keepalived writes changes of state. */
export interface Vrrp {
  instances: VrrpInstance[]
  groups: VrrpGroup[]
  /** Paths of the FIFOs that keepalived writes changes of state into: all changes, those of VRRP, and those of the checkers. */
  fifos: { all?: string, vrrp?: string, lvs?: string }
  /** The track files: files with a number that keepalived watches. */
  trackFiles: { name: string, file: string, weight: number }[]
  syncDaemon?: SyncDaemon
  /** The network namespace that keepalived runs in. */
  netns?: string
  /** The network namespace of IPVS, if it is another one. */
  ipvsNetns?: string
}

/** The result of `parseKeepalived`. */
export interface Parsed {
  /** The director's configuration; `undefined` if a diagnostic is an error. */
  configuration: DirectorConfiguration | undefined
  vrrp: Vrrp
  /** The programs of the configuration, each once. `parseKeepalived` does not check whether they exist or who owns them. */
  programs: PlacedProgram[]
  /** The files of TLS that the block `SSL` names. `parseKeepalived` does not look at them. */
  tlsFiles: PlacedTlsFile[]
  /** Sorted by file, line and column. */
  diagnostics: Diagnostic[]
}
