import { tracingChannel } from 'node:diagnostics_channel'

/** What subscribers of `tracingChannel('ipvs:batch')` get: one object for each transaction, the same in all of its events. */
export interface BatchTrace {
  /** Number of requests that travel together. */
  requests: number
  /** Bytes they are packed in. */
  bytes: number
  /** Set when the answer has come: how many requests were not carried out. */
  failed?: number
  /** Set when the transaction could not be started. */
  error?: unknown
}

/**
 * Events of `tracingChannel('ipvs:batch')`: `start` and `end` around handing a transaction over (in `IpvsSync`: around the whole of it),
 * `asyncStart` and `asyncEnd` around settling its promises, `error` if it could not be started. Without subscribers it costs one check.
 *
 * A subscriber may use the handle that an event is about, and gets events of its own calls too. Its calls take their place in the order of
 * calls. With `IpvsSync` they are carried out at once; those made at `start` come before the transaction that starts.
 */
// Both types are the same one, because @types/node 26 has the two in the other order.
export const batchChannel = tracingChannel<BatchTrace, BatchTrace>('ipvs:batch')
