import { readSync, writeSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { parseAddress } from '../model/address.js'
import { errnoName } from '../model/errors.js'
import type { InterfaceAddress, Link } from '../network/index.js'
import { addon } from '../wire/load.js'
import { arpQuestion } from './arp.js'
import { neighbourSolicitation } from './neighbour-solicitation.js'

/** Milliseconds: how often the question is asked, and how long its answers are awaited after the last time. */
const ASKED = [0, 250]
const AWAITED = 500
const LOOK = 10

const isIPv6 = (address: string): boolean => address.includes(':')

const bytesOf = (address: string): Uint8Array => {
  const bytes = new Uint8Array(16)
  return bytes.subarray(0, parseAddress(address, bytes, 0) === 6 ? 16 : 4)
}

/** The address that a neighbour solicitation comes from: another one of the interface, of the link itself if there is one. */
function sourceOf(link: Link, address: string, own: readonly InterfaceAddress[]): string | undefined {
  const usable = own.filter((one) => one.index === link.index && isIPv6(one.address) && !one.tentative && one.address !== address)
  return (usable.find(({ scope }) => scope === 'link') ?? usable[0])?.address
}

/**
 * Whether the machines on a link can be asked who has an address. They cannot where there is no ARP, or, for IPv6, where this machine has
 * no other address that the question could come from.
 *
 * @param own all addresses of this machine
 */
export const canAsk = (link: Link, address: string, own: readonly InterfaceAddress[]): boolean =>
  link.arp && link.hardwareAddress !== null && (!isIPv6(address) || sourceOf(link, address, own) !== undefined)

/**
 * Asks who has an address on a link: by ARP, or by a neighbour solicitation for IPv6. Takes three quarters of a second.
 *
 * @param namespace Descriptor of the network namespace.
 * @param link One that {@link canAsk} is true of.
 * @returns the hardware addresses of all that answer. Rejects with the code of what the kernel refused (EPERM: needs CAP_NET_RAW)
 */
export async function whoHas(namespace: number, link: Link, address: string, own: readonly InterfaceAddress[]): Promise<string[]> {
  const { index, hardwareAddress } = link
  const question = isIPv6(address)
    ? neighbourSolicitation(hardwareAddress!, bytesOf(sourceOf(link, address, own)!), bytesOf(address))
    : arpQuestion(hardwareAddress!, bytesOf(address))
  const descriptor = addon.openNeighbourSocket(namespace, index, isIPv6(address))
  if (descriptor < 0) throw Object.assign(new Error(errnoName(descriptor)), { code: errnoName(descriptor) })
  const answers = new Set<string>()
  const buffer = Buffer.alloc(2_048)
  try {
    for (const wait of [...ASKED.slice(1), AWAITED]) {
      writeSync(descriptor, question.frame)
      for (const end = performance.now() + wait; performance.now() < end;) {
        await setTimeout(LOOK)
        for (let length; (length = receive(descriptor, buffer)) > 0;) {
          const hardware = question.answered(buffer.subarray(0, length))
          if (hardware !== undefined) answers.add(hardware)
        }
      }
    }
  } finally {
    addon.closeDescriptor(descriptor)
  }
  return [...answers]
}

/** Length of a frame; 0 if there is none. */
function receive(descriptor: number, buffer: Buffer): number {
  try {
    return readSync(descriptor, buffer)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0
    throw error
  }
}
