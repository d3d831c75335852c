import type { CompleteDestination, CompleteService } from '../configuration/complete.js'
import { canonicalAddress } from '../model/address.js'
import { destinationId, hasMark, keyOf } from '../model/keys.js'
import type { DestinationInput, DestinationKey, ServiceInput, ServiceKey } from '../model/types.js'

/** The key alone, as the kernel lists it, whatever spelling the configuration has. */
export const canonicalKey = (service: ServiceKey): ServiceKey =>
  hasMark(service)
    ? keyOf(service)
    : { protocol: service.protocol, address: canonicalAddress(service.address)!, port: service.port }

/** What tells a destination from the others of its service, whatever spelling the configuration has. */
export const endpointId = ({ address, port }: DestinationKey): string => destinationId({ address: canonicalAddress(address)!, port })

export const canonicalEndpoint = ({ address, port }: DestinationKey): DestinationKey => ({ address: canonicalAddress(address)!, port })

const SERVICE = [
  'protocol',
  'address',
  'port',
  'fwmark',
  'family',
  'scheduler',
  'schedulerFlags',
  'onePacket',
  'persistence',
  'persistenceEngine',
]
/** What of a service is IPVS's. */
export function serviceInput(service: CompleteService): ServiceInput {
  const given = service as unknown as Record<string, unknown>
  const input: Record<string, unknown> = {}
  for (const name of SERVICE) if (given[name] !== undefined) input[name] = given[name]
  return input as unknown as ServiceInput
}

/**
 * What of a destination is IPVS's, with this weight. Property by property: a spread would give every destination a hidden class of its own,
 * and there are thousands.
 */
export function destinationInput(destination: CompleteDestination | DestinationInput, weight: number): DestinationInput {
  const { address, port, forward, upperThreshold, lowerThreshold, tunnel } = destination
  const input: DestinationInput = { address, port, weight }
  if (forward !== undefined) input.forward = forward
  if (upperThreshold !== undefined) input.upperThreshold = upperThreshold
  if (lowerThreshold !== undefined) input.lowerThreshold = lowerThreshold
  if (tunnel !== undefined) input.tunnel = tunnel
  return input
}
