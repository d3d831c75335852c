import { index, textLength } from '../layout.js'

/**
 * Where the fields of a service are, from the start of its record. Each place is in units of the field's own size. Packing, reading and
 * comparing share this table.
 */

export const PRESENT = index('service', 'present', 'u32')
export const FAMILY = index('service', 'family', 'u16')
export const PROTOCOL = index('service', 'protocol', 'u16')
export const PORT = index('service', 'port', 'u16')
export const FWMARK = index('service', 'fwmark', 'u32')
export const ADDRESS = index('service', 'address', 'bytes')
export const FLAGS = index('service', 'flags', 'u32')
export const FLAGS_MASK = index('service', 'flagsMask', 'u32')
export const TIMEOUT = index('service', 'timeout', 'u32')
export const NETMASK = index('service', 'netmask', 'u32')
export const SCHEDULER = index('service', 'scheduler', 'string')
export const ENGINE = index('service', 'persistenceEngine', 'string')
export const SCHEDULER_LENGTH = textLength('service', 'scheduler')
export const ENGINE_LENGTH = textLength('service', 'persistenceEngine')
