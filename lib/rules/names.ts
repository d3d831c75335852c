import type { Protocol } from '../model/types.js'

/** Names that go into a text in the place of numbers. */
export interface Names {
  /** Name of the host with this address; `undefined` to write the address. */
  host(address: string): string | undefined
  /** Name of the service on this port; `undefined` to write the number. */
  service(port: number, protocol: Protocol): string | undefined
}
