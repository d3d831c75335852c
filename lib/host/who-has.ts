import { readSync, writeSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { parseAddress } from '../model/address.js'
import { errnoName } from '../model/errors.js'
import type { Link } from '../network/index.js'
import { addon } from '../wire/load.js'

/** Milliseconds: how often the question is asked, and how long its answers are awaited after the last time. */
const ASKED = [0, 250]
const AWAITED = 500
const LOOK = 10

const FRAME = 42
const BROADCAST = 'ff:ff:ff:ff:ff:ff'
const ETHERTYPE = 0x0806
const REQUEST = 1
const REPLY = 2

const bytesOfHardware = (text: string): Buffer => Buffer.from(text.replaceAll(':', ''), 'hex')
const hardwareOf = (bytes: Buffer): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':')

/**
 * A question of RFC 5227 ("is this address in use?"): it has no sender's address, so nobody who hears it changes what he knows.
 */
function question(own: string, address: Uint8Array): Buffer {
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
  return frame
}

/** The hardware address that a frame says has the address; `undefined` if it says nothing of it. */
function answered(frame: Buffer, address: Uint8Array): string | undefined {
  if (frame.length < FRAME || frame.readUInt16BE(20) !== REPLY || !frame.subarray(28, 32).equals(address)) return undefined
  return hardwareOf(frame.subarray(22, 28))
}

/**
 * Asks by ARP who has an IPv4 address on a link. Takes three quarters of a second.
 *
 * @param namespace Descriptor of the network namespace.
 * @returns the hardware addresses of all that answer. Rejects with the code of what the kernel refused (EPERM: needs CAP_NET_RAW)
 */
export async function whoHas(namespace: number, { index, hardwareAddress }: Link, address: string): Promise<string[]> {
  const bytes = new Uint8Array(16)
  parseAddress(address, bytes, 0)
  const wanted = bytes.subarray(0, 4)
  const descriptor = addon.openArpSocket(namespace, index)
  if (descriptor < 0) throw Object.assign(new Error(errnoName(descriptor)), { code: errnoName(descriptor) })
  const answers = new Set<string>()
  const buffer = Buffer.alloc(2_048)
  try {
    for (const wait of [...ASKED.slice(1), AWAITED]) {
      writeSync(descriptor, question(hardwareAddress!, wanted))
      for (const end = performance.now() + wait; performance.now() < end;) {
        await setTimeout(LOOK)
        for (let length; (length = receive(descriptor, buffer)) > 0;) {
          const hardware = answered(buffer.subarray(0, length), wanted)
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
