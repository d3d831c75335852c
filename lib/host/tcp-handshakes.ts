import { formatIPv4, formatIPv6 } from '../model/address.js'
import type { Handshake } from './server-sight.js'

/** TCP_SYN_RECV of `include/net/tcp_states.h`, as the files write it. */
const SYN_RECV = '03'

/** After so many repetitions, at 1, 3, 7, 15 and 31 seconds, the client may have given up and the reason be gone. */
const TRIED = 3

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

/**
 * Parses /proc/net/tcp or tcp6: the handshakes that wait, by both ends. Left out are those of clients that have another connection here:
 * they are reached. Left out are those too that have waited for more than fifteen seconds: their clients may have given up.
 */
export function parseHandshakes(text: string): Map<string, Handshake> {
  const handshakes = new Map<string, Handshake>()
  const reached = new Set<string>()
  for (const line of text.split('\n').slice(1)) {
    const [, local = '', remote = '', state, , , repeated] = line.trim().split(/\s+/)
    const client = remote.split(':')[0]
    if (state === SYN_RECV) {
      if (parseInt(repeated, 16) <= TRIED) {
        handshakes.set(`${local} ${remote}`, { local: addressOf(local.split(':')[0]), client: addressOf(client) })
      }
    } else if (client !== '') reached.add(addressOf(client))
  }
  for (const [ends, { client }] of handshakes) if (reached.has(client)) handshakes.delete(ends)
  return handshakes
}
