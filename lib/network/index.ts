/**
 * Who holds which addresses, and where packets go: what the kernel tells of a network namespace, read-only.
 *
 * @module ipvs/network
 */

export { Network, type NetworkOptions } from './network.js'
export type * from './types.js'
