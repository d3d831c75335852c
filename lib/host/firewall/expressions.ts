import { bytesOf, LITTLE } from '../../network/message.js'
import { attributesIn, numberOf, text, type Attributes } from './attributes.js'
import { STATE, type Expression, type Register, type Verdict } from './ruleset.js'

const NFTA_EXPR = { name: 1, data: 2 } as const
const NFTA_DATA = { value: 1, verdict: 2 } as const
const NFTA_VERDICT = { code: 1, chain: 2 } as const

const VERDICTS: Partial<Record<number, 'accept' | 'drop' | 'return' | 'continue'>> = {
  0: 'drop', 1: 'accept', [-1]: 'continue', [-2]: 'continue', [-5]: 'return',
}
const JUMP = -3
const GOTO = -4

/** `enum nft_meta_keys`. */
const META = new Map([
  [4, 'incomingIndex'], [5, 'outgoingIndex'], [6, 'incoming'], [7, 'outgoing'], [15, 'family'], [16, 'protocol'],
] as const)
const BASES: Partial<Record<number, 'network' | 'transport'>> = { 1: 'network', 2: 'transport' }
const OPERATORS = ['==', '!=', '<', '<=', '>', '>='] as const
const NFT_CT_STATE = 0
const NFT_BITWISE_BOOL = 0

/** Of iptables' targets those that end nothing. */
const ASIDE = new Set(['LOG', 'NFLOG', 'MARK', 'CONNMARK', 'TCPMSS', 'TOS', 'DSCP', 'TTL', 'CHECKSUM', 'CLASSIFY', 'TRACE'])
const TRANSLATING = new Set(['MASQUERADE', 'SNAT', 'DNAT', 'REDIRECT', 'NETMAP'])

/** Where a register begins: four of 16 bytes after the verdict's, or the same in pieces of 4 bytes, from number 8 on. */
const place = (view: DataView | undefined): Register => {
  const register = numberOf(view)
  return register < 8 ? register * 16 : 16 + (register - 8) * 4
}

const VERDICT_REGISTER = 0

/** A value, as it is compared with a register. */
const value = (view: DataView | undefined): number[] => {
  const inner = view && attributesIn(view, 0).get(NFTA_DATA.value)
  return inner === undefined ? [] : [...bytesOf(inner)]
}

/** The verdict in a nest of data; `undefined` for another value. One that this package does not know (a queue) is none. */
export function readVerdict(data: DataView): Verdict | undefined {
  const nest = attributesIn(data, 0).get(NFTA_DATA.verdict)
  if (nest === undefined) return undefined
  const attributes = attributesIn(nest, 0)
  const code = numberOf(attributes.get(NFTA_VERDICT.code)) | 0
  const chain = text(attributes.get(NFTA_VERDICT.chain))
  if (code === JUMP) return { jump: chain }
  if (code === GOTO) return { goto: chain }
  return VERDICTS[code]
}

