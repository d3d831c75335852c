import { errnoName } from '../model/errors.js'
import { addon } from '../wire/load.js'

/** Where a check goes, and from where. Addresses are numeric. */
export interface Endpoint {
  address: string
  port: number
  /** The local address, where it is not the kernel's choice. */
  localAddress?: string
  /** The local port, where it is not the kernel's choice. */
  localPort?: number
  /** The interface that it leaves through. */
  device?: string
  /** The firewall mark of what is sent. */
  mark?: number
}

/** Whether it needs a socket that Node cannot make. */
export const isNative = ({ device, mark }: Endpoint): boolean => device !== undefined || mark !== undefined

/** The address, with its interface where it means nothing without one. */
export const scoped = ({ address, device }: Endpoint): string => device !== undefined && /^fe[89ab]/i.test(address) ? `${address}%${device}` : address

/**
 * The descriptor of a socket with the mark and the interface of an endpoint.
 *
 * @throws Error with the kernel's code: 'EPERM' (a mark needs CAP_NET_ADMIN), 'ENODEV'
 */
export function nativeSocket(
  { address, device, mark }: Pick<Endpoint, 'address' | 'device' | 'mark'>,
  type: 'stream' | 'datagram' | 'raw',
  protocol = 0,
  local?: Uint8Array,
): number {
  const descriptor = addon.openSocket(address.includes(':') ? 6 : 4, type, protocol, mark ?? 0, device ?? '', local)
  if (descriptor >= 0) return descriptor
  throw Object.assign(new Error(`socket ${errnoName(descriptor)}`), { code: errnoName(descriptor), errno: descriptor })
}
