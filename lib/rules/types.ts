import type { Operation, Protocol, Table } from '../model/types.js'

/** The same shape, in which ports may be names of the services database ('http') and addresses may be host names. */
export type Named<T> = T extends (infer Element)[]
  ? Named<Element>[]
  : T extends object
    ? { [Property in keyof T]: Property extends 'port' ? T[Property] | string : Named<T[Property]> }
    : T

/** The place of a command in its text. */
export interface Position {
  /** From 1. */
  line: number
  /** The column of the line's first word, from 1. */
  column: number
}

/** A name in place of a number, and where it stands. */
export interface NameReference {
  kind: 'host' | 'service'
  name: string
  /** For services: the protocol under which the services database is searched. */
  protocol?: Protocol
  line: number
  column: number
}

/** The operation of a line of rules. */
export type RuleOperation = Operation & Position

/** The operation of a line of rules, which may have names of hosts and services. */
export type NamedRuleOperation = Named<Operation> & Position

/** A table that may have names of hosts and services. */
export type NamedTable = Named<Table>

/** How to read rules. */
export interface ReadOptions {
  /**
   * What to do with names of hosts and services. 'keep' (the default) leaves them in place of addresses and ports, for `resolveNames`.
   * 'refuse' treats them as mistakes, so the result can be sent as it is.
   */
  names?: 'keep' | 'refuse'
}
