import { describe, expect, test } from 'vitest'
import { Departures, MOST_DEPARTURES, type Departure } from '../../../lib/director/departures.js'
import { healthText, sightOf } from '../../../lib/command/fleet-keys.js'

const WEB = 'tcp 192.0.2.1 80'
const X = `${WEB} 10.0.0.2 80`

const told = (...entries: [string, Departure][]): Map<string, Departure> => new Map(entries)

/** Directors that hear each other at once. Each has a configuration with X in it, until it is told otherwise. */
class Fleet {
  readonly members = [0, 1, 2].map(() => {
    const member = { departures: new Departures(), names: new Set([X]) }
    member.departures.begin((id) => member.names.has(id))
    return member
  })

  /** X is no more in the configuration of a director, which has it in its table with or without connections. */
  leaves(number: number, isEmpty: boolean): void {
    this.members[number].names.delete(X)
    this.members[number].departures.see(WEB, new Map([[X, isEmpty]]))
  }

  removes(number: number): void {
    this.members[number].departures.see(WEB, new Map())
  }

  /** Everybody hears what the others tell, until there is no news. */
  talk(): void {
    for (let rounds = 0; rounds < 4; rounds++) {
      const tells = this.members.map(({ departures }) => departures.tells())
      for (const [number, { departures }] of this.members.entries()) departures.hear(tells.filter((_, other) => other !== number))
    }
  }

  mayGo(): boolean[] {
    return this.members.map(({ departures }) => departures.mayGo(X))
  }
}

describe('a destination that leaves goes', () => {
  test('when no living director has a connection to it', () => {
    const fleet = new Fleet()
    fleet.leaves(0, true)
    fleet.leaves(1, true)
    fleet.leaves(2, false)
    fleet.talk()
    expect(fleet.mayGo()).toEqual([false, false, true])
    fleet.leaves(2, true)
    fleet.talk()
    expect(fleet.mayGo()).toEqual([true, true, true])
  })

  test('not before a director knows that it leaves, which may send clients to it', () => {
    const fleet = new Fleet()
    fleet.leaves(0, true)
    fleet.leaves(1, true)
    fleet.talk()
    expect(fleet.mayGo()).toEqual([false, false, true])
  })

  test('without waiting for a director that does not have it, such as one that was started since', () => {
    const fleet = new Fleet()
    fleet.leaves(0, true)
    fleet.leaves(1, true)
    fleet.members[2].names.clear()
    fleet.talk()
    expect(fleet.members[2].departures.tells()).toEqual(told([X, 'gone']))
    expect(fleet.mayGo().slice(0, 2)).toEqual([true, true])
  })

  test('at one director after another; when all have removed it nobody speaks of it any more', () => {
    const fleet = new Fleet()
    for (const number of [0, 1, 2]) fleet.leaves(number, true)
    fleet.talk()
    fleet.removes(0)
    fleet.talk()
    expect(fleet.members[0].departures.tells()).toEqual(told([X, 'gone']))
    expect(fleet.mayGo().slice(1)).toEqual([true, true])
    fleet.removes(1)
    fleet.removes(2)
    fleet.talk()
    for (const { departures } of fleet.members) expect(departures.tells()).toEqual(told())
  })

  test('at once, at a director that is alone', () => {
    const departures = new Departures()
    departures.see(WEB, new Map([[X, true]]))
    expect(departures.mayGo(X)).toBe(true)
  })
})

test('what comes back into the configuration does not leave any more', () => {
  const fleet = new Fleet()
  for (const number of [0, 1, 2]) fleet.leaves(number, false)
  fleet.talk()
  fleet.removes(0)
  fleet.members[0].names.add(X)
  fleet.talk()
  expect(fleet.members[0].departures.tells()).toEqual(told())
  expect(fleet.mayGo().slice(1)).toEqual([false, false])
})

test('only news are told', () => {
  const departures = new Departures()
  let changes = 0
  departures.on('changed', () => changes++)
  departures.see(WEB, new Map())
  departures.see(WEB, new Map([[X, false]]))
  departures.see(WEB, new Map([[X, false]]))
  expect(changes).toBe(1)
})

test('no more is told than etcd takes: the same ones at all directors, and the others when these have gone', () => {
  const departures = new Departures()
  const all = Array.from({ length: MOST_DEPARTURES + 5 }, (_, index) => `${WEB} 10.0.${index >> 8}.${index & 255} 80`).sort()
  departures.see(WEB, new Map(all.map((id) => [id, false])))
  expect([...departures.tells().keys()]).toEqual(all.slice(0, MOST_DEPARTURES))
})

test('what a director tells is what others read', () => {
  const departures = told([X, 'busy'], ['fwmark 7 4 10.0.0.3 0', 'gone'])
  const text = healthText({ isBlind: false, downs: [`${WEB} 10.0.0.9 80`], departures })
  expect(text).toBe('{"down":{"tcp 192.0.2.1 80":["10.0.0.9 80"]},"leaving":{"fwmark 7 4":{"10.0.0.3 0":"gone"},"tcp 192.0.2.1 80":{"10.0.0.2 80":"busy"}}}')
  expect(sightOf(text)).toMatchObject({ departures, downs: [`${WEB} 10.0.0.9 80`] })
  expect(healthText({ isBlind: true, downs: [], departures: told() })).toBe('{"blind":true}')
  expect(sightOf('{"down":{},"leaving":{"tcp 192.0.2.1 80":{"10.0.0.2 80":"whatever"}}}')).toBeUndefined()
})
