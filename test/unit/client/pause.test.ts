import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi, type MockInstance } from 'vitest'
import { LONGEST, pause, STRIDE, worked } from '../../../lib/client/pause.js'

/** The clock goes on by hand. */
let now = 0
let clock: MockInstance<() => number>

beforeEach(async () => {
  clock = vi.spyOn(performance, 'now').mockImplementation(() => now)
  await turn()
  await turn()
  // What earlier tests have counted is forgotten with the next look at the clock.
  worked(STRIDE)
  await turn()
})

afterEach(() => { vi.restoreAllMocks() })

/** Works until it is time for a pause; how many strides that were, each of which takes `milliseconds`. */
function workUntilItIsTime(milliseconds: number): number {
  for (let strides = 1; ; strides++) {
    now += milliseconds
    if (worked(STRIDE)) return strides
  }
}

describe('work in pieces', () => {
  it('goes on until it has held the event loop for some milliseconds', () => {
    worked(STRIDE)
    expect(workUntilItIsTime(LONGEST / 4)).toBe(4)
  })

  it('looks at the clock once in a while, not for each unit of work', () => {
    worked(STRIDE)
    now += LONGEST
    const looks = clock.mock.calls.length
    for (let unit = 1; unit < STRIDE; unit++) expect(worked()).toBe(false)
    expect(clock.mock.calls.length).toBe(looks)
    expect(worked()).toBe(true)
  })

  it('has all its time again in the next turn of the event loop, whether it paused or was called anew', async () => {
    worked(STRIDE)
    workUntilItIsTime(LONGEST / 4)
    await pause()
    expect(workUntilItIsTime(LONGEST / 4)).toBe(4)
    await turn()
    await turn()
    now += 100
    worked(STRIDE)
    expect(workUntilItIsTime(LONGEST / 4)).toBe(4)
  })

  it('shares one clock: of many who pause each turn lets as many go on as there is time for, who came first before the others', async () => {
    const order: number[] = []
    let turns = 0
    const work = async (number: number): Promise<void> => {
      await pause()
      order.push(number)
      now += LONGEST / 2
    }
    const all = Promise.all(Array.from({ length: 6 }, (_, number) => work(number))).then(() => true)
    const seen: number[] = []
    while (order.length < 6) {
      await turn()
      turns++
      if (order.length !== seen.at(-1)) seen.push(order.length)
    }
    expect(await all).toBe(true)
    expect(order).toEqual([0, 1, 2, 3, 4, 5])
    expect(seen.filter((count) => count > 0)).toEqual([2, 4, 6])
    expect(turns).toBeGreaterThanOrEqual(3)
  })

  it('can pause again as often as it likes, while others wait', async () => {
    const order: string[] = []
    const work = async (name: string): Promise<void> => {
      for (let piece = 0; piece < 3; piece++) {
        await pause()
        order.push(name + String(piece))
      }
    }
    await Promise.all([work('a'), work('b')])
    expect(order).toEqual(['a0', 'b0', 'a1', 'b1', 'a2', 'b2'])
  })
})
