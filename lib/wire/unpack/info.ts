import { bits, index } from '../layout.js'
import type { Info, Timeouts } from '../../model/types.js'
import type { Reply, View } from './reply.js'

const VERSION = index('info', 'version', 'u32')
const TABLE_SIZE = index('info', 'connectionTableSize', 'u32')
const TCP = index('config', 'tcp', 'u32')
const TCP_FIN = index('config', 'tcpFin', 'u32')
const UDP = index('config', 'udp', 'u32')
const PRESENT = index('config', 'present', 'u32')

export function readInfo({ u32 }: Reply, at: number): Info {
  const version = u32[(at >>> 2) + VERSION]
  return {
    version: `${version >> 16 & 255}.${version >> 8 & 255}.${version & 255}`,
    connectionTableSize: u32[(at >>> 2) + TABLE_SIZE],
  }
}

export function readTimeouts({ u32 }: Reply, at: number): Timeouts {
  const at4 = at >>> 2
  return { tcp: u32[at4 + TCP], tcpFin: u32[at4 + TCP_FIN], udp: u32[at4 + UDP] }
}

/** Reads the timeouts that a request sets. */
export function readGivenTimeouts({ u32 }: View, at: number): Partial<Timeouts> {
  const at4 = at >>> 2
  const present = u32[at4 + PRESENT]
  return {
    ...present & bits('config', 'tcp') && { tcp: u32[at4 + TCP] },
    ...present & bits('config', 'tcpFin') && { tcpFin: u32[at4 + TCP_FIN] },
    ...present & bits('config', 'udp') && { udp: u32[at4 + UDP] },
  }
}
