import { constants } from 'node:os'
import { errnoName } from '../../model/errors.js'
import { Conversation } from '../../network/conversation.js'
import { bytesOf, textOf } from '../../network/message.js'
import { addon } from '../../wire/load.js'
import { readExpression, readVerdict } from './expressions.js'
import { attributesIn, list, numberOf, text, type Attributes } from './attributes.js'
import { HOOKS, memberId, tableId, type Chain, type Element, type Family, type Ruleset } from './ruleset.js'

const NETLINK_NETFILTER = 12
const NFNL_SUBSYS_NFTABLES = 10 << 8

/** Messages. Each is asked for by the number after its own. */
const [TABLE, CHAIN, RULE, SET, SET_ELEMENT] = [1, 4, 7, 10, 13].map((number) => NFNL_SUBSYS_NFTABLES | number)

/** `struct nfgenmsg`: family, version, a number. */
const HEADER = 4
const FAMILIES: Partial<Record<number, Family>> = { 1: 'inet', 2: 'ip', 10: 'ip6' }

const NFTA_TABLE = { name: 1, flags: 2 } as const
const NFT_TABLE_F_DORMANT = 1
const NFTA_CHAIN = { table: 1, name: 3, hook: 4, policy: 5, type: 7 } as const
const NFTA_HOOK = { number: 1, priority: 2 } as const
const NFTA_RULE = { table: 1, chain: 2, expressions: 4 } as const
const NFTA_SET = { table: 1, name: 2, flags: 3, keyLength: 5 } as const
const NFT_SET = { interval: 0x4, concatenated: 0x80 } as const
const NFTA_SET_ELEMENTS = { table: 1, set: 2, elements: 3 } as const
const NFTA_ELEMENT = { key: 1, data: 2, flags: 3, keyEnd: 10 } as const
const NFT_SET_ELEM = { intervalEnd: 0x1, catchall: 0x2 } as const
const NFTA_DATA_VALUE = 1

/** What the kernel answers where it has no nf_tables. */
const WITHOUT = new Set([-constants.errno.EOPNOTSUPP, -constants.errno.EINVAL, -constants.errno.EPROTONOSUPPORT, -constants.errno.ENOENT])

interface Listed {
  family: Family
  number: number
  attributes: Attributes
}

/** What the kernel refused to tell. */
export class Untold extends Error {
  /** @param errno negative */
  constructor(readonly errno: number) {
    super(`nf_tables: ${errnoName(errno)}`)
  }
}

/**
 * Reads the rules of nf_tables that see IP packets (families ip, ip6 and inet): those of nft and of iptables-nft.
 *
 * @param namespace Descriptor of the network namespace.
 * @returns `undefined` where the kernel has no nf_tables. Rejects with {@link Untold} where they are not told.
 */
export async function readRuleset(namespace: number): Promise<Ruleset | undefined> {
  let conversation: Conversation
  try {
    conversation = new Conversation(addon.openChannel(NETLINK_NETFILTER, new Uint32Array(0), 0, namespace < 0 ? undefined : namespace))
  } catch {
    return undefined
  }
  const dump = async (type: number, family = 0, attributes: [number, Uint8Array][] = []): Promise<Listed[]> => {
    const { payloads, errno } = await conversation.ask({ type, fixed: Uint8Array.of(family, 0, 0, 0), attributes, dump: true })
    if (errno !== 0) throw new Untold(errno)
    return payloads.flatMap((payload) => {
      const number = payload.byteLength < HEADER ? 0 : payload.getUint8(0)
      const known = FAMILIES[number]
      return known === undefined ? [] : [{ family: known, number, attributes: attributesIn(payload, HEADER) }]
    })
  }
  try {
    const ruleset: Ruleset = { chains: new Map(), sets: new Map() }
    const asleep = new Set((await dump(TABLE))
      .filter(({ attributes }) => (numberOf(attributes.get(NFTA_TABLE.flags)) & NFT_TABLE_F_DORMANT) !== 0)
      .map(({ family, attributes }) => tableId(family, text(attributes.get(NFTA_TABLE.name)))))
    for (const { family, attributes } of await dump(CHAIN)) {
      const table = tableId(family, text(attributes.get(NFTA_CHAIN.table)))
      const chain = readChain(table, attributes)
      if (!asleep.has(table)) ruleset.chains.set(memberId(table, chain.name), chain)
    }
    for (const { family, attributes } of await dump(RULE)) {
      const table = tableId(family, text(attributes.get(NFTA_RULE.table)))
      const chain = ruleset.chains.get(memberId(table, text(attributes.get(NFTA_RULE.chain))))
      chain?.rules.push(list(attributes.get(NFTA_RULE.expressions)).map(readExpression))
    }
    if (ruleset.chains.size === 0) return ruleset
    for (const { family, number, attributes } of await dump(SET)) {
      const table = tableId(family, text(attributes.get(NFTA_SET.table)))
      const name = text(attributes.get(NFTA_SET.name))
      const answers = await dump(SET_ELEMENT, number, [
        [NFTA_SET_ELEMENTS.table, bytesOf(attributes.get(NFTA_SET.table)!)],
        [NFTA_SET_ELEMENTS.set, bytesOf(attributes.get(NFTA_SET.name)!)],
      ])
      const elements = answers.flatMap((answer) => list(answer.attributes.get(NFTA_SET_ELEMENTS.elements)))
      ruleset.sets.set(memberId(table, name), readElements(elements, numberOf(attributes.get(NFTA_SET.flags))))
    }
    return ruleset
  } catch (error) {
    if (error instanceof Untold && WITHOUT.has(error.errno)) return undefined
    throw error
  } finally {
    conversation.close()
  }
}

