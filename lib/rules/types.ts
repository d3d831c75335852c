import type { Operation, Protocol, Table } from '../model/types.js'

/** The same shape, with ports that may be names of the services database ('http'); addresses may be host names. */
export type Named<T> = T extends (infer Element)[]
  ? Named<Element>[]
  : T extends object
    ? { [Property in keyof T]: Property extends 'port' ? T[Property] | string : Named<T[Property]> }
    : T

/** Where a command stands in its text. */
export interface Position {
  /** From 1. */
  line: number
  /** Column of the line's first word, from 1. */
  column: number
}

/** A name in place of a number, and where it stands. */
export interface NameReference {
  kind: 'host' | 'service'
  name: string
  /** For services: the protocol whose entry in the services database is meant. */
  protocol?: Protocol
  line: number
  column: number
}

/** An operation that a line of rules stands for. */
export type RuleOperation = Operation & Position

/** The same, its hosts and services possibly by name. */
export type NamedRuleOperation = Named<Operation> & Position

/** A table whose hosts and services may be given by name. */
export type NamedTable = Named<Table>

/** How to read rules. */
export interface ReadOptions {
  /**
   * What to do with names of hosts and services: 'keep' (the default) leaves them where an address or port stands, for
   * `resolveNames`; 'refuse' takes them for mistakes, so that what comes back can be sent as it is.
   */
  names?: 'keep' | 'refuse'
}
