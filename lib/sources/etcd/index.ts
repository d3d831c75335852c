// Without @types/node, TypeScript says that it cannot find the type definition file for 'node': npm install --save-dev @types/node
/// <reference types="node" preserve="true" />

/**
 * A fleet's configuration in etcd: {@link followEtcd} follows the services below a prefix. It speaks to etcd's JSON gateway, which every
 * member has from etcd 3.4 on.
 *
 * @module ipvs/etcd
 */

export { EtcdError } from './error.js'
export { EtcdFollower, followEtcd } from './follow.js'
export type * from './types.js'
