import { parseAddress } from '../model/address.js'

/** Whether an address is in the network that another address and its prefix length name. */
export function contains(network: { address: string, prefixLength: number }, address: string): boolean {
  const [one, other] = [new Uint8Array(16), new Uint8Array(16)]
  if (parseAddress(network.address, one, 0) !== parseAddress(address, other, 0)) return false
  const whole = network.prefixLength >> 3
  for (let i = 0; i < whole; i++) if (one[i] !== other[i]) return false
  const rest = network.prefixLength & 7
  return rest === 0 || (one[whole] ^ other[whole]) >> 8 - rest === 0
}

/** How long the prefix of a single address is. */
export const wholeLength = (address: string): number => address.includes(':') ? 128 : 32
