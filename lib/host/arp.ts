import { bytesOfHardware, hardwareOf, type Question } from './question.js'

const FRAME = 42
const BROADCAST = 'ff:ff:ff:ff:ff:ff'
const ETHERTYPE = 0x0806
const REQUEST = 1
const REPLY = 2

/**
 * A question of RFC 5227 ("is this address in use?"): it has no sender's address, so nobody who hears it changes what he knows.
 *
 * @param own hardware address of the interface that asks
 * @param address four bytes
 */
export function arpQuestion(own: string, address: Uint8Array): Question {
  const frame = Buffer.alloc(FRAME)
  bytesOfHardware(BROADCAST).copy(frame, 0)
  bytesOfHardware(own).copy(frame, 6)
  frame.writeUInt16BE(ETHERTYPE, 12)
  frame.writeUInt16BE(1, 14)
  frame.writeUInt16BE(0x0800, 16)
  frame[18] = 6
  frame[19] = 4
  frame.writeUInt16BE(REQUEST, 20)
  bytesOfHardware(own).copy(frame, 22)
  frame.set(address, 38)
  return {
    frame,
    answered(answer) {
      if (answer.length < FRAME || answer.readUInt16BE(20) !== REPLY || !answer.subarray(28, 32).equals(address)) return undefined
      return hardwareOf(answer.subarray(22, 28))
    },
  }
}
