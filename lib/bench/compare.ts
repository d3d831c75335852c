import { median } from './samples.js'

/** Durations in microseconds, by the name of the timed work. */
export type Timings = Record<string, number>

/** A way of doing the work. It times itself, which excludes its own preparation and clean-up and lets another process do the timing. */
export type Contender = () => Timings | PromiseLike<Timings>

/** One contender's result for one piece of work. */
export interface Standing {
  /** Microseconds, the median of all rounds. */
  median: number
  /** The contender's median divided by the reference's: 2 is twice as slow. */
  ratio: number
  /** Microseconds of every round, in order. */
  samples: number[]
}

/** The result of {@link compare}: by the name of the timed work, then by contender. */
export type Comparison<Name extends string = string> = Record<string, Record<Name, Standing>>

/** How to compare. */
export interface CompareOptions<Name extends string = string> {
  /** The contender whose medians the ratios divide by; the first one by default. */
  reference?: Name
  /** The number of rounds, in each of which every contender runs once; 5 by default. */
  rounds?: number
}

/**
 * Turns an ordinary function into a {@link Contender} that is timed from its call until it has finished, under the name 'time'.
 *
 * @example
 * ```js
 * import { compare, timed } from 'ipvs/bench'
 *
 * const { time } = await compare({ json: timed(() => JSON.stringify({ a: 1 })), text: timed(() => `{"a":${1}}`) })
 * console.log(time.text.ratio)
 * ```
 */
export function timed(work: () => unknown): Contender {
  return async () => {
    const start = performance.now()
    await work()
    return { time: (performance.now() - start) * 1000 }
  }
}

/**
 * Compares contenders that do the same work. They take turns, so that changes in the machine's speed affect all of them, and their medians
 * are divided.
 *
 * Work that only some contenders time has only their standings. Its ratios are NaN if the reference does not time it.
 *
 * @throws RangeError if there is no contender, the reference is not a contender, or `rounds` is not a whole number from 1 on;
 *   any error that a contender throws or rejects with
 *
 * @example
 * ```js
 * import { Ipvs } from 'ipvs'
 * import { compare, timed } from 'ipvs/bench'
 *
 * const ipvs = await Ipvs.open()
 * const keys = [81, 82, 83].map((port) => ({ protocol: 'tcp', address: '192.0.2.1', port }))
 * const oneByOne = async () => {
 *   for (const key of keys) await ipvs.getService(key)
 * }
 * const { time } = await compare({ single: timed(oneByOne), together: timed(() => Promise.all(keys.map((key) => ipvs.getService(key)))) })
 * console.log(`together takes ${time.together.ratio} of the time`)
 * await ipvs.close()
 * ```
 */
export async function compare<Name extends string>(
  contenders: Record<Name, Contender>, options: CompareOptions<NoInfer<Name>> = {},
): Promise<Comparison<Name>> {
  const names = Object.keys(contenders) as Name[]
  const { reference = names[0], rounds = 5 } = options
  if (!names.includes(reference)) throw new RangeError(`options.reference: '${reference}' is none of the contenders (${names.join(', ')})`)
  if (!Number.isSafeInteger(rounds) || rounds < 1) throw new RangeError(`options.rounds: ${rounds} is not a whole number from 1 on`)

  const samples: Record<string, Partial<Record<Name, number[]>>> = {}
  for (let round = 0; round < rounds; round++)
    for (const name of names)
      for (const [what, duration] of Object.entries(await contenders[name]()))
        ((samples[what] ??= {})[name] ??= []).push(duration)

  const standings = (byName: Partial<Record<Name, number[]>>): Record<Name, Standing> => {
    const base = byName[reference] === undefined ? NaN : median(byName[reference])
    const entries = Object.entries(byName) as [Name, number[]][]
    const standing = (own: number[]): Standing => ({ median: median(own), ratio: median(own) / base, samples: own })
    return Object.fromEntries(entries.map(([name, own]) => [name, standing(own)])) as Record<Name, Standing>
  }
  return Object.fromEntries(Object.entries(samples).map(([what, byName]) => [what, standings(byName)]))
}
