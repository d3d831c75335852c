import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { RunningClock } from '../../../lib/checks/clock.js'
import { Engine, type Limits } from '../../../lib/checks/engine.js'
import { Run, type Pace } from '../../../lib/checks/run.js'
import { FakeProbe } from './support/fake-probe.js'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance', 'Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

const PACE: Pace = { interval: 10_000, retryInterval: 1_000, warmup: 0, failures: 2, successes: 1 }

/** An engine with one check for each probe. */
function engineWith(probes: readonly FakeProbe[], pace: Partial<Pace> = {}, limits: Limits = { socket: 100, program: 100 }) {
  const words: string[] = []
  const engine = new Engine(limits, (run, { outcome, words: said }, changed) => words.push(`${outcome} ${said}${changed ? ` → ${run.verdict.health}` : ''}`))
  const runs = probes.map((probe, i) => new Run(`${i}`, probe, { ...PACE, ...pace }, engine))
  for (const run of runs) engine.add(run)
  return { engine, runs, words }
}

/** Differences between times, rounded to 50 ms: timers gather what is due together. */
const pauses = (times: readonly number[]): number[] => times.slice(1).map((time, i) => Math.round((time - times[i]) / 50) * 50)

describe('pace', () => {
  test('is from the end of one check to the start of the next', async () => {
    const probe = new FakeProbe('+', 500)
    engineWith([probe])
    await vi.advanceTimersByTimeAsync(35_000)
    expect(pauses(probe.asked)).toEqual([10_500, 10_500, 10_500])
  })

  test('is faster after a bad answer until it is down, and then slow again', async () => {
    const probe = new FakeProbe('+--+-+---+', 100)
    const { words } = engineWith([probe], { failures: 3 })
    await vi.advanceTimersByTimeAsync(62_000)
    expect(pauses(probe.asked)).toEqual([10_100, 1_100, 1_100, 10_100, 1_100, 10_100, 1_100, 1_100, 10_100, 10_100])
    expect(words.filter((line) => line.includes('→'))).toEqual(['good fine → up', 'bad broken → down', 'good fine → up'])
  })

  test('never becomes a loop, even where no pause is wanted', async () => {
    const probe = new FakeProbe('-')
    engineWith([probe], { retryInterval: 0, failures: 1_000_000 })
    await vi.advanceTimersByTimeAsync(1_000)
    expect(probe.asked.length).toBeGreaterThan(10)
    expect(probe.asked.length).toBeLessThanOrEqual(100)
  })

  test('first checks lie evenly in the warm-up, however many come when', async () => {
    const first = Array.from({ length: 50 }, () => new FakeProbe('+'))
    const later = Array.from({ length: 50 }, () => new FakeProbe('+'))
    const { engine } = engineWith(first, { warmup: 10_000 })
    for (const probe of later) engine.add(new Run('later', probe, { ...PACE, warmup: 10_000 }, engine))
    await vi.advanceTimersByTimeAsync(10_020)
    const times = [...first, ...later].map(({ asked }) => asked[0]).sort((a, b) => a - b)
    expect(times).toHaveLength(100)
    for (let second = 0; second < 10; second++) {
      const inIt = times.filter((time) => Math.floor((time - times[0]) / 1_000) === second).length
      expect(inIt).toBeGreaterThanOrEqual(8)
      expect(inIt).toBeLessThanOrEqual(12)
    }
  })
})

describe('a deadline', () => {
  test('ends what has not answered', async () => {
    const probe = new FakeProbe('.')
    const { words } = engineWith([probe], { failures: 1 })
    await vi.advanceTimersByTimeAsync(1_100)
    expect(words).toEqual(['bad no answer within 1 s → down'])
    expect(probe.open.size).toBe(0)
  })

  test('counts only the time in which the event loop was running', async () => {
    const probe = new FakeProbe('.', 0, 2_000)
    const { words, engine } = engineWith([probe])
    await vi.advanceTimersByTimeAsync(1_000)
    // The loop is held up: time goes by, and no timer fires.
    vi.setSystemTime(Date.now() + 5_000)
    const read = performance.now.bind(performance)
    const held = vi.spyOn(performance, 'now').mockImplementation(() => read() + 5_000)
    await vi.advanceTimersByTimeAsync(800)
    expect(words).toEqual([])
    expect(engine.counts().late).toBeGreaterThan(4_900)
    await vi.advanceTimersByTimeAsync(300)
    expect(words).toEqual(['bad no answer within 2 s'])
    held.mockRestore()
  })
})

