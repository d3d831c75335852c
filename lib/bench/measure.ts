import { median, summarize, type Summary } from './samples.js'

/** How often and how finely to measure. */
export interface MeasureOptions {
  /** Timed calls in all, 1,000 by default. */
  iterations?: number
  /** Calls before the first timed one, for the compiler and the caches; a tenth of the iterations by default. */
  warmup?: number
  /**
   * Calls to one reading of the clock, 1 by default. Each sample is then the mean of that many calls: reading the clock costs a
   * system call in some virtual machines (13 µs in user-mode Linux), which loops of 1,000 make disappear, and percentiles with it.
   */
  callsPerSample?: number
}

/** What {@link measure} found: microseconds per call. */
export interface Measurement extends Summary {
  /** Timed calls in all; `count` samples of them. */
  iterations: number
  /** What reading the clock costs here, in microseconds. It is already taken off every sample. */
  clock: number
}

const now = (): number => performance.now() * 1000

function timePerCall(loops: number, call: () => unknown): number {
  const start = now()
  for (let i = 0; i < loops; i++) call()
  return (now() - start) / loops
}

/** What one reading of the clock costs, in microseconds: the shortest of nine loops of 1,000, so that no more is taken off a timing than it contains. */
export function clockCost(): number {
  return Math.min(...Array.from({ length: 9 }, () => timePerCall(1000, now)))
}

/** What the cheapest system call (getppid) costs a JavaScript program, in microseconds: the median of nine loops of 1,000. */
export function systemCallCost(): number {
  return median(Array.from({ length: 9 }, () => timePerCall(1000, () => process.ppid)))
}

function wholeNumber(value: number, name: string, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value
  throw Object.assign(new RangeError(`options.${name}: ${value} is not a whole number from ${least} on`), { code: 'ERR_OUT_OF_RANGE' })
}

function settings({ iterations = 1000, warmup, callsPerSample = 1 }: MeasureOptions): Required<MeasureOptions> {
  wholeNumber(callsPerSample, 'callsPerSample', 1)
  wholeNumber(iterations, 'iterations', callsPerSample)
  return { iterations, callsPerSample, warmup: wholeNumber(warmup ?? Math.ceil(iterations / 10), 'warmup', 0) }
}

function measurement(elapsed: Float64Array, callsPerSample: number): Measurement {
  const clock = clockCost()
  const perCall = elapsed.map(microseconds => Math.max(0, microseconds - clock) / callsPerSample)
  return { ...summarize(perCall), iterations: elapsed.length * callsPerSample, clock }
}

/**
 * Times a function that answers with a promise, one call after the other.
 *
 * ```ts
 * const { median, p99 } = await measure(i => ipvs.updateDestination(web, { ...backend, weight: 1 + i % 2 }), { iterations: 10_000 })
 * ```
 *
 * @param call is given the number of the call: 0, 1, … through the warm-up and on through the timed calls
 * @throws RangeError for options that are not whole numbers; whatever `call` throws or rejects with
 */
export async function measure(call: (index: number) => PromiseLike<unknown>, options: MeasureOptions = {}): Promise<Measurement> {
  const { iterations, warmup, callsPerSample } = settings(options)
  let index = 0
  while (index < warmup) await call(index++)
  const elapsed = new Float64Array(Math.floor(iterations / callsPerSample))
  for (let sample = 0; sample < elapsed.length; sample++) {
    const start = now()
    for (let i = 0; i < callsPerSample; i++) await call(index++)
    elapsed[sample] = now() - start
  }
  return measurement(elapsed, callsPerSample)
}

/** {@link measure} for a function that is done when it returns. */
export function measureSync(call: (index: number) => unknown, options: MeasureOptions = {}): Measurement {
  const { iterations, warmup, callsPerSample } = settings(options)
  let index = 0
  while (index < warmup) call(index++)
  const elapsed = new Float64Array(Math.floor(iterations / callsPerSample))
  for (let sample = 0; sample < elapsed.length; sample++) {
    const start = now()
    for (let i = 0; i < callsPerSample; i++) call(index++)
    elapsed[sample] = now() - start
  }
  return measurement(elapsed, callsPerSample)
}
