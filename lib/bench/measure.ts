import { median, summarize, type Summary } from './samples.js'

/** How to measure. */
export interface MeasureOptions {
  /** Timed calls in all, 1,000 by default. */
  iterations?: number
  /** Untimed calls before the first timed one, which warm up compiler and caches; a tenth of the iterations by default. */
  warmup?: number
  /**
   * Calls per reading of the clock, 1 by default. Each sample is the mean of that many calls. Reading the clock costs a system call in some
   * virtual machines (13 µs in user-mode Linux); 1,000 calls per sample hide that cost, but also the percentiles.
   */
  callsPerSample?: number
}

/** The result of {@link measure}, in microseconds per call. */
export interface Measurement extends Summary {
  /** Timed calls in all, in `count` samples. */
  iterations: number
  /** The cost of reading the clock, in microseconds. It is already subtracted from every sample. */
  clock: number
}

const now = (): number => performance.now() * 1000

function timePerCall(loops: number, call: () => unknown): number {
  const start = now()
  for (let i = 0; i < loops; i++) call()
  return (now() - start) / loops
}

/**
 * The cost of reading the clock, in microseconds: the fastest of nine loops of 1,000, so that never too much is subtracted from a timing.
 *
 * @example
 * ```js
 * import { clockCost } from 'ipvs/bench'
 *
 * console.log(`${clockCost()} µs`)
 * ```
 */
export function clockCost(): number {
  return Math.min(...Array.from({ length: 9 }, () => timePerCall(1000, now)))
}

/**
 * The cost of the cheapest system call (getppid) from JavaScript, in microseconds: the median of nine loops of 1,000.
 *
 * @example
 * ```js
 * import { systemCallCost } from 'ipvs/bench'
 *
 * console.log(`${systemCallCost()} µs`)
 * ```
 */
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
 * Times a function that returns a promise, one call after the other.
 *
 * @param call gets the number of the call, counting from 0 through the warm-up and the timed calls
 * @throws RangeError for options that are not whole numbers; any error that `call` throws or rejects with
 *
 * @example
 * ```js
 * import { Ipvs } from 'ipvs'
 * import { measure } from 'ipvs/bench'
 *
 * const ipvs = await Ipvs.open()
 * const { median, p99 } = await measure(() => ipvs.info(), { iterations: 500 })
 * console.log(median, p99)
 * await ipvs.close()
 * ```
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

/**
 * {@link measure} for a synchronous function.
 *
 * @example
 * ```js
 * import { measureSync } from 'ipvs/bench'
 *
 * console.log(measureSync(() => JSON.stringify({ a: 1 }), { callsPerSample: 100 }).median)
 * ```
 */
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
