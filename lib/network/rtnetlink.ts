/** The messages of rtnetlink(7) that this package needs: `include/uapi/linux/rtnetlink.h`, `if_link.h`, `if_addr.h`, `neighbour.h`. */

import { formatIPv4, formatIPv6, parseAddress } from '../model/address.js'
import { attributesOf, bytesOf, LITTLE, textOf } from './message.js'
import type { InterfaceAddress, Link, Neighbour, Route } from './types.js'

export const NETLINK_ROUTE = 0

export const RTM = {
  newLink: 16, delLink: 17, getLink: 18,
  newAddress: 20, delAddress: 21, getAddress: 22,
  newRoute: 24, getRoute: 26,
  newNeighbour: 28, getNeighbour: 30,
} as const

/** Multicast groups. */
export const GROUP = { link: 1, ipv4Address: 5, ipv6Address: 9 } as const

export const AF_UNSPEC = 0
const AF_INET = 2
const AF_INET6 = 10

const IFA = { address: 1, local: 2, flags: 8 } as const
const IFA_F_DADFAILED = 0x8
const IFA_F_TENTATIVE = 0x40
const SCOPES: Partial<Record<number, InterfaceAddress['scope']>> = { 200: 'site', 253: 'link', 254: 'host' }

const IFLA = { address: 1, name: 3, mtu: 4, master: 10, info: 18 } as const
const IFLA_INFO_KIND = 1
const IFF_UP = 0x1
const IFF_LOOPBACK = 0x8
const IFF_NOARP = 0x80
const IFF_LOWER_UP = 0x10000
const ARPHRD_ETHER = 1
const MAC = 6

const RTA = { destination: 1, source: 2, interface: 4, gateway: 5, preferredSource: 7, mark: 16, via: 18 } as const
const ROUTE_TYPES: Partial<Record<number, Route['type']>> = {
  1: 'unicast', 2: 'local', 3: 'broadcast', 4: 'anycast', 5: 'multicast', 6: 'blackhole', 7: 'unreachable', 8: 'prohibit',
}

const NDA = { destination: 1, hardwareAddress: 2 } as const
const NEIGHBOUR_STATES: Partial<Record<number, Neighbour['state']>> = {
  0x01: 'incomplete', 0x02: 'reachable', 0x04: 'stale', 0x08: 'delay', 0x10: 'probe', 0x20: 'failed', 0x40: 'noarp', 0x80: 'permanent',
}

const formatAddress = (value: DataView): string | undefined =>
  value.byteLength === 4 ? formatIPv4(bytesOf(value), 0) : value.byteLength === 16 ? formatIPv6(bytesOf(value), 0) : undefined

/** The bytes of an address, which must be one, and the number of its family. */
function packed(address: string): { family: number, bytes: Uint8Array } {
  const bytes = new Uint8Array(16)
  const ipv6 = parseAddress(address, bytes, 0) === 6
  return { family: ipv6 ? AF_INET6 : AF_INET, bytes: ipv6 ? bytes : bytes.subarray(0, 4) }
}

function number32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value, LITTLE)
  return bytes
}

const hardware = (value: DataView | undefined): string | null => value?.byteLength === MAC
  ? Array.from(bytesOf(value), (byte) => byte.toString(16).padStart(2, '0')).join(':')
  : null

/** `struct ifaddrmsg`, `ifinfomsg` with nothing but a family: what asks for a whole list. */
export const addressHeader = (): Uint8Array => new Uint8Array(8)
export const linkHeader = (): Uint8Array => new Uint8Array(16)

/** Reads an address. Its interface has no name yet. `undefined` for other families' addresses. */
export function readAddress(payload: DataView): Omit<InterfaceAddress, 'interface'> | undefined {
  if (payload.byteLength < 8) return undefined
  const attributes = attributesOf(payload, 8)
  // The address of a point-to-point link is that of the other end.
  const value = attributes.get(IFA.local) ?? attributes.get(IFA.address)
  const address = value && formatAddress(value)
  if (address === undefined) return undefined
  const flags = attributes.get(IFA.flags)?.getUint32(0, LITTLE) ?? payload.getUint8(2)
  return {
    address,
    prefixLength: payload.getUint8(1),
    index: payload.getUint32(4, LITTLE),
    scope: SCOPES[payload.getUint8(3)] ?? 'global',
    tentative: payload.getUint8(0) === AF_INET6 && (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) !== 0,
  }
}

