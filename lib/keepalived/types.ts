import type { DirectorConfiguration } from '../configuration/index.js'

/** Something about a file that its author should know. */
export interface Diagnostic {
  /** Name of the file, as it was given or as `include` named it. */
  file: string
  /** From 1. */
  line: number
  /** From 1, counted in UTF-16 units as editors do. */
  column: number
  /**
   * An 'error' refuses the file. A 'warning' is a mistake that keepalived forgives, or something that is not done. A 'note' is something
   * that is done in another way than keepalived's.
   */
  severity: 'error' | 'warning' | 'note'
  /** What is wrong, and what happens because of it. */
  message: string
  /** What to write instead, or what to do. */
  advice: string
}

/** A file that an `include` line names. */
export interface IncludedFile {
  /** Its name, which `include` gets for the lines in it and which diagnostics have. */
  file: string
  /** What is in it; `undefined` where it cannot be read. */
  text?: string
  /** Why it cannot be read, or is left out: 'EACCES', 'is a directory'. */
  problem?: string
}

/** What `parseKeepalived` takes beside the text. All of it is about what keepalived would find on the machine; nothing is looked up. */
export interface ParseOptions {
  /** Name of the file, for diagnostics and for `include`. 'keepalived.conf' by default. */
  file?: string
  /**
   * Finds the files of an `include` line, in their order: regular files that match the pattern as glob(3) with braces does, relative to the
   * folder of `from`, the name of the file that has the line. Without it an `include` line is an error.
   */
  include?: (pattern: string, from: string) => readonly IncludedFile[]
  /** What lines that begin with `@ID` are compared with: keepalived's option `-i`, or the host's name up to its first dot. */
  id?: string
  /** What `${_ENV NAME}` stands for. */
  environment?: Readonly<Record<string, string | undefined>>
  /** What `${_INSTANCE}` stands for; `id` by default. */
  instance?: string
  /**
   * The user that runs programs for which the file names none: 'keepalived_script' where the machine has such a user, as keepalived does
   * it. Without it they run as the director does, and a warning says so.
   */
  scriptUser?: string
}

/** A program that a director may start, and where the file names it. */
export interface PlacedProgram {
  command: string[]
  user?: string
  group?: string
  file: string
  /** From 1. */
  line: number
  /** From 1. */
  column: number
}

/** An address of a VRRP instance. */
export interface VrrpAddress {
  /** IPv4 or IPv6 text, canonical. */
  address: string
  /** 32 or 128 by default. */
  prefixLength: number
  /** The interface that it is put on; the instance's by default. */
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
  /** The addresses that the master holds, those that are not in its advertisements included. */
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
   * 'vrrp': keepalived's VRRP process starts and stops them, `keepalived -P` too: leave them alone. 'director': nobody does with
   * `keepalived -P`; both roles are in the configuration's `daemons`.
   */
  by: 'vrrp' | 'director'
  syncId?: number
  maxLength?: number
  port?: number
  ttl?: number
  group?: string
}

/** What a director needs to know of the rest of the file: who holds which address, and where it is told. */
export interface Vrrp {
  instances: VrrpInstance[]
  groups: VrrpGroup[]
  /** Paths of the FIFOs that keepalived writes changes of state into: of everything, of VRRP alone, of the checkers alone. */
  fifos: { all?: string, vrrp?: string, lvs?: string }
  /** Files whose number keepalived follows, by name. */
  trackFiles: { name: string, file: string, weight: number }[]
  syncDaemon?: SyncDaemon
  /** Network namespace that keepalived runs in, and that of IPVS where it is another one. */
  netns?: string
  ipvsNetns?: string
}

/** What a file means. */
export interface Parsed {
  /** What a director is told by the file; `undefined` where a diagnostic is an error. */
  configuration: DirectorConfiguration | undefined
  vrrp: Vrrp
  /** The programs of the configuration, each once. Whether they are there, and whom they belong to, is not looked at here. */
  programs: PlacedProgram[]
  /** In the order of their places, file by file. */
  diagnostics: Diagnostic[]
}
