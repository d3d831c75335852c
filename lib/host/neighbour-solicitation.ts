import { bytesOfHardware, hardwareOf, type Question } from './question.js'

/** Lengths of the headers, and where things are in a frame. */
const ETHERNET = 14
const IPV6 = 40
const MESSAGE = ETHERNET + IPV6
const TARGET = MESSAGE + 8
const OPTIONS = TARGET + 16
const LENGTH = 32

const ETHERTYPE = 0x86dd
const ICMPV6 = 58
/** Nobody but a machine on the link can send with so many hops left: RFC 4861 demands it. */
const HOPS = 255
const SOLICITATION = 135
const ADVERTISEMENT = 136
const [SOURCE_HARDWARE, TARGET_HARDWARE] = [1, 2]
/** ff02::1:ff00:0/104, to whose last three bytes those of the address come. */
const SOLICITED = Buffer.from('ff0200000000000000000001ff000000', 'hex')

/** The Internet checksum (RFC 1071) of these bytes, of which there is an even number. */
function checksum(bytes: Buffer): number {
  let sum = 0
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/**
 * A neighbour solicitation (RFC 4861), as a kernel sends it before it sends anything to an address. It names its sender: one without would
 * make a machine give up an address that has come to it this moment (duplicate address detection).
 *
 * @param own hardware address of the interface that asks
 * @param source an address of that interface, 16 bytes
 * @param address 16 bytes
 */
export function neighbourSolicitation(own: string, source: Uint8Array, address: Uint8Array): Question {
  const group = Buffer.from(SOLICITED)
  group.set(address.subarray(13), 13)
  const frame = Buffer.alloc(MESSAGE + LENGTH)
  frame.set([0x33, 0x33, ...group.subarray(12)], 0)
  bytesOfHardware(own).copy(frame, 6)
  frame.writeUInt16BE(ETHERTYPE, 12)
  frame[ETHERNET] = 0x60
  frame.writeUInt16BE(LENGTH, ETHERNET + 4)
  frame[ETHERNET + 6] = ICMPV6
  frame[ETHERNET + 7] = HOPS
  frame.set(source, ETHERNET + 8)
  frame.set(group, ETHERNET + 24)
  frame[MESSAGE] = SOLICITATION
  frame.set(address, TARGET)
  frame.set([SOURCE_HARDWARE, 1], OPTIONS)
  bytesOfHardware(own).copy(frame, OPTIONS + 2)
  const pseudoHeader = Buffer.concat([source, group, Uint8Array.of(0, 0, 0, LENGTH, 0, 0, 0, ICMPV6)])
  frame.writeUInt16BE(checksum(Buffer.concat([pseudoHeader, frame.subarray(MESSAGE)])), MESSAGE + 2)
  return {
    frame,
    answered(answer) {
      const isAnswer = answer.length >= OPTIONS && answer[ETHERNET + 6] === ICMPV6 && answer[ETHERNET + 7] === HOPS &&
        answer[MESSAGE] === ADVERTISEMENT && answer.subarray(TARGET, OPTIONS).equals(address)
      if (!isAnswer) return undefined
      const isNamed = answer.length >= OPTIONS + 8 && answer[OPTIONS] === TARGET_HARDWARE
      return hardwareOf(isNamed ? answer.subarray(OPTIONS + 2, OPTIONS + 8) : answer.subarray(6, 12))
    },
  }
}