/** Reads an interface. `undefined` for what bridges tell of their ports, in messages of the same type. */
export function readLink(payload: DataView): Link | undefined {
  if (payload.byteLength < 16 || payload.getUint8(0) !== AF_UNSPEC) return undefined
  const attributes = attributesOf(payload, 16)
  const name = attributes.get(IFLA.name)
  if (!name) return undefined
  const flags = payload.getUint32(8, LITTLE)
  const info = attributes.get(IFLA.info)
  const kind = info && attributesOf(info, 0).get(IFLA_INFO_KIND)
  return {
    name: textOf(name),
    index: payload.getInt32(4, LITTLE),
    up: (flags & IFF_UP) !== 0,
    running: (flags & IFF_UP) !== 0 && (flags & IFF_LOWER_UP) !== 0,
    loopback: (flags & IFF_LOOPBACK) !== 0,
    arp: payload.getUint16(2, LITTLE) === ARPHRD_ETHER && (flags & IFF_NOARP) === 0,
    hardwareAddress: payload.getUint16(2, LITTLE) === ARPHRD_ETHER ? hardware(attributes.get(IFLA.address)) : null,
    mtu: attributes.get(IFLA.mtu)?.getUint32(0, LITTLE) ?? 0,
    kind: kind ? textOf(kind) : null,
    master: attributes.get(IFLA.master)?.getUint32(0, LITTLE) ?? null,
  }
}

/** What asks for the route to an address: `struct rtmsg`, and attributes. */
export function routeQuestion(address: string, from: string | undefined, mark: number | undefined): {
  fixed: Uint8Array, attributes: [number, Uint8Array][]
} {
  const { family, bytes } = packed(address)
  const fixed = new Uint8Array(12)
  fixed[0] = family
  fixed[1] = bytes.length * 8
  const attributes: [number, Uint8Array][] = [[RTA.destination, bytes]]
  if (from !== undefined) {
    const source = packed(from).bytes
    fixed[2] = source.length * 8
    attributes.push([RTA.source, source])
  }
  if (mark !== undefined) attributes.push([RTA.mark, number32(mark)])
  return { fixed, attributes }
}

/** Reads a route. Its interface is a number still. */
export function readRoute(payload: DataView): Omit<Route, 'interface'> & { index: number } {
  const attributes = attributesOf(payload, 12)
  const address = (number: number): string | null => {
    const value = attributes.get(number)
    return value && formatAddress(value) || null
  }
  const via = attributes.get(RTA.via)
  return {
    type: ROUTE_TYPES[payload.getUint8(7)] ?? 'other',
    // A router of the other family: struct rtvia { u16 family, address }.
    gateway: address(RTA.gateway) ?? (via && formatAddress(new DataView(via.buffer, via.byteOffset + 2, via.byteLength - 2)) || null),
    source: address(RTA.preferredSource),
    index: attributes.get(RTA.interface)?.getUint32(0, LITTLE) ?? 0,
  }
}

/** What asks for a neighbour: `struct ndmsg`, and its address. */
export function neighbourQuestion(address: string, index: number): { fixed: Uint8Array, attributes: [number, Uint8Array][] } {
  const { family, bytes } = packed(address)
  const fixed = new Uint8Array(12)
  fixed[0] = family
  fixed.set(number32(index), 4)
  return { fixed, attributes: [[NDA.destination, bytes]] }
}

export function readNeighbour(payload: DataView): Neighbour {
  const attributes = attributesOf(payload, 12)
  return {
    state: NEIGHBOUR_STATES[payload.getUint16(8, LITTLE)] ?? 'none',
    hardwareAddress: hardware(attributes.get(NDA.hardwareAddress)),
  }
}
