import type { Watched } from '../traffic.js'

/**
 * Whether handshakes with a destination do not end: most of its connections hang there, none got on between the looks, and somebody still
 * tries.
 */
export const hangs = ({ stuck, served, progressed, isTried }: Watched): boolean => stuck.length > served && !progressed && isTried
