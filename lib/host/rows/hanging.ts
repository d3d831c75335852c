import type { Watched } from '../traffic.js'

/** Whether handshakes with a destination do not end: most of its connections hang there, and none got on between the looks. */
export const hangs = ({ stuck, served, progressed }: Watched): boolean => stuck.length > served && !progressed
