import { keyOf } from '../model/keys.js'
import type { Destination, ListedService, Service, Tunnel } from '../model/types.js'

/**
 * A listed tunnel without what the kernel has no use for (`ip_vs_tunnel_xmit`): other programs can set a port for any type, and a checksum
 * for IPIP.
 */
function tunnelInUse(tunnel: Tunnel | null): Tunnel | null {
  if (tunnel?.type === 'ipip') return { type: 'ipip', checksum: 'none' }
  return tunnel?.type === 'gre' ? { type: 'gre', checksum: tunnel.checksum } : tunnel
}

/** A listed destination without what the kernel counts. */
export const configurationOf = ({ address, port, forward, weight, upperThreshold, lowerThreshold, tunnel }: Destination): Destination =>
  ({ address, port, forward, weight, upperThreshold, lowerThreshold, tunnel: tunnelInUse(tunnel) })

/** A listed service without what the kernel counts, and without its destinations. */
export const serviceConfigurationOf = (service: Service | ListedService): Service =>
  ({
    ...keyOf(service), scheduler: service.scheduler, schedulerFlags: service.schedulerFlags, onePacket: service.onePacket,
    persistence: service.persistence, persistenceEngine: service.persistenceEngine,
  })
