import { describe, expect, test } from 'vitest'
import { agree, Agreement, type AgreementRule, type Sight } from '../../../lib/director/agreement.js'

const RULES = ['majority', 'any', 'all'] as const

/** Numbers that are the same in each run. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff
    return (state >> 8) % below
  }
}

const sight = (...down: string[]): Sight => ({ down: new Set(down), isBlind: false })
const blind: Sight = { down: { has: () => true }, isBlind: true }

describe('what directors see together', () => {
  test.each<[Exclude<AgreementRule, 'own'>, boolean[], boolean]>([
    ['majority', [true, true, false], true], ['majority', [true, false, false], false],
    ['majority', [true, false], true], ['majority', [false], false],
    ['any', [true, true, false], false], ['any', [true, true], true],
    ['all', [true, false, false], true], ['all', [false, false], false],
  ])('%s of %j is %j', (rule, ups, expected) => {
    expect(agree(rule, 'x', ups.map((up) => up ? sight() : sight('x')))).toBe(expected)
  })

  test('one that sees everything down does not count, unless all do; one that is alone and sees that believes in its servers', () => {
    expect(agree('majority', 'x', [blind, sight(), sight()])).toBe(true)
    expect(agree('any', 'x', [blind, sight(), sight()])).toBe(true)
    expect(agree('majority', 'x', [blind, sight('x')])).toBe(false)
    expect(agree('majority', 'x', [blind, blind])).toBe(false)
    expect(agree('majority', 'x', [blind])).toBe(true)
    expect(agree('majority', 'x', [])).toBeUndefined()
  })

  test('whatever is seen: all directors come to the same, in whatever order they hear; who sees it up never makes it go down', () => {
    const random = randomNumbers(17)
    const draw = (): Sight => [blind, sight(), sight('x'), sight('x', 'y')][random(4)]
    for (let round = 0; round < 5_000; round++) {
      const sights = Array.from({ length: 1 + random(7) }, draw)
      const rule = RULES[random(3)]
      const verdict = agree(rule, 'x', sights)
      const shuffled = sights.map((one) => ({ one, at: random(1_000_000) })).sort((a, b) => a.at - b.at).map(({ one }) => one)
      expect(agree(rule, 'x', shuffled)).toBe(verdict)
      // Somebody comes to see it up: nothing that was up goes down by that.
      const risen = sights.findIndex(({ isBlind, down }) => !isBlind && down.has('x'))
      if (risen >= 0 && verdict === true) expect(agree(rule, 'x', sights.with(risen, sight()))).toBe(true)
      // What nobody sees down is up, and what all see down is down.
      const seeing = sights.filter(({ isBlind }) => !isBlind)
      if (seeing.length > 0 && seeing.every(({ down }) => !down.has('x'))) expect(verdict).toBe(true)
      if (seeing.length > 0 && seeing.every(({ down }) => down.has('x'))) expect(verdict).toBe(false)
    }
  })
})

describe('a director among others', () => {
  const known = ['a', 'b', 'c'].map((id, index) => ({ id, address: `10.0.0.${index}`, up: true }))
  function ready(rule?: AgreementRule): Agreement {
    const agreement = new Agreement(rule)
    agreement.know(known)
    agreement.ready()
    return agreement
  }
  const verdicts = (agreement: Agreement): string => known.map(({ id }) => agreement.verdict(id) === true ? id : '-').join('')

  test('alone it follows its own checks', () => {
    const agreement = ready()
    agreement.see([{ id: 'a', up: false }])
    expect(verdicts(agreement)).toBe('-bc')
    expect(agreement.verdict('unknown')).toBeUndefined()
  })

  test('before its checks have answered it has no vote, and does as the others say', () => {
    const agreement = new Agreement()
    agreement.know(known)
    agreement.hear([sight('b')])
    expect(verdicts(agreement)).toBe('a-c')
    agreement.ready()
    expect(verdicts(agreement)).toBe('abc')
  })

  test('alone and blind, it empties nothing', () => {
    const agreement = ready()
    agreement.see([{ id: 'a', up: false }, { id: 'b', up: false }])
    expect(verdicts(agreement)).toBe('--c')
    expect(agreement.see([{ id: 'c', up: false }])).toBe(true)
    expect(verdicts(agreement)).toBe('abc')
    expect(agreement.see([{ id: 'c', up: true }])).toBe(true)
    expect(verdicts(agreement)).toBe('--c')
  })

  test('several ports of one machine that are all down say nothing about the director', () => {
    const agreement = new Agreement()
    agreement.know(['a', 'b'].map((id) => ({ id, address: '10.0.0.1', up: true })))
    agreement.ready()
    agreement.see([{ id: 'a', up: false }, { id: 'b', up: false }])
    expect(agreement.isBlind).toBe(false)
    expect(agreement.verdict('a')).toBe(false)
  })

  test('without the others it keeps what was agreed, and follows its own checks from their next change on', () => {
    const agreement = ready()
    agreement.hear([sight('a'), sight('a')])
    expect(verdicts(agreement)).toBe('-bc')
    agreement.lose()
    expect(verdicts(agreement)).toBe('-bc')
    agreement.see([{ id: 'b', up: false }])
    expect(verdicts(agreement)).toBe('--c')
    agreement.see([{ id: 'a', up: false }, { id: 'c', up: false }])
    expect(agreement.isBlind).toBe(true)
    expect(verdicts(agreement)).toBe('-bc')
    agreement.hear([sight(), sight()])
    expect(verdicts(agreement)).toBe('abc')
  })

  test('with the rule own it does not ask', () => {
    const agreement = ready('own')
    agreement.see([{ id: 'a', up: false }])
    agreement.hear([sight(), sight()])
    expect(verdicts(agreement)).toBe('-bc')
  })
})
