import { whoHas } from '../host/arp-question.js'
import type { Link, Network } from '../network/index.js'

/**
 * Who else answers ARP for an IPv4 address on a link of this machine; `undefined` where it cannot be asked: an IPv6 address, an interface
 * without ARP or a carrier, no CAP_NET_RAW.
 *
 * @param links all of the machine's: what one of them answers for another is no other machine's answer
 */
export async function otherHolders(
  network: Network, links: readonly Link[], index: number, address: string,
): Promise<string[] | undefined> {
  const link = links.find((one) => one.index === index)
  if (address.includes(':') || link?.arp !== true || !link.running || link.hardwareAddress === null) return undefined
  const own = new Set(links.map(({ hardwareAddress }) => hardwareAddress))
  try {
    return (await whoHas(network.namespace, link, address)).filter((hardware) => !own.has(hardware))
  } catch {
    return undefined
  }
}
