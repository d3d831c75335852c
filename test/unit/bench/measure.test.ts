import { clockCost, compare, measure, measureSync, systemCallCost, timed } from 'ipvs/bench'
import { describe, expect, it, vi } from 'vitest'

/** Keeps the processor busy for so many microseconds. */
function spin(microseconds: number): void {
  const end = performance.now() + microseconds / 1000
  while (performance.now() < end);
}

describe('measuring', () => {
  it('numbers the calls through the warm-up and the timed ones', () => {
    const seen: number[] = []
    measureSync(i => seen.push(i), { iterations: 6, warmup: 2 })
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  it('waits for each promise before the next call', async () => {
    let running = 0
    let most = 0
    const { count } = await measure(async () => {
      most = Math.max(most, ++running)
      await Promise.resolve()
      running--
    }, { iterations: 10 })
    expect(count).toBe(10)
    expect(most).toBe(1)
  })

  it('divides a sample by its calls', () => {
    // A clock of our own, which stands still but for 50 microseconds in each call.
    let milliseconds = 0
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => milliseconds)
    try {
      const { iterations, count, minimum, maximum } = measureSync(
        () => {
          milliseconds += 0.05
        },
        { iterations: 25, warmup: 0, callsPerSample: 10 },
      )
      expect({ iterations, count }).toEqual({ iterations: 20, count: 2 })
      expect([minimum, maximum]).toEqual([expect.closeTo(50), expect.closeTo(50)])
    } finally {
      clock.mockRestore()
    }
  })

  it('does not swallow what a call throws', async () => {
    const refuse = (): never => { throw new Error('no such service') }
    expect(() => measureSync(refuse)).toThrow('no such service')
    await expect(measure(async () => { await Promise.resolve(); refuse() })).rejects.toThrow('no such service')
  })

  it.each([
    [{ iterations: 0 }, 'options.iterations'],
    [{ iterations: 1.5 }, 'options.iterations'],
    [{ callsPerSample: 0 }, 'options.callsPerSample'],
    [{ iterations: 10, callsPerSample: 11 }, 'options.iterations'],
    [{ warmup: -1 }, 'options.warmup'],
  ])('refuses %j', (options, field) => {
    expect(() => measureSync(() => 0, options)).toThrow(
      expect.objectContaining({ code: 'ERR_OUT_OF_RANGE', message: expect.stringContaining(field) as string }),
    )
  })

  it('knows what a clock and a system call cost', () => {
    expect(clockCost()).toBeGreaterThan(0)
    expect(systemCallCost()).toBeGreaterThan(0)
  })
})

describe('comparing', () => {
  it('lets the contenders take turns and divides their medians', async () => {
    const turns: string[] = []
    const contender = (name: string, durations: number[]) => () => {
      turns.push(name)
      return { add: durations.shift() as number }
    }
    const { add } = await compare({ prepared: contender('prepared', [10, 99, 12]), batch: contender('batch', [24, 18, 90]) }, { rounds: 3 })
    expect(turns).toEqual(['prepared', 'batch', 'prepared', 'batch', 'prepared', 'batch'])
    expect(add).toEqual({
      prepared: { median: 12, ratio: 1, samples: [10, 99, 12] },
      batch: { median: 24, ratio: 2, samples: [24, 18, 90] },
    })
  })

  it('divides by the contender that is named', async () => {
    const { time } = await compare({ a: () => ({ time: 1 }), b: () => ({ time: 4 }) }, { reference: 'b', rounds: 1 })
    expect(time.a.ratio).toBe(0.25)
  })

  it('has no ratio for what the reference did not time', async () => {
    const comparison = await compare<string>({ a: () => ({ add: 1 }), b: () => ({ remove: 4 }) }, { rounds: 1 })
    expect(comparison.remove.b).toEqual({ median: 4, ratio: NaN, samples: [4] })
    expect(comparison.remove.a).toBeUndefined()
  })

  it('times an ordinary function until its promise is settled', async () => {
    const { time } = await timed(() => new Promise(done => { setImmediate(() => { spin(2000); done(undefined) }) }))()
    expect(time).toBeGreaterThan(1900)
  })

  it('refuses a reference that is no contender, and no rounds', async () => {
    await expect(compare<string>({ a: () => ({}) }, { reference: 'b' })).rejects.toThrow("'b' is none of the contenders (a)")
    await expect(compare({})).rejects.toThrow('none of the contenders')
    await expect(compare({ a: () => ({}) }, { rounds: 0 })).rejects.toThrow('options.rounds')
  })
})
