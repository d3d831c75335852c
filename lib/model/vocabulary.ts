/**
 * The words of the API and the kernel's numbers for them (`include/uapi/linux/ip_vs.h`, `linux/in.h`), in both directions.
 */

export const AF_INET = 2
export const AF_INET6 = 10

/** Words and their numbers. */
interface Vocabulary<Word extends string> {
  number: ReadonlyMap<string, number>
  word: ReadonlyMap<number, Word>
}

const both = <Word extends string>(numbers: Record<Word, number>): Vocabulary<Word> => {
  const entries = Object.entries<number>(numbers) as [Word, number][]
  return { number: new Map(entries), word: new Map(entries.map(([word, number]) => [number, word])) }
}

export const PROTOCOLS = both({ tcp: 6, udp: 17, sctp: 132 })
export const FORWARDING_METHODS = both({ nat: 0, local: 1, tun: 2, dr: 3, bypass: 4 })
export const TUNNEL_TYPES = both({ ipip: 0, gue: 1, gre: 2 })
export const CHECKSUMS = both({ none: 0, csum: 1, remcsum: 2 })
/** The checksums that each type of tunnel can have. ipvsadm allows the same. */
export const CHECKSUMS_OF: Record<'ipip' | 'gue' | 'gre', readonly string[]> = {
  ipip: ['none'],
  gue: ['none', 'csum', 'remcsum'],
  gre: ['none', 'csum'],
}
export const ROLES = both({ master: 1, backup: 2 })

/** Bits of a service's flags. */
export const PERSISTENT = 0x1
export const ONE_PACKET = 0x4

/** Flags for the scheduler, by number and bit. */
export const SCHEDULER_FLAGS = both({ 'flag-1': 0x8, 'flag-2': 0x10, 'flag-3': 0x20 })

/** What the flags mean to the schedulers that look at them. */
export const NAMED_SCHEDULER_FLAGS = new Map<string, Vocabulary<string>>([
  ['sh', both({ 'sh-fallback': 0x8, 'sh-port': 0x10 })],
  ['mh', both({ 'mh-fallback': 0x8, 'mh-port': 0x10 })],
])

/** All the flags that are a service's configuration; the kernel's own (`IP_VS_SVC_F_HASHED`) are not among them. */
export const CONFIGURABLE_FLAGS = PERSISTENT | ONE_PACKET | 0x38
