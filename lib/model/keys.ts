import type { FirewallMarkServiceKey, ServiceKey } from './types.js'

/**
 * Identifies services and destinations: by keys, by text for maps, and in the words of messages.
 *
 * Text must be made of canonical keys, because one address can be written in several ways. While rules are read, a port can be a name
 * ('http').
 */

interface NamedEndpoint { address: string, port: number | string }
type NamedServiceKey = FirewallMarkServiceKey | (NamedEndpoint & { protocol: string })

/**
 * Whether a service is recognised by a firewall mark. A property that is `undefined` counts as left out, here as everywhere: the key
 * `{ protocol, address, port, fwmark: undefined }` is recognised by its address.
 */
export const hasMark = (service: object): service is FirewallMarkServiceKey =>
  (service as Partial<FirewallMarkServiceKey>).fwmark !== undefined

/** The address family of text that is known to be an address: only IPv6 has colons. */
export const familyOfAddress = (address: string): 4 | 6 => address.includes(':') ? 6 : 4

/** The address family of a service. */
export const familyOf = (service: NamedServiceKey): 4 | 6 => hasMark(service) ? service.family : familyOfAddress(service.address)

/** Whether a destination has another address family than its service. Only tunnels reach it then. */
export const isOtherFamily = (service: NamedServiceKey, { address }: { address: string }): boolean =>
  familyOfAddress(address) !== familyOf(service)

/** The key of a service, without its other properties. The values stay as they are. */
export const keyOf = (service: ServiceKey): ServiceKey => hasMark(service)
  ? { fwmark: service.fwmark, family: service.family }
  : { protocol: service.protocol, address: service.address, port: service.port }

/** Identifies a service, as text for maps. */
export const serviceId = (service: NamedServiceKey): string =>
  hasMark(service) ? `fwmark ${service.fwmark} ${service.family}` : `${service.protocol} ${service.address} ${service.port}`

/** Identifies a destination among those of its service, as text for maps. */
export const destinationId = ({ address, port }: NamedEndpoint): string => `${address} ${port}`

/** Identifies a destination among those of all services, as text for maps. */
export const fullDestinationId = (service: NamedServiceKey, destination: NamedEndpoint): string =>
  `${serviceId(service)} ${destinationId(destination)}`

/** Address and port in words: '192.0.2.2:80', '[2001:db8::2]:80'. */
export const endpointWords = ({ address, port }: NamedEndpoint): string =>
  familyOfAddress(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`

/** A service in words, as messages have it: 'tcp 192.0.2.1:80', 'fwmark 7 (IPv6)'. */
export const serviceWords = (service: NamedServiceKey): string =>
  hasMark(service) ? `fwmark ${service.fwmark} (IPv${service.family})` : `${service.protocol} ${endpointWords(service)}`
