// Without @types/node, TypeScript says that it cannot find the type definition file for 'node': npm install --save-dev @types/node
/// <reference types="node" preserve="true" />

/**
 * Who holds which addresses, and where packets go: what the kernel tells of a network namespace, read-only.
 *
 * @module ipvs/network
 */

export { Network, type NetworkOptions } from './network.js'
export type * from './types.js'
