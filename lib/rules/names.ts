import type { Protocol } from '../model/types.js'

/** Names to write in place of numbers. */
export interface Names {
  /** The name of the host with this address; `undefined` to write the address. */
  host(address: string): string | undefined
  /** The name of the service on this port; `undefined` to write the number. */
  service(port: number, protocol: Protocol): string | undefined
}
