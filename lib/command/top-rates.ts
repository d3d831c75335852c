import { destinationId, hasMark, serviceId } from '../model/keys.js'
import { spellEndpoint } from '../rules/spelling.js'
import type { ListedTable, Rates, ServiceKey } from '../model/types.js'
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
  scheduler: string
  destinations: (TopRow & { forward: string, weight: number })[]
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
    return { name, scheduler: service.scheduler, rates, active: sum('active'), inactive: sum('inactive'), destinations }
  })
}
