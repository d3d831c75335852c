import { destinationId, hasMark, keyOf, serviceId } from '../model/keys.js'
import { COUNTERS } from '../model/statistics.js'
import { spellEndpoint } from '../rules/spelling.js'
import type { DestinationKey, ListedTable, Rates, ServiceKey } from '../model/types.js'
import type { RateMeter } from '../state/rates.js'

/** A line of the live table. */
export interface TopRow {
  name: string
  rates: Rates
  active: number
  inactive: number
}

/** A service, its row's connections summed up from its destinations. */
export interface TopService extends TopRow {
  key: ServiceKey
  scheduler: string
  destinations: (TopRow & { key: DestinationKey, forward: string, weight: number })[]
}

const serviceName = (service: ServiceKey): string => {
  if (hasMark(service)) return `FWM ${service.fwmark}${service.family === 6 ? ' IPv6' : ''}`
  return `${String(service.protocol).toUpperCase()} ${spellEndpoint(service.address, service.port, undefined)}`
}

/** What a look at the table says, with the rates of what is in it. The meter's look has begun. */
export function measured({ services }: ListedTable, meter: RateMeter): TopService[] {
  return services.map((service) => {
    const id = serviceId(service)
    const destinations = service.destinations.map((destination) => ({
      key: { address: destination.address, port: destination.port },
      name: spellEndpoint(destination.address, destination.port, undefined),
      rates: meter.measure(`${id} ${destinationId(destination)}`, destination).perSecond,
      active: destination.activeConnections,
      inactive: destination.inactiveConnections,
      forward: destination.forward,
      weight: destination.weight,
    }))
    const sum = (of: 'active' | 'inactive'): number => destinations.reduce((total, destination) => total + destination[of], 0)
    const rates = meter.measure(id, service).perSecond
    const name = serviceName(service)
    const key = keyOf(service)
    return { key, name, scheduler: service.scheduler, rates, active: sum('active'), inactive: sum('inactive'), destinations }
  })
}

/** The rates and connections of all of them. */
export function totalOf(services: readonly TopService[]): Omit<TopRow, 'name'> {
  const sums = COUNTERS.map((name) => [name, services.reduce((total, service) => total + service.rates[name], 0)])
  const rates = Object.fromEntries(sums) as unknown as Rates
  const sum = (of: 'active' | 'inactive'): number => services.reduce((total, service) => total + service[of], 0)
  return { rates, active: sum('active'), inactive: sum('inactive') }
}

const measurements = ({ rates, active, inactive }: Omit<TopRow, 'name'>): object =>
  ({ perSecond: rates, activeConnections: active, inactiveConnections: inactive })

/** A look at the table as one line of JSON. */
export function jsonLine(time: Date, services: readonly TopService[]): string {
  return `${JSON.stringify({
    time: time.toISOString(),
    total: measurements(totalOf(services)),
    services: services.map((service) => ({
      ...service.key, scheduler: service.scheduler, ...measurements(service),
      destinations: service.destinations.map((destination) =>
        ({ ...destination.key, forward: destination.forward, weight: destination.weight, ...measurements(destination) })),
    })),
  })}\n`
}
