import { familyOf, familyOfAddress, hasMark } from '../model/keys.js'
import type { Destination, Protocol, Service } from '../model/types.js'
import { PROTOCOLS } from '../model/vocabulary.js'
import { sortWords } from './address-text.js'
import type { Named } from './types.js'

/** The number of a protocol. Protocols that this library has no name for are listed by their number. */
const protocolNumber = (protocol: Protocol): number => PROTOCOLS.number.get(protocol) ?? Number(protocol)

/** Compares as ipvsadm does. It subtracts 32-bit numbers as ints, which overflow: 192.168.0.1 comes before 10.0.0.1. */
const difference = (a: number, b: number): number => (a - b) | 0

type Key = number[]

function compareKeys(a: Key, b: Key): number {
  for (let index = 0; index < a.length; index++) {
    const result = difference(a[index], b[index])
    if (result !== 0) return result
  }
  return 0
}

/**
 * Sorts like the C library's qsort(3), by merging halves. ipvsadm's comparison is not transitive, because its differences overflow, so the
 * result depends on which pairs are compared.
 */
function mergeSort<T>(items: T[], compare: (a: T, b: T) => number): T[] {
  if (items.length < 2) return items
  const middle = items.length >> 1
  const left = mergeSort(items.slice(0, middle), compare)
  const right = mergeSort(items.slice(middle), compare)
  const merged: T[] = []
  let l = 0
  let r = 0
  while (l < left.length && r < right.length) merged.push(compare(left[l], right[r]) <= 0 ? left[l++] : right[r++])
  while (l < left.length) merged.push(left[l++])
  while (r < right.length) merged.push(right[r++])
  return merged
}

function sorted<T>(items: readonly T[], key: (item: T) => Key, compare: (a: Key, b: Key) => number): T[] {
  return mergeSort(items.map((item) => ({ item, key: key(item) })), (a, b) => compare(a.key, b.key)).map(({ item }) => item)
}

/** Sorts services in ipvsadm's order: by family, protocol, address and port, with firewall marks last. */
export function sortServices<T extends Named<Service>>(services: readonly T[]): T[] {
  return sorted(services, (service) => {
    if (hasMark(service)) return [service.fwmark, service.family, 0, 0, 0, 0, 0, 0]
    return [0, familyOf(service), protocolNumber(service.protocol), ...sortWords(service.address), Number(service.port)]
  }, compareKeys)
}

/** Sorts destinations in ipvsadm's order: by address and port. ipvsadm compares an IPv4 address with the first word of an IPv6 one. */
export function sortDestinations<T extends Named<Destination>>(destinations: readonly T[]): T[] {
  return sorted(destinations, ({ address, port }) => [familyOfAddress(address), ...sortWords(address), Number(port)], (a, b) => {
    const words = a[0] === 6 ? 4 : 1
    for (let word = 1; word <= words; word++) {
      const result = difference(a[word], b[word])
      if (result !== 0) return result
    }
    return difference(a[5], b[5])
  })
}

/** Sorts services and their destinations in ipvsadm's order. */
export const sortTable = <T extends Named<Service> & { destinations: readonly Named<Destination>[] }>(services: readonly T[]): T[] =>
  sortServices(services).map((service) => ({ ...service, destinations: sortDestinations(service.destinations) }))
