// Without @types/node, TypeScript says that it cannot find the type definition file for 'node': npm install --save-dev @types/node
/// <reference types="node" preserve="true" />

/**
 * Metrics for Prometheus, written as text, which needs no package, or through prom-client (an optional peer dependency: `npm install
 * prom-client`).
 *
 * @module ipvs/metrics
 */

export { IpvsCollector } from './collector.js'
export type { CollectorOptions, MetricsRegistry } from './collector.js'
export type { MeasuredDirector, MeasuredStatus } from './measured-director.js'
export type { BackendLabel } from './families.js'
export type { MetricsOptions } from './options.js'
export { MetricsWriter } from './writer.js'
export type { WriterOptions } from './writer.js'
