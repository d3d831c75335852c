import { addressFamily, parseAddress } from '../../model/address.js'
import type { Packet } from './judge.js'
import type { Bytes } from './ruleset.js'

const PROTOCOLS = { tcp: 6, udp: 17, sctp: 132 } as const
/** Of tunnels: IPIP, GUE, GRE. */
const TUNNELS = { ipip: { 4: 4, 6: 41 }, gue: { 4: 17, 6: 17 }, gre: { 4: 47, 6: 47 } } as const

const SYN = 0x02
const ACK = 0x10

/** What is known of a packet. */
interface Known {
  family: 4 | 6
  protocol: number
  source?: string
  destination?: string
  sourcePort?: number
  destinationPort?: number
  flags?: number
  state: number | undefined
}

const addressBytes = (address: string | undefined, length: number): Bytes => {
  if (address === undefined) return Array<undefined>(length).fill(undefined)
  const bytes = new Uint8Array(16)
  parseAddress(address, bytes, 0)
  return [...bytes.subarray(0, length)]
}

/** A port that a client has: one of those that systems choose from. Rules for well-known ports do not mean it. */
const CLIENT_PORT = 50_000

/** A port. 0 stands for any. */
const portBytes = (port: number | undefined): Bytes => port === undefined || port === 0 ? [undefined, undefined] : [port >> 8, port & 0xff]

const unknown = (length: number): Bytes => Array<undefined>(length).fill(undefined)

function packet({ family, protocol, source, destination, sourcePort, destinationPort, flags, state }: Known): Packet {
  const network = family === 4
    ? [0x45, ...unknown(8), protocol, ...unknown(2), ...addressBytes(source, 4), ...addressBytes(destination, 4)]
    : [...unknown(6), protocol, undefined, ...addressBytes(source, 16), ...addressBytes(destination, 16)]
  const transport = [...portBytes(sourcePort), ...portBytes(destinationPort), ...unknown(9), flags]
  return { family, protocol, network, transport, state }
}

type Transport = keyof typeof PROTOCOLS
interface End { address: string, port: number }

const familyOf = (address: string): 4 | 6 => addressFamily(address) === 6 ? 6 : 4

/** The first packet of a client to a service, or to a destination. */
export const firstPacket = (transport: Transport, { address, port }: End, state: number | undefined): Packet => packet({
  family: familyOf(address), protocol: PROTOCOLS[transport], destination: address, destinationPort: port, sourcePort: CLIENT_PORT,
  ...transport === 'tcp' ? { flags: SYN } : {}, state,
})

/** What follows from the client once the server has answered. */
export const secondPacket = (transport: Transport, { address, port }: End, state: number | undefined): Packet => packet({
  family: familyOf(address), protocol: PROTOCOLS[transport], destination: address, destinationPort: port, sourcePort: CLIENT_PORT,
  ...transport === 'tcp' ? { flags: ACK } : {}, state,
})

/** The first answer of a destination. */
export const answer = (transport: Transport, { address, port }: End, state: number | undefined): Packet => packet({
  family: familyOf(address), protocol: PROTOCOLS[transport], source: address, sourcePort: port, destinationPort: CLIENT_PORT,
  ...transport === 'tcp' ? { flags: SYN | ACK } : {}, state,
})

/** A packet in a tunnel to a destination. */
export const tunnelled = (tunnel: keyof typeof TUNNELS, address: string, inner: 4 | 6): Packet => packet({
  family: familyOf(address), protocol: TUNNELS[tunnel][inner], destination: address, state: undefined,
})
