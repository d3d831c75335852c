import { median } from './samples.js'

/** Durations in microseconds, by the name of what was timed. */
export type Timings = Record<string, number>

/** A way of doing the work. It times itself, so that what it has to set up and clear away does not count, or another process can do the timing. */
export type Contender = () => Timings | PromiseLike<Timings>

/** How one contender did at one thing. */
export interface Standing {
  /** Microseconds, the median of all rounds. */
  median: number
  /** The contender's median divided by the reference's: 2 is twice as slow. */
  ratio: number
  /** Microseconds of every round, in order. */
  samples: number[]
}

/** What {@link compare} found: by the name of what was timed, then by contender. */
export type Comparison<Name extends string = string> = Record<string, Record<Name, Standing>>

/** How to compare. */
export interface CompareOptions<Name extends string = string> {
  /** Whose medians the ratios divide by; the first contender by default. */
  reference?: Name
  /** How many times each contender has its turn, 5 by default. */
  rounds?: number
}

/** Turns an ordinary function into a {@link Contender} that is timed from its call until it is done, under the name 'time'. */
export function timed(work: () => unknown): Contender {
  return async () => {
    const start = performance.now()
    await work()
    return { time: (performance.now() - start) * 1000 }
  }
}

/**
 * Lets contenders do the same work in turns, so that a machine that grows slower or faster meanwhile does so to all of them,
 * and divides the medians.
 *
 * ```ts
 * const { time } = await compare({ single: timed(oneByOne), batched: timed(allAtOnce) })
 * console.log(`batched takes ${time.batched.ratio} of the time`)
 * ```
 *
 * Something that not all contenders time has the standings of those that do; its ratios are NaN if the reference does not.
 *
 * @throws RangeError when there is no contender, the reference is none of them, or `rounds` is not a whole number from 1 on;
 *   whatever a contender throws or rejects with
 */
export async function compare<Name extends string>(contenders: Record<Name, Contender>, options: CompareOptions<NoInfer<Name>> = {}): Promise<Comparison<Name>> {
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
    return Object.fromEntries(entries.map(([name, own]) => [name, { median: median(own), ratio: median(own) / base, samples: own }])) as Record<Name, Standing>
  }
  return Object.fromEntries(Object.entries(samples).map(([what, byName]) => [what, standings(byName)]))
}
