import { formatMask, prefixOfMask } from '../model/address.js'
import type { Persistence } from '../model/types.js'

/** An IPv4 address as inet_aton(3) reads it: one to four numbers, the last of which fills the remaining bytes. */
export function looseMask(text: string): number | undefined {
  const parts = text.split('.').map((part) => /^(?:0[xX][0-9A-Fa-f]+|0[0-7]*|[1-9][0-9]*)$/.test(part) ? Number(/^0[0-7]+$/.test(part) ? `0o${part.slice(1)}` : part) : NaN)
  if (parts.length > 4 || parts.some((part) => Number.isNaN(part))) return undefined
  const last = parts.pop()!
  if (parts.some((part) => part > 255) || last >= 256 ** (4 - parts.length)) return undefined
  return parts.reduce((sum, part, index) => sum + part * 256 ** (3 - index), last)
}

/** The mask that `persistence_granularity` sets; `undefined` if the text is no mask of this family. */
export function granularityOf(text: string, family: 4 | 6): Partial<Persistence> | undefined {
  if (family === 6) return /^\+?[0-9]+$/.test(text) && Number(text) >= 1 && Number(text) <= 128 ? { prefixLength: Number(text) } : undefined
  const mask = looseMask(text)
  if (mask === undefined) return undefined
  const prefixLength = prefixOfMask(mask)
  return prefixLength === undefined ? { netmask: formatMask(mask) } : { prefixLength }
}
