/**
 * Addresses as ipvsadm reads and writes them. It uses the C library, which differs from this library's canonical text: inet_aton(3) reads
 * IPv4 in many spellings, inet_ntop(3) prints some IPv6 addresses differently.
 */
import { canonicalAddress, formatMask, parseAddress } from '../model/address.js'

const loosePart = /^(?:0[xX]([0-9a-fA-F]+)|0([0-7]*)|([1-9][0-9]*))$/

/**
 * Reads IPv4 text as inet_aton(3) does: one to four parts, each decimal, octal (leading 0) or hexadecimal (leading 0x). The last part fills
 * the remaining bytes. White space and what follows it are ignored.
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

/** A canonical address as inet_ntop(3) prints it. After 96 zero bits it writes a dotted quad, unlike RFC 5952. */
export function asPrinted(address: string): string {
  const match = embedded.exec(address)
  return match ? `::${formatMask(parseInt(match[1], 16) * 65_536 + parseInt(match[2], 16))}` : address
}

const bytes = new Uint8Array(16)
const view = new DataView(bytes.buffer)

/** The 32-bit words of an address that ipvsadm sorts by. An IPv4 address has one, followed by zeros. Host names count as 0. */
export function sortWords(address: string): [number, number, number, number] {
  if (parseAddress(address, bytes, 0) === 0) bytes.fill(0)
  return [view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12)]
}
