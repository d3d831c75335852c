/**
 * Converts IP addresses between text and the sixteen bytes of a record, of which IPv4 uses the first four.
 *
 * It reads IPv4 in four decimal parts, and IPv6 as RFC 4291 writes it. It refuses IPv4 parts with leading zeros (some programs take them
 * for octal), zone identifiers (`fe80::1%eth0`: IPVS has no place for them), brackets, prefixes and names.
 *
 * It writes canonical text (RFC 5952). An IPv4-mapped address (`::ffff:192.0.2.1`) stays an IPv6 address and is written as one, because
 * IPVS never finds it in an IPv4 packet.
 */

const DOT = 46
const COLON = 58

/** Value of a hexadecimal digit, or -1. */
const hexadecimal = (code: number): number => {
  if (code >= 48 && code <= 57) return code - 48
  const lower = code | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}

/** Reads the IPv4 address that `text` has from `from` to its end into the four bytes at `at`. Returns whether it is one. */
function parseIPv4(text: string, from: number, bytes: Uint8Array, at: number): boolean {
  const end = text.length
  let part = 0
  let value = -1
  for (let i = from; i < end; i++) {
    const code = text.charCodeAt(i)
    if (code >= 48 && code <= 57) {
      if (value === -1) value = code - 48
      else {
        if (value === 0) return false
        value = value * 10 + code - 48
        if (value > 255) return false
      }
    } else if (code === DOT && value !== -1 && part < 3) {
      bytes[at + part++] = value
      value = -1
    } else return false
  }
  if (part !== 3 || value === -1) return false
  bytes[at + 3] = value
  return true
}

function parseIPv6(text: string, bytes: Uint8Array, at: number): boolean {
  const length = text.length
  if (length < 2 || length > 45) return false
  let filled = 0
  let gap = -1
  let i = 0
  if (text.charCodeAt(0) === COLON) {
    if (text.charCodeAt(1) !== COLON) return false
    gap = 0
    i = 2
  }
  while (i < length) {
    if (filled === 16) return false
    const start = i
    let value = 0
    let digit
    while (i < length && (digit = hexadecimal(text.charCodeAt(i))) >= 0) {
      value = value * 16 + digit
      i++
    }
    if (i < length && text.charCodeAt(i) === DOT) {
      if (filled > 12 || !parseIPv4(text, start, bytes, at + filled)) return false
      filled += 4
      break
    }
    if (i === start || i - start > 4) return false
    bytes[at + filled] = value >> 8
    bytes[at + filled + 1] = value
    filled += 2
    if (i === length) break
    if (text.charCodeAt(i++) !== COLON || i === length) return false
    if (text.charCodeAt(i) === COLON) {
      if (gap >= 0) return false
      gap = filled
      i++
    }
  }
  if (gap < 0) return filled === 16
  if (filled === 16) return false
  bytes.copyWithin(at + 16 - (filled - gap), at + gap, at + filled)
  bytes.fill(0, at + gap, at + 16 - (filled - gap))
  return true
}

/**
 * Reads an address into the sixteen bytes at `at`.
 *
 * @returns its family, 4 or 6, or 0 where the text is no address; the bytes are then undefined
 */
export function parseAddress(text: string, bytes: Uint8Array, at: number): 4 | 6 | 0 {
  if (parseIPv4(text, 0, bytes, at)) {
    for (let i = at + 4; i < at + 16; i++) bytes[i] = 0
    return 4
  }
  return parseIPv6(text, bytes, at) ? 6 : 0
}

const PART = Array.from({ length: 256 }, (_, value) => String(value))
const PART_AND_DOT = PART.map((part) => `${part}.`)

/**
 * Texts of recent IPv4 addresses, each at a place computed from its number. Many services often have the same few machines as destinations,
 * so making each text once saves time and memory. Empty places stand for 0.0.0.0.
 */
const RECENT_BITS = 10
const recentNumbers = new Uint32Array(1 << RECENT_BITS)
const recentTexts = new Array<string>(1 << RECENT_BITS).fill('0.0.0.0')

/** Text of the IPv4 address in the four bytes at `at`. */
export function formatIPv4(bytes: Uint8Array, at: number): string {
  const number = (bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3]) >>> 0
  const place = Math.imul(number, 0x9e3779b1) >>> 32 - RECENT_BITS
  if (recentNumbers[place] === number) return recentTexts[place]
  recentNumbers[place] = number
  return recentTexts[place] = PART_AND_DOT[bytes[at]] + PART_AND_DOT[bytes[at + 1]] + PART_AND_DOT[bytes[at + 2]] + PART[bytes[at + 3]]
}

/** Canonical text (RFC 5952) of the IPv6 address in the sixteen bytes at `at`. */
export function formatIPv6(bytes: Uint8Array, at: number): string {
  const groups: number[] = []
  for (let i = at; i < at + 16; i += 2) groups.push(bytes[i] << 8 | bytes[i + 1])
  if (groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)) return `::ffff:${formatIPv4(bytes, at + 12)}`
  let gap = -1
  let gapLength = 1
  for (let i = 0; i < 8; i++) {
    let end = i
    while (end < 8 && groups[end] === 0) end++
    if (end - i > gapLength) {
      gap = i
      gapLength = end - i
    }
    i = end
  }
  const text = (from: number, to: number): string => groups.slice(from, to).map((group) => group.toString(16)).join(':')
  return gap < 0 ? text(0, 8) : `${text(0, gap)}::${text(gap + gapLength, 8)}`
}

const scratch = new Uint8Array(16)

/** The canonical text of an address, or `undefined` where the text is no address. */
export function canonicalAddress(text: string): string | undefined {
  const family = parseAddress(text, scratch, 0)
  if (family === 0) return undefined
  return family === 4 ? formatIPv4(scratch, 0) : formatIPv6(scratch, 0)
}

/** The address family of text: 4 or 6, or 0 where the text is no address. */
export const addressFamily = (text: string): 4 | 6 | 0 => parseAddress(text, scratch, 0)

/** IPv4 mask of the leading `prefixLength` bits, as a number in host order. */
export const maskOfPrefix = (prefixLength: number): number => prefixLength === 0 ? 0 : -1 << 32 - prefixLength >>> 0

/** Number of leading one bits of an IPv4 mask in host order, or `undefined` where other one bits follow. */
export function prefixOfMask(mask: number): number | undefined {
  const length = Math.clz32(~mask)
  return maskOfPrefix(length) === mask ? length : undefined
}

/** Reads the text of an IPv4 mask. Returns it in host order, or `undefined` where the text is no IPv4 address. */
export function parseMask(text: string): number | undefined {
  if (!parseIPv4(text, 0, scratch, 0)) return undefined
  return (scratch[0] << 24 | scratch[1] << 16 | scratch[2] << 8 | scratch[3]) >>> 0
}

/** Text of an IPv4 mask in host order. */
export const formatMask = (mask: number): string => `${mask >>> 24}.${mask >>> 16 & 255}.${mask >>> 8 & 255}.${mask & 255}`
