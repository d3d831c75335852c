import {
  familyOfTable, memberId, STATE, type Bytes, type Chain, type Expression, type Hook, type Ruleset, type Verdict,
} from './ruleset.js'

/** A packet, as far as it is known. */
export interface Packet {
  family: 4 | 6
  /** The number of the transport protocol. */
  protocol: number
  network: Bytes
  transport: Bytes
  /** Bits of the state of its connection; `undefined` for any. */
  state: number | undefined
  incoming?: Interface
  outgoing?: Interface
}

/** An interface, as rules refer to it. */
export interface Interface {
  name: string
  index: number
}

/** How a packet can end at a hook. */
export type End = 'passes' | 'dropped' | 'unknown'

/** How a packet can leave a chain. */
type Left = 'accept' | 'drop' | 'return' | 'translate' | 'unknown'

const REGISTERS = 80
const INTERFACE_NAME = 16

/** true, false, or `undefined`: it depends on what is not known of the packet. */
type Maybe = boolean | undefined

const not = (one: Maybe): Maybe => one === undefined ? undefined : !one

/** Compares as many bytes as the value has. Bytes that differ for sure decide, whatever is unknown behind them. */
function compare(have: Bytes, value: Bytes): number | undefined {
  for (const [at, byte] of value.entries()) {
    const own = have[at]
    if (own === undefined || byte === undefined) return undefined
    if (own !== byte) return own - byte
  }
  return 0
}

/** Whether bytes are the value: not, if any of them differs, whatever else is unknown. */
function equals(have: Bytes, value: Bytes): Maybe {
  if (value.some((byte, at) => have[at] !== undefined && byte !== undefined && have[at] !== byte)) return false
  return value.every((byte, at) => have[at] !== undefined && byte !== undefined) ? true : undefined
}

const COMPARED: Record<'<' | '<=' | '>' | '>=', (order: number) => boolean> = {
  '<': (order) => order < 0, '<=': (order) => order <= 0, '>': (order) => order > 0, '>=': (order) => order >= 0,
}

function isBetween(have: Bytes, from: Bytes, to: Bytes): Maybe {
  const [low, high] = [compare(have, from), compare(have, to)]
  if (low !== undefined && low < 0 || high !== undefined && high > 0) return false
  return low === undefined || high === undefined ? undefined : true
}

/** The bytes of a number in the order of this machine. */
const machineBytes = (number: number): number[] => [...new Uint8Array(Uint32Array.of(number).buffer)]

/** What happens to one packet in a firewall. Where that depends on what is not known of the packet, everything that can happen. */
export class Judge {
  readonly #ruleset: Ruleset
  #packet: Packet
  #dropping: Chain | undefined

  constructor(ruleset: Ruleset, packet: Packet) {
    this.#ruleset = ruleset
    this.#packet = packet
  }

  /** The base chains of a hook that see the packet, in their order. */
  #chains(hook: Hook, below = Infinity): Chain[] {
    return [...this.#ruleset.chains.values()]
      .filter(({ table, base }) => base?.hook === hook && base.priority < below &&
        ['inet', this.#packet.family === 4 ? 'ip' : 'ip6'].includes(familyOfTable(table)))
      .sort((one, other) => one.base!.priority - other.base!.priority)
  }

  /**
   * How the packet can end at a hook.
   *
   * @param below only in chains of a lower priority
   */
  at(hook: Hook, below?: number): Set<End> {
    this.#dropping = undefined
    const ends = new Set<End>()
    for (const chain of this.#chains(hook, below)) {
      // Chains of type nat see the first packet of a connection only, and are not for filtering.
      if (chain.base!.type === 'nat') continue
      const left = this.#leave(chain)
      if (left.delete('return')) left.add(chain.base!.policy)
      if (left.has('drop')) ends.add('dropped')
      if (left.has('unknown')) ends.add('unknown')
      if (left.size === 1 && left.has('drop')) {
        this.#dropping = chain
        return ends
      }
    }
    return ends.add('passes')
  }

  /**
   * The base chain that drops the packet on its way, whatever is not known of it.
   *
   * @param way hooks in their order, each with the priority of the first chain that the packet does not come to
   */
  droppingChain(way: readonly (readonly [hook: Hook, below?: number])[]): Chain | undefined {
    for (const [hook, below] of way) {
      const ends = this.at(hook, below)
      if (ends.has('unknown')) return undefined
      if (!ends.has('passes')) return this.#dropping
    }
    return undefined
  }

  /** Whether the packet's addresses are translated at a hook: true if that is sure. */
  isTranslatedAt(hook: Hook): boolean {
    return this.#chains(hook).some((chain) => {
      if (chain.base!.type !== 'nat') return false
      const left = this.#leave(chain)
      return left.size === 1 && left.has('translate')
    })
  }

