import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DueQueue, type Due } from '../../../lib/checks/due-queue.js'
import { Verdict } from '../../../lib/checks/state.js'

const record = (verdict: Verdict, answers: string, failures: number, successes: number): (string | undefined)[] =>
  [...answers].map((answer) => {
    verdict.record(answer === '+', { failures, successes })
    return verdict.health
  })

test('a target is undecided until there were enough answers of one kind in a row', () => {
  expect(record(new Verdict(), '-+-+--', 2, 3)).toEqual([undefined, undefined, undefined, undefined, undefined, 'down'])
  expect(record(new Verdict(), '++-+++', 2, 3)).toEqual([undefined, undefined, undefined, undefined, undefined, 'up'])
})

test('up becomes down after the failures in a row, and down up after the successes', () => {
  const verdict = new Verdict()
  record(verdict, '+', 3, 1)
  expect(record(verdict, '--+---', 3, 2)).toEqual(['up', 'up', 'up', 'up', 'up', 'down'])
  expect(record(verdict, '+-++', 3, 2)).toEqual(['down', 'down', 'down', 'up'])
})

test('an answer says whether it changed anything', () => {
  const verdict = new Verdict()
  expect([...'+++--+'].map((answer) => verdict.record(answer === '+', { failures: 2, successes: 1 }))).toEqual([
    true,
    false,
    false,
    false,
    true,
    true,
  ])
  expect(verdict.row).toBe(1)
})

test('the queue gives what is due in order, whatever was taken out meanwhile', () => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.nat(1000), fc.boolean())), (given) => {
    const queue = new DueQueue()
    const entries = given.map(([due, stays]) => ({ due, place: -1, stays }))
    for (const entry of entries) queue.add(entry)
    for (const entry of entries) if (!entry.stays) queue.remove(entry)
    for (const entry of entries) if (!entry.stays) queue.remove(entry)
    const taken: number[] = []
    for (let first: Due | undefined; (first = queue.first()) !== undefined;) {
      taken.push(first.due)
      queue.remove(first)
    }
    expect(taken).toEqual(entries.filter(({ stays }) => stays).map(({ due }) => due).sort((a, b) => a - b))
  }))
})
