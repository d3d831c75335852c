/**
 * Addresses as ipvsadm reads and writes them, where the C library's ways differ from the canonical text of this library:
 * IPv4 in all the spellings of inet_aton(3), IPv6 as inet_ntop(3) prints it.
 */
import { canonicalAddress, formatMask, parseAddress } from '../model/address.js'

const loosePart = /^(?:0[xX]([0-9a-fA-F]+)|0([0-7]*)|([1-9][0-9]*))$/

/**
 * Reads IPv4 text as inet_aton(3) does: one to four parts, each decimal, octal (leading 0) or hexadecimal (leading 0x), the last one
 * filling what is left; what follows white space is passed over.
 *
 * @returns The canonical text, or `undefined` if the text is no address.
 */
export function looseIPv4(text: string): string | undefined {
  const usual = canonicalAddress(text)
  if (usual !== undefined) return usual.includes(':') ? undefined : usual
  const parts = text.split(/[ \t\n\v\f\r]/, 1)[0].split('.')
  if (parts.length > 4) return undefined
  let address = 0
  for (const [index, part] of parts.entries()) {
    const match = loosePart.exec(part)
    if (!match) return undefined
    const [, hexadecimal, octal, decimal] = match
    const value = hexadecimal !== undefined ? parseInt(hexadecimal, 16) : octal !== undefined ? parseInt(octal || '0', 8) : Number(decimal)
    const last = index === parts.length - 1
    if (value >= (last ? 256 ** (4 - index) : 256)) return undefined
    address += last ? value : value * 256 ** (3 - index)
  }
  return formatMask(address)
}

const embedded = /^::([0-9a-f]{1,4}):([0-9a-f]{1,4})$/

/** A canonical address as inet_ntop(3) prints it: it writes a dotted quad after 96 zero bits, RFC 5952 does not. */
export function asPrinted(address: string): string {
  const match = embedded.exec(address)
  return match ? `::${formatMask(parseInt(match[1], 16) * 65_536 + parseInt(match[2], 16))}` : address
}

const bytes = new Uint8Array(16)
const view = new DataView(bytes.buffer)

/** What ipvsadm sorts addresses by: the 32-bit words of its union of both families. Host names count as 0. */
export function sortWords(address: string): [number, number, number, number] {
  if (parseAddress(address, bytes, 0) === 0) bytes.fill(0)
  return [view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12)]
}