/** What each expression does, from its attributes. */
const READERS: Record<string, (attributes: Attributes) => Expression> = {
  meta: (attributes) => {
    // Without a register to load into, it sets something: a mark.
    if (!attributes.has(1)) return { type: 'aside' }
    return { type: 'load', from: META.get(numberOf(attributes.get(2)) as 4) ?? 'unknown', into: place(attributes.get(1)) }
  },
  payload: (attributes) => {
    if (!attributes.has(1)) return { type: 'unknown' }
    const from = BASES[numberOf(attributes.get(2))]
    const into = place(attributes.get(1))
    return from === undefined
      ? { type: 'load', from: 'unknown', into }
      : { type: 'load', from, into, offset: numberOf(attributes.get(3)), length: numberOf(attributes.get(4)) }
  },
  ct: (attributes) => {
    if (!attributes.has(1)) return { type: 'aside' }
    return { type: 'load', from: numberOf(attributes.get(2)) === NFT_CT_STATE ? 'state' : 'unknown', into: place(attributes.get(1)) }
  },
  cmp: (attributes) => ({
    type: 'compare', register: place(attributes.get(1)), operator: OPERATORS[numberOf(attributes.get(2))], value: value(attributes.get(3)),
  }),
  range: (attributes) => ({
    type: 'range', register: place(attributes.get(1)), inside: numberOf(attributes.get(2)) === 0,
    from: value(attributes.get(3)), to: value(attributes.get(4)),
  }),
  bitwise: (attributes) => numberOf(attributes.get(6)) === NFT_BITWISE_BOOL
    ? {
        type: 'mask', from: place(attributes.get(1)), into: place(attributes.get(2)),
        and: value(attributes.get(4)), xor: value(attributes.get(5)),
      }
    : { type: 'load', from: 'unknown', into: place(attributes.get(2)) },
  lookup: (attributes) => ({
    type: 'lookup', set: text(attributes.get(1)), register: place(attributes.get(2)), inverted: (numberOf(attributes.get(5)) & 1) !== 0,
    into: !attributes.has(3) ? undefined : numberOf(attributes.get(3)) === VERDICT_REGISTER ? 'verdict' : place(attributes.get(3)),
  }),
  immediate: (attributes) => {
    const data = attributes.get(2)
    if (data === undefined) return { type: 'unknown' }
    if (numberOf(attributes.get(1)) !== VERDICT_REGISTER) return { type: 'set', into: place(attributes.get(1)), value: value(data) }
    const verdict = readVerdict(data)
    return verdict === undefined ? { type: 'unknown' } : { type: 'verdict', verdict }
  },
  reject: () => ({ type: 'verdict', verdict: 'drop' }),
  masq: () => ({ type: 'translate' }),
  nat: () => ({ type: 'translate' }),
  redir: () => ({ type: 'translate' }),
  notrack: () => ({ type: 'untrack' }),
  match: (attributes) => readMatch(text(attributes.get(1)), numberOf(attributes.get(2)), attributes.get(3)),
  target: (attributes) => {
    const name = text(attributes.get(1))
    if (name === 'REJECT') return { type: 'verdict', verdict: 'drop' }
    if (TRANSLATING.has(name)) return { type: 'translate' }
    return { type: ASIDE.has(name) ? 'aside' : 'unknown' }
  },
}
for (const name of ['counter', 'log', 'last', 'objref']) READERS[name] = () => ({ type: 'aside' })
// They are true for some packets, or load something that is not known of a packet.
for (const name of ['limit', 'quota', 'connlimit', 'dynset', 'socket', 'fib', 'rt', 'hash', 'numgen', 'exthdr', 'osf', 'tunnel', 'xfrm', 'byteorder'])
  READERS[name] = () => ({ type: 'condition' })

/** Reads one of a rule's expressions. */
export function readExpression(expression: DataView): Expression {
  const attributes = attributesIn(expression, 0)
  const data = attributes.get(NFTA_EXPR.data)
  const reader = READERS[text(attributes.get(NFTA_EXPR.name))] as (typeof READERS)[string] | undefined
  return reader ? reader(data ? attributesIn(data, 0) : new Map<number, DataView>()) : { type: 'unknown' }
}

/** `struct xt_conntrack_mtinfo3`: where its flags and states are. */
const CONNTRACK = { flags: 146, inverted: 148, states: 150, length: 154 } as const
const XT_CONNTRACK_STATE = 1
const XT_CONNTRACK_STATE_ALIAS = 1 << 13
const XT_UNTRACKED = 256

/** A condition of iptables: its own form of the state of connections, and of ports. */
function readMatch(name: string, revision: number, info: DataView | undefined): Expression {
  if (name === 'conntrack' && revision >= 2 && info !== undefined && info.byteLength >= CONNTRACK.length) {
    const flags = info.getUint16(CONNTRACK.flags, LITTLE) & ~XT_CONNTRACK_STATE_ALIAS
    const mask = info.getUint16(CONNTRACK.states, LITTLE)
    if (flags === XT_CONNTRACK_STATE && mask < 512 && (mask & 0xf0) === 0) {
      const bits = mask & 15 | ((mask & XT_UNTRACKED) === 0 ? 0 : STATE.untracked)
      return { type: 'state', bits, inverted: (info.getUint16(CONNTRACK.inverted, LITTLE) & XT_CONNTRACK_STATE) !== 0 }
    }
  }
  if ((name === 'tcp' || name === 'udp') && info !== undefined && info.byteLength >= 9) {
    const [sourceFrom, sourceTo, from, to] = [0, 2, 4, 6].map((at) => info.getUint16(at, LITTLE))
    const isBare = name === 'udp' || info.byteLength >= 12 && info.getUint8(8) === 0 && info.getUint8(9) === 0
    const inverted = info.getUint8(name === 'udp' ? 8 : 11)
    if (isBare && inverted < 4) {
      const anySource = sourceFrom === 0 && sourceTo === 0xffff && (inverted & 1) === 0
      const any = from === 0 && to === 0xffff && (inverted & 2) === 0
      if (anySource) return { type: 'ports', of: 'destination', from, to, inverted: (inverted & 2) !== 0 }
      if (any) return { type: 'ports', of: 'source', from: sourceFrom, to: sourceTo, inverted: (inverted & 1) !== 0 }
    }
  }
  return name === 'comment' ? { type: 'aside' } : { type: 'condition' }
}
