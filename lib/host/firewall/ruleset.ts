/** The rules of a network namespace's firewall, as nf_tables has them: `include/uapi/linux/netfilter/nf_tables.h`. */

export type Family = 'inet' | 'ip' | 'ip6'

/** Where packets pass base chains. The numbers are those of `enum nf_inet_hooks`. */
export const HOOKS = ['prerouting', 'input', 'forward', 'output', 'postrouting'] as const
export type Hook = typeof HOOKS[number]

/** Bytes of a packet, or of what is loaded from it; `undefined` for one that could be anything. */
export type Bytes = readonly (number | undefined)[]

export type Verdict = 'accept' | 'drop' | 'return' | 'continue' | { jump: string } | { goto: string }

/** Where a value is kept while a rule is worked off: the first byte in the registers. */
export type Register = number

/** A part of a rule. What is not listed here could do anything. */
export type Expression =
  | { type: 'load', from: 'network' | 'transport', offset: number, length: number, into: Register }
  | { type: 'load', from: 'protocol' | 'family' | 'state' | 'incoming' | 'outgoing' | 'incomingIndex' | 'outgoingIndex', into: Register }
  | { type: 'load', from: 'unknown', into: Register }
  | { type: 'compare', register: Register, operator: '==' | '!=' | '<' | '<=' | '>' | '>=', value: Bytes }
  | { type: 'range', register: Register, inside: boolean, from: Bytes, to: Bytes }
  | { type: 'mask', from: Register, into: Register, and: Bytes, xor: Bytes }
  | { type: 'lookup', set: string, register: Register, inverted: boolean, into: Register | 'verdict' | undefined }
  | { type: 'set', into: Register, value: Bytes }
  | { type: 'verdict', verdict: Verdict }
  /** Looks at the state of connections: bits as of 'ct state'. */
  | { type: 'state', bits: number, inverted: boolean }
  /** Looks at ports from one number to another. */
  | { type: 'ports', of: 'source' | 'destination', from: number, to: number, inverted: boolean }
  /** Translates addresses, and ends the chain. */
  | { type: 'translate' }
  /** From here on the connection is not tracked. */
  | { type: 'untrack' }
  /** Changes nothing that matters here: counts, writes to the log. */
  | { type: 'aside' }
  /** Something that is true for some packets. */
  | { type: 'condition' }
  | { type: 'unknown' }

export interface Chain {
  table: string
  name: string
  /** Left out for chains that only others jump to. */
  base?: { hook: Hook, priority: number, type: string, policy: 'accept' | 'drop' }
  /** Each rule's expressions. */
  rules: Expression[][]
}

/** An element of a set: a value, or a range of values where `to` is there; with a verdict in a verdict map. */
export interface Element {
  from: Bytes
  to?: Bytes
  verdict?: Verdict
}

export interface Ruleset {
  /** By table, as {@link tableId} has it, and name. */
  chains: Map<string, Chain>
  sets: Map<string, { elements: Element[] } | 'unknown'>
}

/** Bits of the state of a connection. */
export const STATE = { invalid: 1, established: 2, related: 4, new: 8, untracked: 64 } as const

export const tableId = (family: Family, table: string): string => `${family} ${table}`
export const memberId = (table: string, name: string): string => `${table} ${name}`
export const familyOfTable = (table: string): Family => table.split(' ', 1)[0] as Family