  /** How the packet can leave a chain. */
  #leave(chain: Chain, depth = 0): Set<Left> {
    const left = new Set<Left>()
    if (depth > 16) return left.add('unknown')
    for (const rule of chain.rules) {
      const { ends, goesOn } = this.#work(rule, chain, depth)
      for (const end of ends) left.add(end)
      if (!goesOn) return left
    }
    return left.add('return')
  }

  /** Works off one rule: how the chain can be left by it, and whether the next rule can be reached. */
  #work(rule: readonly Expression[], chain: Chain, depth: number): { ends: Set<Left>, goesOn: boolean } {
    const ends = new Set<Left>()
    const registers: (number | undefined)[] = Array<number | undefined>(REGISTERS).fill(undefined)
    /** Whether all conditions up to here are met for sure. */
    let sure = true
    for (const expression of rule) {
      const met = this.#apply(expression, registers, chain.table)
      if (met === false) return { ends, goesOn: true }
      if (met === undefined) sure = false
      const verdicts = typeof met === 'object' ? met : []
      if (verdicts.length === 0) continue
      let goesOn = !sure
      for (const verdict of verdicts) if (this.#follow(verdict, chain, depth, ends)) goesOn = true
      return { ends, goesOn }
    }
    return { ends, goesOn: true }
  }

  /** Carries out a verdict. Returns whether the next rule can be reached. */
  #follow(verdict: Verdict | 'translate' | 'unknown', chain: Chain, depth: number, ends: Set<Left>): boolean {
    if (verdict === 'continue') return true
    if (typeof verdict === 'string') {
      ends.add(verdict)
      return verdict === 'unknown'
    }
    const next = this.#ruleset.chains.get(memberId(chain.table, 'jump' in verdict ? verdict.jump : verdict.goto))
    const left = next ? this.#leave(next, depth + 1) : new Set<Left>(['unknown'])
    const returns = left.delete('return')
    for (const end of left) ends.add(end)
    if (returns && 'goto' in verdict) ends.add('return')
    return returns && 'jump' in verdict
  }

  /** What an expression comes to: a condition that is met, or not, or perhaps; or the verdicts of which one is given. */
  #apply(
    expression: Expression, registers: (number | undefined)[], table: string,
  ): Maybe | (Verdict | 'translate' | 'unknown')[] {
    const read = (register: number, length: number): Bytes => registers.slice(register, register + length)
    const write = (register: number, bytes: Bytes): true => {
      // What is loaded fills up whole words.
      const words = Math.ceil(bytes.length / 4) * 4
      for (let at = 0; at < words; at++) registers[register + at] = at < bytes.length ? bytes[at] : 0
      return true
    }
    switch (expression.type) {
      case 'load': return write(expression.into, this.#load(expression))
      case 'set': return write(expression.into, expression.value)
      case 'mask': {
        const bytes = read(expression.from, expression.and.length)
        return write(expression.into, bytes.map((byte, at) => {
          const [and, xor] = [expression.and[at]!, expression.xor[at] ?? 0]
          return and === 0 ? xor : byte === undefined ? undefined : (byte & and) ^ xor
        }))
      }
      case 'compare': {
        const { operator, value } = expression
        const have = read(expression.register, value.length)
        if (operator === '==') return equals(have, value)
        if (operator === '!=') return not(equals(have, value))
        const order = compare(have, value)
        return order === undefined ? undefined : COMPARED[operator](order)
      }
      case 'range': {
        const inside = isBetween(read(expression.register, expression.from.length), expression.from, expression.to)
        return expression.inside ? inside : not(inside)
      }
      case 'lookup': return this.#lookUp(expression, read, table)
      case 'state': {
        const { state } = this.#packet
        if (state === undefined) return undefined
        return (state & expression.bits) !== 0 !== expression.inverted
      }
      case 'ports': {
        const at = expression.of === 'source' ? 0 : 2
        const bytes = (port: number): number[] => [port >> 8, port & 0xff]
        const inside = isBetween(this.#packet.transport.slice(at, at + 2), bytes(expression.from), bytes(expression.to))
        return expression.inverted ? not(inside) : inside
      }
      case 'verdict': return [expression.verdict]
      case 'translate': return ['translate']
      case 'untrack':
        this.#packet = { ...this.#packet, state: this.#packet.state === STATE.untracked ? STATE.untracked : undefined }
        return true
      case 'aside': return true
      case 'condition':
        // It may have loaded something.
        registers.fill(undefined)
        return undefined
      case 'unknown': return ['unknown']
    }
  }

  #load(expression: Expression & { type: 'load' }): Bytes {
    const unknown = (length: number): Bytes => Array<undefined>(length).fill(undefined)
    const nameOf = (one: Interface | undefined): Bytes => {
      if (one === undefined) return unknown(INTERFACE_NAME)
      const bytes = Buffer.alloc(INTERFACE_NAME)
      bytes.write(one.name, 'latin1')
      return [...bytes]
    }
    const indexOf = (one: Interface | undefined): Bytes => one === undefined ? unknown(4) : machineBytes(one.index)
    const { family, protocol, state, network, transport, incoming, outgoing } = this.#packet
    switch (expression.from) {
      case 'network': return Array.from({ length: expression.length }, (_, at) => network[expression.offset + at])
      case 'transport': return Array.from({ length: expression.length }, (_, at) => transport[expression.offset + at])
      case 'protocol': return [protocol]
      case 'family': return [family === 4 ? 2 : 10]
      case 'state': return state === undefined ? unknown(4) : machineBytes(state)
      case 'incoming': return nameOf(incoming)
      case 'outgoing': return nameOf(outgoing)
      case 'incomingIndex': return indexOf(incoming)
      case 'outgoingIndex': return indexOf(outgoing)
      case 'unknown': return unknown(INTERFACE_NAME)
    }
  }

  #lookUp(
    { set, register, inverted, into }: Expression & { type: 'lookup' }, read: (register: number, length: number) => Bytes, table: string,
  ): Maybe | (Verdict | 'unknown')[] {
    const known = this.#ruleset.sets.get(memberId(table, set))
    if (known === undefined || known === 'unknown') return into === 'verdict' ? ['unknown'] : undefined
    const found = known.elements.map((element) => {
      const have = read(register, element.from.length)
      return { element, is: element.to ? isBetween(have, element.from, element.to) : equals(have, element.from) }
    })
    const sure = found.find(({ is }) => is === true)
    const possible = found.filter(({ is }) => is !== false)
    if (into === 'verdict') {
      if (sure) return [sure.element.verdict ?? 'unknown']
      if (possible.length === 0) return false
      return ['continue', ...possible.map(({ element }) => element.verdict ?? 'unknown' as const)]
    }
    // What a map gives is not followed.
    if (into !== undefined) return possible.length === 0 ? false : undefined
    const member: Maybe = sure ? true : possible.length === 0 ? false : undefined
    return inverted ? not(member) : member
  }
}
