import { canAsk, whoHas } from '../host/who-has.js'
import type { Link, Network } from '../network/index.js'

/**
 * Who else answers for an address on a link of this machine, by ARP or to a neighbour solicitation; `undefined` where it cannot be asked:
 * an interface without ARP or a carrier, for IPv6 one without another address, no CAP_NET_RAW.
 *
 * @param links all of the machine's: what one of them answers for another is no other machine's answer
 */
export async function otherHolders(
  network: Network, links: readonly Link[], index: number, address: string,
): Promise<string[] | undefined> {
  const link = links.find((one) => one.index === index)
  if (link?.running !== true) return undefined
  const own = new Set(links.map(({ hardwareAddress }) => hardwareAddress))
  try {
    const addresses = await network.addresses()
    if (!canAsk(link, address, addresses)) return undefined
    return (await whoHas(network.namespace, link, address, addresses)).filter((hardware) => !own.has(hardware))
  } catch {
    return undefined
  }
}
