import { formatIPv4, formatIPv6 } from '../model/address.js'
import type { Handshake } from './server-sight.js'

/** TCP_SYN_RECV of `include/net/tcp_states.h`, as the files write it. */
const SYN_RECV = '03'

const LITTLE = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** The text of an address that is written as 32-bit numbers in the machine's byte order. */
function addressOf(hexadecimal: string): string {
  const bytes = new Uint8Array(hexadecimal.length / 2)
  for (let at = 0; at < bytes.length; at++) {
    const place = LITTLE ? at - at % 4 + 3 - at % 4 : at
    bytes[place] = parseInt(hexadecimal.slice(at * 2, at * 2 + 2), 16)
  }
  return bytes.length === 4 ? formatIPv4(bytes, 0) : formatIPv6(bytes, 0)
}

/** What comes after the bytes of a timer: hundredths of a second. */
const TICK = 10

/**
 * Parses /proc/net/tcp or tcp6: the handshakes that wait, by both ends. Left out are those of clients that have another connection to the
 * same address of this machine: answers from there reach them.
 */
export function parseHandshakes(text: string): Map<string, Handshake> {
  const handshakes = new Map<string, Handshake>()
  const reached = new Set<string>()
  for (const line of text.split('\n').slice(1)) {
    const [, local = '', remote = '', state, , timer = '', repeated] = line.trim().split(/\s+/)
    if (remote === '') continue
    const handshake = {
      local: addressOf(local.split(':')[0]),
      client: addressOf(remote.split(':')[0]),
      repeated: parseInt(repeated, 16),
      nextIn: parseInt(timer.split(':')[1], 16) * TICK,
    }
    if (state === SYN_RECV) handshakes.set(`${local} ${remote}`, handshake)
    else reached.add(pairOf(handshake))
  }
  for (const [ends, handshake] of handshakes) if (reached.has(pairOf(handshake))) handshakes.delete(ends)
  return handshakes
}

const pairOf = ({ local, client }: Handshake): string => `${local} ${client}`

/** Handshakes that were answered once more between two looks and still wait. A client that has given up would have ended them. */
export const answeredInVain = (before: ReadonlyMap<string, Handshake>, after: ReadonlyMap<string, Handshake>): Handshake[] =>
  [...after].filter(([ends, { repeated }]) => repeated > (before.get(ends)?.repeated ?? Infinity)).map(([, handshake]) => handshake)

/** Milliseconds until one of those that waited at both looks is answered once more; Infinity where none did. */
export const nextAnswer = (before: ReadonlyMap<string, Handshake>, after: ReadonlyMap<string, Handshake>): number =>
  Math.min(...[...after].filter(([ends]) => before.has(ends)).map(([, { nextIn }]) => nextIn))
