import { describe, expect, it } from 'vitest'
import type { ListedDestination, ListedTable } from 'ipvs'
import {
  destination,
  empty,
  ipvsadmLines,
  operations,
  rulesOf,
  serviceKey,
  sumOfEveryField,
  verify,
} from '../../../scripts/bench/workload.js'

const counters = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n }
const rates = { connections: 0, inPackets: 0, outPackets: 0, inBytes: 0, outBytes: 0 }

/** The table as the kernel lists it after the additions: in another order than they came. */
function listed(services: number, destinations: number, weight: number): Pick<ListedTable, 'services'> {
  const listedDestination = (index: number): ListedDestination => ({
    ...destination(index, weight),
    activeConnections: 0,
    inactiveConnections: 0,
    persistentConnections: 0,
    stats: { ...counters },
    rates: { ...rates },
  })
  return {
    services: Array.from({ length: services }, (_, i) => ({
      ...serviceKey(services - 1 - i), scheduler: 'rr', schedulerFlags: [], onePacket: false, persistence: null, persistenceEngine: null,
      stats: { ...counters }, rates: { ...rates },
      destinations: Array.from({ length: destinations }, (_, j) => listedDestination(destinations - 1 - j)),
    })),
  }
}

describe('the work that is measured', () => {
  it('adds a service before its destinations, and removes it after them', () => {
    expect([...operations('add', { services: 2, destinations: 1 })].map(({ type }) => type)).toEqual([
      'addService',
      'addDestination',
      'addService',
      'addDestination',
    ])
    expect([...operations('remove', { services: 1, destinations: 2 })].map(({ type }) => type)).toEqual([
      'removeDestination',
      'removeDestination',
      'removeService',
    ])
  })

  it('is as many rules for this package as for ipvsadm', () => {
    const shape = { services: 3, destinations: 4 }
    expect([...operations('update', shape)]).toHaveLength(rulesOf(shape))
    expect([...ipvsadmLines(shape)]).toHaveLength(rulesOf(shape))
  })

  it('names every service and every destination once', () => {
    const keys = [...operations('add', { services: 50_000, destinations: 0 })].map(operation => JSON.stringify(operation))
    expect(new Set(keys).size).toBe(50_000)
    const entries = [...operations('add', { services: 1, destinations: 10_000 })].map(operation => JSON.stringify(operation))
    expect(new Set(entries).size).toBe(10_001)
  })
})

describe('reading a table back', () => {
  it('accepts the table that was asked for, in any order', () => {
    verify(listed(3, 2, 1), { services: 3, destinations: 2 }, 1)
    verify(listed(0, 0, 1), empty, 1)
  })

  it('sums every field', () => {
    const table = listed(1, 1, 1)
    const before = sumOfEveryField(table)
    table.services[0].destinations[0].stats.outBytes += 5n
    table.services[0].rates.inPackets += 2
    expect(sumOfEveryField(table)).toBe(before + 7)
  })

  const spoil: [string, (table: ReturnType<typeof listed>) => void, RegExp][] = [
    ['a service too few', (table) => table.services.pop(), /number of services is 2, expected 3/],
    [
      'a service twice',
      (table) => {
        table.services[0] = table.services[1]
      },
      /listed twice/,
    ],
    [
      'another scheduler',
      (table) => {
        table.services[0].scheduler = 'wlc'
      },
      /service 10\.0\.0\.2/,
    ],
    ['a destination too few', (table) => table.services[2].destinations.pop(), /number of destinations of 10\.0\.0\.0 is 1/],
    [
      'a destination twice',
      (table) => {
        table.services[0].destinations[0] = table.services[0].destinations[1]
      },
      /destination 172\.16\.0\.1:8080/,
    ],
    [
      'another weight',
      (table) => {
        table.services[1].destinations[1].weight = 2
      },
      /weight 2 \(1 expected\)/,
    ],
    [
      'another forwarding method',
      (table) => {
        table.services[1].destinations[1].forward = 'dr'
      },
      /, dr,/,
    ],
    [
      'a threshold',
      (table) => {
        table.services[1].destinations[1].upperThreshold = 9
      },
      /destination 172\.16\.0\.1:8080/,
    ],
  ]
  it.each(spoil)('refuses %s', (_, change, message) => {
    const table = listed(3, 2, 1)
    change(table)
    expect(() => verify(table, { services: 3, destinations: 2 }, 1)).toThrow(message)
  })
})
