import { index } from '../layout.js'

/**
 * Where the fields of a destination are, from the start of its record. Each place is in units of the field's own size. Packing, reading and
 * comparing share this table.
 */

export const PRESENT = index('destination', 'present', 'u32')
export const FAMILY = index('destination', 'family', 'u16')
export const PORT = index('destination', 'port', 'u16')
export const ADDRESS = index('destination', 'address', 'bytes')
export const FORWARD = index('destination', 'forward', 'u32')
export const WEIGHT = index('destination', 'weight', 'i32')
export const UPPER_THRESHOLD = index('destination', 'upperThreshold', 'u32')
export const LOWER_THRESHOLD = index('destination', 'lowerThreshold', 'u32')
export const TUNNEL_TYPE = index('destination', 'tunnelType', 'u8')
export const TUNNEL_PORT = index('destination', 'tunnelPort', 'u16')
export const TUNNEL_FLAGS = index('destination', 'tunnelFlags', 'u16')
export const ACTIVE_CONNECTIONS = index('destination', 'activeConnections', 'u32')
export const INACTIVE_CONNECTIONS = index('destination', 'inactiveConnections', 'u32')
export const PERSISTENT_CONNECTIONS = index('destination', 'persistentConnections', 'u32')
