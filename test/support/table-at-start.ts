import { completeConfiguration, type CompleteDestination, type CompleteService } from '../../lib/configuration/index.js'
import type { DestinationInput, Operation, ServiceKey } from 'ipvs'
import type { DirectorConfiguration } from 'ipvs/keepalived'

const keyOf = (service: CompleteService): ServiceKey =>
  'fwmark' in service && service.fwmark !== undefined
    ? { fwmark: service.fwmark, family: service.family }
    : {
        protocol: (service as { protocol: 'tcp' }).protocol,
        address: (service as { address: string }).address,
        port: (service as { port: number }).port,
      }

/** A destination without the properties that only a director has. */
const bare = ({ address, port, forward, weight, upperThreshold, lowerThreshold, tunnel }: DestinationInput): DestinationInput => {
  const given = { address, port, forward, weight, upperThreshold, lowerThreshold, tunnel }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as unknown as typeof given
}

const isUp = ({ checks }: CompleteDestination): boolean => checks.every((check) => !check.startDown)

/** The table before any check has answered: what starts down is down, everything else is up. */
export function tableAtStart(configuration: DirectorConfiguration): Operation[] {
  return completeConfiguration(configuration).services.flatMap((service): Operation[] => {
    const { scheduler, schedulerFlags, onePacket, persistence, persistenceEngine, fallback, destinations, quorum, hysteresis, whenDown } =
      service
    const key = keyOf(service)
    const settings = Object.fromEntries(
      Object.entries({ scheduler, schedulerFlags, onePacket, persistence, persistenceEngine }).filter(([, value]) => value !== undefined),
    )
    const living = destinations.filter(isUp).reduce((sum, { weight = 1 }) => sum + weight, 0)
    const yields = fallback !== undefined && living < quorum + hysteresis
    const entered = destinations.flatMap((destination): DestinationInput[] => {
      if (isUp(destination) && !yields) return [bare(destination)]
      return (destination.whenDown ?? whenDown) === 'zero' ? [{ ...bare(destination), weight: 0 }] : []
    })
    // The sorry server may be a real server too.
    const place = entered.findIndex(({ address, port }) => address === fallback?.address && port === fallback?.port)
    if (fallback !== undefined && yields) entered.splice(place < 0 ? entered.length : place, 1, bare(fallback))
    else if (fallback?.whenIdle === 'zero' && place < 0) entered.push({ ...bare(fallback), weight: 0 })
    return [
      { type: 'addService', service: { ...key, ...settings } },
      ...entered.map((destination): Operation => ({ type: 'addDestination', service: key, destination })),
    ]
  })
}
