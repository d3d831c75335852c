// Without @types/node, TypeScript says that it cannot find the type definition file for 'node': npm install --save-dev @types/node
/// <reference types="node" preserve="true" />

/**
 * What a machine must be prepared with for load balancing, looked at and told: {@link examineDirector} and {@link examineRealServer} find
 * what is missing, whom it breaks, what the client sees, and what mends it. They change nothing.
 *
 * @module ipvs/doctor
 */

export { examineDirector, examineRealServer } from './examine.js'
export type * from './types.js'