test('a clock stands still while the loop is late, and goes on afterwards', () => {
  let time = 0
  const clock = new RunningClock(() => time)
  clock.expect(25)
  time = 10
  expect(clock.now()).toBe(10)
  time = 3_000
  expect(clock.now()).toBe(45)
  clock.arrive()
  expect(clock.now()).toBe(45)
  time = 3_100
  expect(clock.now()).toBe(145)
  expect(clock.lost).toBe(2_955)
})

describe('limits', () => {
  test('no more are under way than there are places, and all get their turn', async () => {
    const probes = Array.from({ length: 20 }, () => new FakeProbe('+', 100))
    const { engine } = engineWith(probes, {}, { socket: 3, program: 1 })
    let most = 0
    for (let ms = 0; ms < 1_000; ms += 10) {
      await vi.advanceTimersByTimeAsync(10)
      most = Math.max(most, engine.counts().underWay)
    }
    expect(most).toBe(3)
    expect(probes.map(({ asked }) => asked.length)).toEqual(probes.map(() => 1))
    expect(engine.counts()).toMatchObject({ good: 20, underWay: 0, waiting: 0 })
  })

  test('sockets and programs do not wait for each other', async () => {
    const hanging = new FakeProbe('.', 0, 100_000, 'program')
    const waiting = new FakeProbe('+', 0, 1_000, 'program')
    const socket = new FakeProbe('+', 10)
    const { engine } = engineWith([hanging, waiting, socket], {}, { socket: 1, program: 1 })
    await vi.advanceTimersByTimeAsync(1_000)
    expect([hanging.asked.length, waiting.asked.length, socket.asked.length]).toEqual([1, 0, 1])
    expect(engine.counts()).toMatchObject({ underWay: 1, waiting: 1 })
  })

  test('what answers at once gives its place back, and thousands that wait for it take their turn', async () => {
    const slow = new FakeProbe('+', 50)
    const quick = Array.from({ length: 20_000 }, () => new FakeProbe('?'))
    const { engine } = engineWith([slow, ...quick], {}, { socket: 1, program: 1 })
    await vi.advanceTimersByTimeAsync(200)
    expect(engine.counts()).toMatchObject({ good: 1, untried: 20_000, underWay: 0, waiting: 0 })
  })

  test('what is taken out while it waits is never asked', async () => {
    const slow = new FakeProbe('.', 0, 500)
    const waits = new FakeProbe('+')
    const { engine, runs } = engineWith([slow, waits], {}, { socket: 1, program: 1 })
    await vi.advanceTimersByTimeAsync(100)
    engine.remove(runs[1])
    await vi.advanceTimersByTimeAsync(30_000)
    expect(waits.asked).toEqual([])
    expect(slow.asked.length).toBeGreaterThan(1)
  })
})

test('what is taken out is ended, and its place is free', async () => {
  const hanging = new FakeProbe('.', 0, 100_000)
  const next = new FakeProbe('+')
  const { engine, runs, words } = engineWith([hanging, next], {}, { socket: 1, program: 1 })
  await vi.advanceTimersByTimeAsync(100)
  expect([hanging.open.size, next.asked.length]).toEqual([1, 0])
  engine.remove(runs[0])
  expect([hanging.open.size, next.asked.length]).toEqual([0, 1])
  expect(words).toEqual(['good fine → up'])
})

test('what could not be tried is no answer: it neither counts nor interrupts a row', async () => {
  const probe = new FakeProbe('+-?-')
  const { words, runs, engine } = engineWith([probe])
  await vi.advanceTimersByTimeAsync(30_000)
  expect(words.slice(0, 4)).toEqual(['good fine → up', 'bad broken', 'untried no descriptor', 'bad broken → down'])
  expect(runs[0].verdict.health).toBe('down')
  expect(engine.counts().untried).toBe(1)
})

test('a closed engine leaves nothing open and no timer', async () => {
  const hanging = new FakeProbe('.')
  const { engine } = engineWith([hanging, new FakeProbe('+')])
  await vi.advanceTimersByTimeAsync(100)
  engine.close()
  expect(hanging.open.size).toBe(0)
  expect(vi.getTimerCount()).toBe(0)
})
