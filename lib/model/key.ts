import type { FirewallMarkServiceKey } from './types.js'

/**
 * Whether a service is recognised by a firewall mark. A property that is `undefined` counts as left out, here as everywhere: `{ protocol, address, port, fwmark: undefined }`
 * is recognised by its address.
 */
export const hasMark = (service: object): service is FirewallMarkServiceKey => (service as Partial<FirewallMarkServiceKey>).fwmark !== undefined
