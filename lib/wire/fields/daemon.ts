import { index, textLength } from '../layout.js'

/**
 * Where the fields of a sync daemon are, from the start of its record. Each place is in units of the field's own size. Packing, reading and
 * comparing share this table.
 */

export const PRESENT = index('daemon', 'present', 'u32')
export const STATE = index('daemon', 'state', 'u32')
export const SYNC_ID = index('daemon', 'syncId', 'u32')
export const INTERFACE = index('daemon', 'interface', 'string')
export const MAX_LENGTH = index('daemon', 'maxLength', 'u16')
export const GROUP_FAMILY = index('daemon', 'groupFamily', 'u16')
export const GROUP = index('daemon', 'group', 'bytes')
export const PORT = index('daemon', 'port', 'u16')
export const TTL = index('daemon', 'ttl', 'u8')
export const INTERFACE_LENGTH = textLength('daemon', 'interface')
