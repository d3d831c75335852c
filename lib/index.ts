// Without @types/node, TypeScript says that it cannot find the type definition file for 'node': npm install --save-dev @types/node
/// <reference types="node" preserve="true" />

/**
 * IPVS, the Linux kernel's load balancer, for Node programs.
 *
 * {@link Ipvs} answers with promises, {@link IpvsSync} directly. Both manage virtual services, their destinations, statistics, timeouts and
 * sync daemons.
 *
 * @module ipvs
 */

export { Ipvs } from './ipvs.js'
export { IpvsSync } from './ipvs-sync.js'
export { AbortError, BatchError } from './model/batch.js'
export type { BatchOptions, BatchResult, Refusal } from './model/batch.js'
export { IpvsError } from './model/errors.js'
export type { ArgumentError, ArgumentErrorCode, Failure, OpenReason } from './model/errors.js'
export type { AsyncBatchInput, BatchInput } from './client/batch.js'
export type { BatchBuilder, ChangeMethods, Promised, ReadMethods } from './client/methods.js'
export type { Connection, ConnectionEnd, ConnectionFilter, ProcessorTotals, Totals } from './proc/types.js'
export type { Sysctl, SysctlName, SysctlSync, SysctlValue } from './proc/sysctl.js'
export { formatPlan } from './state/format.js'
export type { ReconcileOptions } from './state/pace.js'
export type { Reconciler, ReconcilerEvents } from './state/reconcile.js'
export type { InForce } from './state/wanted.js'
export type * from './state/types.js'
export type { Change, Observation, Traffic, WatchOptions } from './state/watch.js'
export type { BatchTrace } from './client/tracing.js'
export type * from './model/types.js'
