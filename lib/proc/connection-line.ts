import { canonicalAddress, formatMask } from '../model/address.js'
import type { Protocol } from '../model/types.js'
import type { Connection, ConnectionEnd } from './types.js'

/**
 * Files of `/proc/net` that list connections. The first one has the data of persistence engines, the second one the origin of connections.
 */
export const connectionsFile = 'ip_vs_conn'
export const originsFile = 'ip_vs_conn_sync'

/** Reads an address. IPv4 is written as eight hexadecimal digits, IPv6 as eight groups of four. */
function address(text: string): string {
  return text.includes(':') ? (canonicalAddress(text) ?? text) : formatMask(parseInt(text, 16))
}

const end = (addressText: string, portText: string): ConnectionEnd => ({ address: address(addressText), port: parseInt(portText, 16) })

/** The key of a connection, which the lines of {@link connectionsFile} and {@link originsFile} have in common. */
export const identity = (words: readonly string[]): string => words.slice(0, 5).join(' ')

export const words = (line: string): string[] => line.split(/ +/)

/** Whether this line names the columns. */
export const isTitle = (line: string): boolean => line.startsWith('Pro ')

/**
 * Reads a line of `ip_vs_conn`: protocol, three addresses with ports, state, seconds, and optionally the persistence engine and its data.
 */
export function connectionOf(line: readonly string[], origin: Connection['origin']): Connection {
  const [protocol, from, fromPort, to, toPort, destination, destinationPort, state, expires, engine, ...data] = line
  return {
    protocol: protocol.toLowerCase() as Protocol,
    client: end(from, fromPort),
    virtual: end(to, toPort),
    destination: end(destination, destinationPort),
    state,
    expires: Number(expires),
    origin,
    persistenceEngine: engine || null,
    persistenceData: data.length > 0 ? data.join(' ') : null,
  }
}

/** Reads the origin from a line of `ip_vs_conn_sync`, where it comes before the seconds. */
export const originOf = (line: readonly string[]): Connection['origin'] => (line[8] === 'SYNC' ? 'sync' : 'local')
