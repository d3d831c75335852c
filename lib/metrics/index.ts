/**
 * Metrics for Prometheus, by way of prom-client (an optional peer dependency: `npm install prom-client`).
 *
 * @module ipvs/metrics
 */

export { IpvsCollector } from './collector.js'
export type { BackendLabel, CollectorOptions } from './collector.js'