function readChain(table: string, attributes: Attributes): Chain {
  const chain: Chain = { table, name: text(attributes.get(NFTA_CHAIN.name)), rules: [] }
  const hook = attributes.get(NFTA_CHAIN.hook)
  const type = attributes.get(NFTA_CHAIN.type)
  if (hook === undefined || type === undefined) return chain
  const place = attributesIn(hook, 0)
  const known = HOOKS.at(numberOf(place.get(NFTA_HOOK.number)))
  if (known === undefined) return chain
  const policy = attributes.get(NFTA_CHAIN.policy)
  chain.base = {
    hook: known,
    priority: numberOf(place.get(NFTA_HOOK.priority)) | 0,
    type: textOf(type),
    policy: policy !== undefined && numberOf(policy) === 0 ? 'drop' : 'accept',
  }
  return chain
}

function readElements(elements: readonly DataView[], flags: number): { elements: Element[] } | 'unknown' {
  const read: (Element & { end: boolean })[] = []
  for (const element of elements) {
    const attributes = attributesIn(element, 0)
    const elementFlags = numberOf(attributes.get(NFTA_ELEMENT.flags))
    const key = attributes.get(NFTA_ELEMENT.key)
    const value = key && attributesIn(key, 0).get(NFTA_DATA_VALUE)
    // An element for everything else, ranges of several values at once.
    if (value === undefined || (elementFlags & NFT_SET_ELEM.catchall) !== 0 || attributes.has(NFTA_ELEMENT.keyEnd)) return 'unknown'
    const data = attributes.get(NFTA_ELEMENT.data)
    const verdict = data && readVerdict(data)
    read.push({ from: [...bytesOf(value)], end: (elementFlags & NFT_SET_ELEM.intervalEnd) !== 0, ...verdict && { verdict } })
  }
  if ((flags & NFT_SET.concatenated) !== 0 && (flags & NFT_SET.interval) !== 0) return 'unknown'
  if ((flags & NFT_SET.interval) === 0) return { elements: read }
  // A range is an element at its beginning, and another one, marked, behind its end.
  const sorted = [...read].sort((one, other) =>
    compareNumbers(one.from as number[], other.from as number[]) || Number(other.end) - Number(one.end))
  return {
    elements: sorted.flatMap(({ end, ...element }, at) => {
      const next = sorted.at(at + 1)
      return end ? [] : [{ ...element, to: next === undefined ? element.from.map(() => 0xff) : before(next.from as number[]) }]
    }),
  }
}

/** Bytes as numbers of network byte order: negative if the first is less. */
function compareNumbers(one: readonly number[], other: readonly number[]): number {
  const at = one.findIndex((byte, index) => byte !== other[index])
  return at < 0 ? 0 : one[at] - other[at]
}

/** The number before. */
function before(bytes: readonly number[]): number[] {
  const result = [...bytes]
  for (let at = result.length - 1; at >= 0; at--) {
    if (result[at] > 0) {
      result[at]--
      return result
    }
    result[at] = 0xff
  }
  return result
}
