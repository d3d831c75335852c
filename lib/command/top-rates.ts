import { spellService } from '../rules/format-rules.js'
import { spellEndpoint } from '../rules/spelling.js'
import type { ListedTable, ServiceKey, Statistics } from '../model/types.js'

/** What goes through a service or a destination in a second. */
export type Rates = Record<keyof Statistics, number>

/** A line of the live table. */
export interface TopRow {
  name: string
  rates: Rates
  active: number
  inactive: number
}

/** A service, its row's connections summed up from its destinations. */
export interface TopService extends TopRow {
  scheduler: string
  destinations: (TopRow & { forward: string, weight: number })[]
}

/** What was counted at a moment. */
export interface Sample {
  table: ListedTable
  /** Milliseconds of a clock that only goes forward. */
  time: number
}

const counters = ['connections', 'inPackets', 'outPackets', 'inBytes', 'outBytes'] as const

const serviceName = (service: ServiceKey): string => {
  if ('fwmark' in service) return `FWM ${service.fwmark}${service.family === 6 ? ' IPv6' : ''}`
  return `${String(service.protocol).toUpperCase()} ${spellEndpoint(service.address, service.port, undefined)}`
}

/** Counters of a table by what they count. */
function counted({ services }: ListedTable): Map<string, Statistics> {
  const found = new Map<string, Statistics>()
  for (const service of services) {
    const key = spellService(service)
    found.set(key, service.stats)
    for (const { address, port, stats } of service.destinations) found.set(`${key} ${address} ${port}`, stats)
  }
  return found
}

/**
 * The rates between two samples. A counter that is lower than before was set to zero, or belongs to something new: it counts from zero.
 * What was not there before has no rate yet.
 */
export function ratesBetween(before: Sample, after: Sample): TopService[] {
  const earlier = counted(before.table)
  const seconds = Math.max((after.time - before.time) / 1000, 0.001)
  const rates = (key: string, now: Statistics): Rates => {
    const then = earlier.get(key)
    const rate = (name: keyof Statistics): number => {
      if (!then) return 0
      return Number(now[name] >= then[name] ? now[name] - then[name] : now[name]) / seconds
    }
    return Object.fromEntries(counters.map((name) => [name, rate(name)])) as Rates
  }
  return after.table.services.map((service) => {
    const key = spellService(service)
    const destinations = service.destinations.map(({ address, port, forward, weight, stats, activeConnections, inactiveConnections }) => ({
      name: spellEndpoint(address, port, undefined),
      rates: rates(`${key} ${address} ${port}`, stats),
      active: activeConnections,
      inactive: inactiveConnections,
      forward,
      weight,
    }))
    const sum = (of: 'active' | 'inactive'): number => destinations.reduce((total, destination) => total + destination[of], 0)
    return { name: serviceName(service), scheduler: service.scheduler, rates: rates(key, service.stats), active: sum('active'), inactive: sum('inactive'), destinations }
  })
}
