import { formatMask, maskOfPrefix } from '../model/address.js'
import { endpointWords } from '../model/keys.js'
import type { Persistence, Protocol } from '../model/types.js'
import { asPrinted } from './address-text.js'
import type { Names } from './names.js'

/** An address and port as ipvsadm prints them: IPv6 in brackets, and with names where there are some. */
export function spellEndpoint(address: string, port: number, protocol: Protocol | undefined, names?: Names): string {
  const service = (protocol && names?.service(port, protocol)) ?? port
  const host = names?.host(address)
  if (host === undefined) return endpointWords({ address: asPrinted(address), port: service })
  return address.includes(':') ? `[${host}]:${service}` : `${host}:${service}`
}

/** The mask of a service's persistence as ipvsadm writes it. `undefined` for the full mask, which ipvsadm leaves out. */
export function spellMask({ prefixLength, netmask }: Partial<Persistence>, family: 4 | 6): string | undefined {
  if (family === 6) return prefixLength === undefined || prefixLength === 128 ? undefined : String(prefixLength)
  const mask = prefixLength === undefined ? netmask : formatMask(maskOfPrefix(prefixLength))
  return mask === '255.255.255.255' ? undefined : mask
}
