import { formatIPv4, formatIPv6, parseAddress } from '../model/address.js'
import type { FileDraft, GroupEntry, ServerGroup } from './drafts.js'
import type { Statement } from './statement.js'
import type { Context, Keyword } from './walk.js'

/** The most addresses in one line. Each becomes a service, so a larger number is taken for a mistake. */
const MOST_ADDRESSES = 65_536

/** An address as a number. */
function toNumber(text: string): { family: 4 | 6, value: bigint } | undefined {
  const bytes = new Uint8Array(16)
  const family = parseAddress(text, bytes, 0)
  if (family === 0) return undefined
  return { family, value: bytes.subarray(0, family === 4 ? 4 : 16).reduce((sum, byte) => sum << 8n | BigInt(byte), 0n) }
}

function toText(value: bigint, family: 4 | 6): string {
  const bytes = new Uint8Array(16)
  for (let at = (family === 4 ? 4 : 16) - 1, rest = value; at >= 0; at--, rest >>= 8n) bytes[at] = Number(rest & 255n)
  return family === 4 ? formatIPv4(bytes, 0) : formatIPv6(bytes, 0)
}

/** The first and the last address of `IP`, `IP-LAST`, `IP-IP` or `IP/LENGTH`. A returned text says what is wrong with the word. */
function span(word: string): { family: 4 | 6, first: bigint, last: bigint } | string {
  const [, start, sign, end] = /^([^/-]*)(?:([/-])(.*))?$/s.exec(word)!
  const first = toNumber(start)
  if (first === undefined) return `'${start}' is no address`
  const { family, value } = first
  if (sign === undefined) return { family, first: value, last: value }
  const bits = family === 4 ? 32 : 128
  if (sign === '/') {
    const length = /^[0-9]+$/.test(end) ? Number(end) : -1
    if (length < 1 || length > bits) return `'/${end}' is no prefix length`
    const size = 1n << BigInt(bits - length)
    if (value % size !== 0n) return `${start} is no address of a network of /${length}: bits behind the prefix are set`
    return { family, first: value, last: value + size - 1n }
  }
  const whole = toNumber(end)
  if (whole !== undefined && whole.family !== family) return `${start} and ${end} are of two families`
  const part = family === 4 ? 8n : 16n
  const number = family === 4 ? /^[0-9]{1,3}$/.test(end) ? Number(end) : -1 : /^[0-9A-Fa-f]{1,4}$/.test(end) ? parseInt(end, 16) : -1
  if (whole === undefined && (number < 0 || BigInt(number) >> part !== 0n)) return `'${end}' is no end of a range`
  const last = whole?.value ?? (value >> part << part | BigInt(number))
  if (last < value || (whole === undefined && last === value)) return `The end of ${word} is not above its beginning`
  return { family, first: value, last }
}

function readEntry(statement: Statement, { diagnostics }: Context): GroupEntry | undefined {
  const { place } = statement
  if (statement.keyword === 'fwmark') {
    const word = statement.need(1, 'a firewall mark')
    if (word === undefined) return undefined
    const fwmark = /^\+?[0-9]+$/.test(word) ? Number(word) : 0
    if (fwmark < 1 || fwmark > 2 ** 32 - 1) {
      diagnostics.error(statement.at(1), `'${word}' is no firewall mark`, 'Write a number from 1 to 4294967295, in decimal digits')
      return undefined
    }
    const family = statement.text(2)
    if (family !== undefined && family !== 'inet' && family !== 'inet6') diagnostics.warning(statement.at(2), `'${family}' is no address family, and does not count`, 'Write inet or inet6')
    else statement.only(3)
    return { fwmark, place, ...family === 'inet' ? { family: 4 as const } : family === 'inet6' ? { family: 6 as const } : {} }
  }
  const found = span(statement.keyword)
  if (typeof found === 'string') {
    diagnostics.error(place, `${found}, so the group would lack it`, 'Write IP PORT, IP-LAST PORT, IP-IP PORT, IP/LENGTH PORT, or fwmark N')
    return undefined
  }
  const port = statement.port(1)
  if (port === undefined) return undefined
  statement.only(2)
  const { family, first, last } = found
  const count = last - first + 1n
  if (count > BigInt(MOST_ADDRESSES)) {
    diagnostics.error(place, `${statement.keyword} has ${count} addresses, each of which would be a service`, `Write at most ${MOST_ADDRESSES.toLocaleString('en')}, or mark the packets and use fwmark`)
    return undefined
  }
  return { addresses: Array.from({ length: Number(count) }, (_, index) => toText(first + BigInt(index), family)), family, port, place }
}

/** The keyword `virtual_server_group`. */
export const virtualServerGroup: Keyword<FileDraft> = {
  status: 'differs', ours: '`services` with the same `group`. `ha_suspend` looks at each address',
  values(statement, file, context) {
    const name = statement.need(1, 'a name')
    statement.only(2)
    const group: ServerGroup = { name: name ?? '', place: statement.place, entries: [] }
    if (name !== undefined) {
      if (file.groups.some((other) => other.name === name)) context.diagnostics.warning(statement.at(1), `A virtual_server_group ${name} was there already; virtual servers use the first one`, 'Give it another name')
      file.groups.push(group)
    }
    return (line) => {
      const entry = readEntry(line, context)
      if (entry !== undefined) group.entries.push(entry)
    }
  },
}
