import type { DestinationKey, FirewallMarkServiceKey, ServiceKey } from './types.js'

/**
 * Whether a service is recognised by a firewall mark. A property that is `undefined` counts as left out, here as everywhere: `{ protocol,
 * address, port, fwmark: undefined }` is recognised by its address.
 */
export const hasMark = (service: object): service is FirewallMarkServiceKey => (service as Partial<FirewallMarkServiceKey>).fwmark !== undefined

/** The key alone, without anything that was beside it. Its values stay as they are. */
export function keyOf(service: ServiceKey): ServiceKey {
  if (hasMark(service)) return { fwmark: service.fwmark, family: service.family }
  const { protocol, address, port } = service
  return { protocol, address, port }
}

/** What tells a service from others, as text for maps. The key must be canonical. */
export function serviceId(service: ServiceKey): string {
  if (hasMark(service)) return `fwmark ${service.fwmark} ${service.family}`
  const { protocol, address, port } = service
  return `${protocol} ${address} ${port}`
}

/** What tells a destination from the others of its service, as text for maps. The key must be canonical. */
export const destinationId = ({ address, port }: DestinationKey): string => `${address} ${port}`

/** What tells a destination from those of all services, as text for maps. */
export const fullDestinationId = (service: ServiceKey, destination: DestinationKey): string => `${serviceId(service)} ${destinationId(destination)}`

/** Address and port in words: '10.0.0.2:80', '[fd00::2]:80'. */
export const endpointWords = ({ address, port }: DestinationKey): string => address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`

/** A service in words, as messages have it: 'tcp 10.0.0.1:80', 'fwmark 7 (IPv6)'. */
export function serviceWords(service: ServiceKey): string {
  if (hasMark(service)) return `fwmark ${service.fwmark} (IPv${service.family})`
  const { protocol, address, port } = service
  return `${protocol} ${endpointWords({ address, port })}`
}

/** Whether a destination is reached by the other address family than its service's, through a tunnel. */
export const isOtherFamily = (service: ServiceKey, { address }: { address: string }): boolean =>
  address.includes(':') !== (hasMark(service) ? service.family === 6 : (service).address.includes(':'))
