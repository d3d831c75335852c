import { describe, expect, test } from 'vitest'
import { Judge } from '../../../lib/host/firewall/judge.js'
import { answer, firstPacket } from '../../../lib/host/firewall/packets.js'
import { memberId, STATE, type Chain, type Element, type Expression, type Hook, type Ruleset } from '../../../lib/host/firewall/ruleset.js'

const REGISTER = 16
const PORT = 80
const service = { address: '192.0.2.100', port: PORT }

const verdict = (words: 'accept' | 'drop' | 'return' | { jump: string } | { goto: string }): Expression => ({ type: 'verdict', verdict: words })
const protocol = (number: number): Expression[] => [
  { type: 'load', from: 'protocol', into: REGISTER }, { type: 'compare', register: REGISTER, operator: '==', value: [number] },
]
const port = (number: number): Expression[] => [
  ...protocol(6),
  { type: 'load', from: 'transport', offset: 2, length: 2, into: REGISTER },
  { type: 'compare', register: REGISTER, operator: '==', value: [number >> 8, number & 0xff] },
]
const source = (...bytes: number[]): Expression[] => [
  { type: 'load', from: 'network', offset: 12, length: 4, into: REGISTER },
  { type: 'compare', register: REGISTER, operator: '==', value: bytes },
]
const interfaceName = (name: string): Expression[] => [
  { type: 'load', from: 'incoming', into: REGISTER },
  { type: 'compare', register: REGISTER, operator: '==', value: [...Buffer.from(name), 0] },
]
const state = (bits: number): Expression[] => [
  { type: 'load', from: 'state', into: REGISTER },
  { type: 'mask', from: REGISTER, into: REGISTER, and: [...new Uint8Array(Uint32Array.of(bits).buffer)], xor: [0, 0, 0, 0] },
  { type: 'compare', register: REGISTER, operator: '!=', value: [0, 0, 0, 0] },
]

interface Written {
  hook?: Hook
  priority?: number
  policy?: 'accept' | 'drop'
  type?: string
  rules?: Expression[][]
}

function firewall(chains: Record<string, Written>, sets: Record<string, Element[]> = {}, table = 'inet f'): Ruleset {
  return {
    chains: new Map(Object.entries(chains).map(([name, { hook, priority = 0, policy = 'accept', type = 'filter', rules = [] }]) => {
      const chain: Chain = { table, name, rules, ...hook && { base: { hook, priority, policy, type } } }
      return [memberId(table, name), chain]
    })),
    sets: new Map(Object.entries(sets).map(([name, elements]) => [memberId(table, name), { elements }])),
  }
}

const atInput = (ruleset: Ruleset, packet = firstPacket('tcp', service, STATE.new)) => [...new Judge(ruleset, packet).at('input')].sort()
const input = (rules: Expression[][], policy: 'accept' | 'drop' = 'drop') => firewall({ input: { hook: 'input', policy, rules } })

describe('a packet', () => {
  test('passes where there is no chain, and ends as the policy says where no rule does', () => {
    expect(atInput(firewall({}))).toEqual(['passes'])
    expect(atInput(input([]))).toEqual(['dropped'])
    expect(atInput(input([], 'accept'))).toEqual(['passes'])
  })

  test('is told by its port and protocol', () => {
    expect(atInput(input([[...port(PORT), verdict('accept')]]))).toEqual(['passes'])
    expect(atInput(input([[...port(22), verdict('accept')]]))).toEqual(['dropped'])
    expect(atInput(input([[...protocol(17), verdict('accept')]]))).toEqual(['dropped'])
  })

  test('can end both ways where that depends on who sends it', () => {
    expect(atInput(input([[...source(10, 0, 0, 1), verdict('accept')]]))).toEqual(['dropped', 'passes'])
    expect(atInput(input([[...source(10, 0, 0, 1), verdict('drop')]], 'accept'))).toEqual(['dropped', 'passes'])
  })

  test('is told by its interface, where that is known', () => {
    const ruleset = input([[...interfaceName('lo'), verdict('accept')]])
    const packet = firstPacket('tcp', service, STATE.new)
    expect(atInput(ruleset, packet)).toEqual(['dropped', 'passes'])
    expect(atInput(ruleset, { ...packet, incoming: { name: 'eth0', index: 2 } })).toEqual(['dropped'])
    expect(atInput(ruleset, { ...packet, incoming: { name: 'lo', index: 1 } })).toEqual(['passes'])
  })

  test('is told by the state of its connection', () => {
    const ruleset = input([[...state(STATE.established | STATE.related), verdict('accept')]])
    for (const [own, end] of [[STATE.established, ['passes']], [STATE.invalid, ['dropped']], [undefined, ['dropped', 'passes']]] as const)
      expect(atInput(ruleset, answer('tcp', service, own))).toEqual(end)
  })

  test('that is not tracked any more has no state that is known', () => {
    const ruleset = firewall({
      early: { hook: 'prerouting', rules: [[{ type: 'untrack' }]] }, input: { hook: 'input', policy: 'drop', rules: [[...state(STATE.new), verdict('accept')]] },
    })
    const judge = new Judge(ruleset, firstPacket('tcp', service, STATE.new))
    judge.at('prerouting')
    expect([...judge.at('input')].sort()).toEqual(['dropped', 'passes'])
  })

  test('is dropped by one chain though another accepts it', () => {
    const ruleset = firewall({ first: { hook: 'input', priority: -10, rules: [[verdict('accept')]] }, second: { hook: 'input', policy: 'drop' } })
    expect(atInput(ruleset)).toEqual(['dropped'])
    const judge = new Judge(ruleset, firstPacket('tcp', service, STATE.new))
    expect(judge.droppingChain([['prerouting'], ['input']])?.name).toBe('second')
    expect(judge.droppingChain([['input', 0]])).toBeUndefined()
  })

  test('comes back from a chain that was jumped to, and not from one that was gone to', () => {
    const rules = (way: 'jump' | 'goto'): Record<string, Written> => ({
      input: { hook: 'input', policy: 'drop', rules: [[verdict(way === 'jump' ? { jump: 'more' } : { goto: 'more' })], [verdict('accept')]] },
      more: { rules: [[...port(22), verdict('drop')], [verdict('return')]] },
    })
    expect(atInput(firewall(rules('jump')))).toEqual(['passes'])
    expect(atInput(firewall(rules('goto')))).toEqual(['dropped'])
  })

  test('is looked up in sets, ranges and maps of verdicts', () => {
    const load: Expression = { type: 'load', from: 'transport', offset: 2, length: 2, into: REGISTER }
    const lookup = (more: { inverted?: boolean, into?: 'verdict' } = {}): Expression =>
      ({ type: 'lookup', set: 's', register: REGISTER, inverted: false, into: undefined, ...more })
    const at = (elements: Element[], ...rule: Expression[]) =>
      atInput(firewall({ input: { hook: 'input', policy: 'drop', rules: [[load, ...rule]] } }, { s: elements }))
    const [web, range] = [[{ from: [0, 80] }], [{ from: [0, 70], to: [0, 90] }]]
    expect(at(web, lookup(), verdict('accept'))).toEqual(['passes'])
    expect(at(range, lookup(), verdict('accept'))).toEqual(['passes'])
    expect(at(range, lookup({ inverted: true }), verdict('accept'))).toEqual(['dropped'])
    expect(at([{ from: [0, 22] }], lookup(), verdict('accept'))).toEqual(['dropped'])
    expect(at([{ from: [0, 80], verdict: 'accept' }], lookup({ into: 'verdict' }))).toEqual(['passes'])
    expect(at([{ from: [0, 22], verdict: 'accept' }], lookup({ into: 'verdict' }))).toEqual(['dropped'])
  })

  test('may come to anything by what is not known: nothing is certain then', () => {
    expect(atInput(input([[{ type: 'condition' }, verdict('accept')]]))).toEqual(['dropped', 'passes'])
    expect(atInput(input([[{ type: 'unknown' }]]))).toEqual(['dropped', 'passes', 'unknown'])
    expect(new Judge(input([[{ type: 'unknown' }]]), firstPacket('tcp', service, STATE.new)).droppingChain([['input']])).toBeUndefined()
  })

  test('of the other family is not seen, and addresses are translated for sure or not', () => {
    const ruleset = (rules: Expression[][]) => firewall({ post: { hook: 'postrouting', type: 'nat', rules } }, {}, 'ip n')
    const packet = firstPacket('tcp', service, STATE.new)
    expect(new Judge(ruleset([[{ type: 'translate' }]]), packet).isTranslatedAt('postrouting')).toBe(true)
    expect(new Judge(ruleset([[...source(10, 0, 0, 1), { type: 'translate' }]]), packet).isTranslatedAt('postrouting')).toBe(false)
    expect(new Judge(ruleset([[{ type: 'translate' }]]), firstPacket('tcp', { address: 'fd00::1', port: 80 }, STATE.new)).isTranslatedAt('postrouting')).toBe(false)
  })
})
