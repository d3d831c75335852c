import { COUNTERS, ratesOf, statisticsOf } from '../model/statistics.js'
import type { Rates, Statistics } from '../model/types.js'

/**
 * How fast something goes, from what is listed of it again and again.
 *
 * The kernel adds up the counters of a service or a destination every two seconds (net/netfilter/ipvs/ip_vs_est.c), since Linux 6.2 each at
 * a time of its own, and lists nothing newer in between. So the difference of two looks, divided by the time between them, says nothing of
 * the rate: it may be of one period too many or too few. Each time it adds up, the kernel also moves its own average a quarter of the way
 * towards the rate of the period that has ended. That tells two things that counters alone do not: how many periods there were between two
 * looks, and whether somebody zeroed the counters.
 */

/** Seconds between two times that the kernel adds up the counters of an entry. */
export const PERIOD = 2

/** What is left of the kernel's average when it has taken in one more period. */
const KEPT = 3 / 4

/** Seconds without news of an entry from which on a period has ended without traffic. More than one, because the kernel can be late. */
const QUIET = 1.25 * PERIOD

/**
 * Seconds between two looks from which on the time itself says the number of periods well enough: to three parts in a hundred, or better.
 */
const LONG = 60

/** Periods after which the kernel's average has forgotten what was before: to one part in a hundred. */
const FORGOTTEN = 16

/** What is listed of a service or a destination. */
export interface Counted {
  stats: Statistics
  /** The kernel's average. */
  rates: Rates
}

/** What is known of an entry after a look. */
export interface Measurement {
  /** What was listed. */
  listed: Counted
  /** What the counters grew by since the look before. Of counters that were zeroed in between, what they have counted since. */
  difference: Statistics
  /**
   * The rate of the last whole periods. The kernel's own average where none has been seen yet, and 0 where one has passed without traffic.
   */
  perSecond: Rates
  /** Seconds since the end of a period was last seen. */
  since: number
}

const NO_GROWTH = Object.freeze(statisticsOf(() => 0n))
const NO_TRAFFIC = Object.freeze(ratesOf(() => 0))

/** Something that can have happened between two looks. */
interface Story {
  growth: Statistics
  /** The kernel's average at the beginning. */
  from: Rates
  periods: number
}

/**
 * How far a story's end is from the average that the kernel lists: 0 where it is the same. Of each counter, so that large ones do not drown
 * small ones.
 */
function distance({ growth, from, periods }: Story, listed: Rates): number {
  const kept = KEPT ** periods
  let sum = 0
  for (const name of COUNTERS) {
    const rate = Number(growth[name]) / (periods * PERIOD)
    const expected = rate + (from[name] - rate) * kept
    // One more, since the kernel's average is rounded to a whole number.
    sum += Math.abs(expected - listed[name]) / (expected + listed[name] + 1)
  }
  return sum
}

/** The story that ends nearest to what the kernel lists. */
function nearest(stories: readonly Story[], listed: Rates): { story: Story, distance: number } {
  let best = { story: stories[0], distance: Infinity }
  for (const story of stories) {
    const its = distance(story, listed)
    if (its < best.distance) best = { story, distance: its }
  }
  return best
}

/** The most periods that can have ended in so many seconds. */
const most = (elapsed: number): number => Math.floor((elapsed + slack(elapsed)) / PERIOD) + 1

/** The kernel's clock is coarse: its periods are up to two parts in a hundred too long, and it can be late. */
const slack = (elapsed: number): number => 0.1 + 0.02 * elapsed

/** The counters went on from what they were. */
function wentOn(before: Counted, after: Statistics, elapsed: number): Story[] {
  const growth = statisticsOf((name) => after[name] - before.stats[name])
  const from = before.rates
  if (elapsed > LONG) return [{ growth, from, periods: elapsed / PERIOD }]
  const stories: Story[] = []
  for (let periods = Math.max(1, Math.floor((elapsed - slack(elapsed)) / PERIOD)); periods <= most(elapsed); periods++)
    stories.push({ growth, from, periods })
  return stories
}

/** The counters were zeroed, or the entry is another one of the same name, and so many periods have ended since. */
function beganAnew({ stats: growth, rates }: Counted, elapsed: number): Story[] {
  const all = most(elapsed)
  const stories: Story[] = []
  for (let periods = 1; periods <= Math.min(all, FORGOTTEN); periods++) stories.push({ growth, from: NO_TRAFFIC, periods })
  if (all > FORGOTTEN && rates.inBytes > 0) {
    const periods = Math.min(Math.max(Math.round(Number(growth.inBytes) / (rates.inBytes * PERIOD)), FORGOTTEN), all)
    stories.push({ growth, from: NO_TRAFFIC, periods })
  }
  return stories
}

/**
 * What another look at an entry says.
 *
 * @param before What is known from the look before, `undefined` for what was not there: the kernel revives a removed destination with its
 * old counters, so these are no traffic, and its own average is all there is.
 * @param listed What is listed now.
 * @param elapsed Seconds since the look before.
 */
export function measure(before: Measurement | undefined, listed: Counted, elapsed: number): Measurement {
  if (before === undefined) return { listed, difference: NO_GROWTH, perSecond: listed.rates, since: 0 }
  const { stats, rates } = before.listed
  if (COUNTERS.every((name) => stats[name] === listed.stats[name] && rates[name] === listed.rates[name])) {
    const since = before.since + elapsed
    return { listed, difference: NO_GROWTH, perSecond: since > QUIET ? NO_TRAFFIC : before.perSecond, since }
  }
  const fell = COUNTERS.some((name) => listed.stats[name] < stats[name])
  // Zeroed, and nothing added up since: what is known of the traffic is what was known before.
  if (fell && COUNTERS.every((name) => listed.stats[name] === 0n))
    return { listed, difference: NO_GROWTH, perSecond: before.perSecond, since: 0 }
  const { growth, periods } = chosen(before.listed, listed, elapsed, fell)
  return { listed, difference: growth, perSecond: ratesOf((name) => Number(growth[name]) / (periods * PERIOD)), since: 0 }
}

/** How badly the counters' going on may explain the kernel's average before their having been zeroed is thought of. */
const DOUBT = 0.25

/**
 * What happened, as far as it can be told. Counters that fell were zeroed; others only if that explains the kernel's average far better.
 */
function chosen(before: Counted, after: Counted, elapsed: number, fell: boolean): Story {
  if (fell) return nearest(beganAnew(after, elapsed), after.rates).story
  const on = nearest(wentOn(before, after.stats, elapsed), after.rates)
  if (on.distance <= DOUBT) return on.story
  const anew = nearest(beganAnew(after, elapsed), after.rates)
  return 2 * anew.distance + DOUBT < on.distance ? anew.story : on.story
}

/** The time from one look at the table to the next, and what is known after each. */
class Looks<Key, Known> {
  before = new Map<Key, Known>()
  now = new Map<Key, Known>()
  /** Seconds since the look before, 0 at the first. */
  elapsed = 0
  #time: number | undefined

  /**
   * Begins another look.
   *
   * @param time When the table was read: seconds of a clock that only goes forward.
   */
  look(time: number): void {
    this.elapsed = this.#time === undefined ? 0 : time - this.#time
    this.#time = time
    this.before = this.now
    this.now = new Map()
  }
}

/** Measures everything that is listed at each look, by name. What is missing at a look is forgotten. */
export class RateMeter extends Looks<string, Measurement> {
  /** Measures an entry at this look. */
  measure(name: string, listed: Counted): Measurement {
    const measurement = measure(this.before.get(name), listed, this.elapsed)
    this.now.set(name, measurement)
    return measurement
  }
}

const isNothing = (rates: Rates): boolean => COUNTERS.every((name) => rates[name] === 0)

/** Where a look lists an entry: the number of the service, and that of its destination, -1 for the service itself. */
export interface Place {
  service: number
  destination: number
}

/**
 * Measures what has traffic, by its place in the listing: most of a large table is idle, and nothing is made or kept of it, not even a
 * name.
 */
export class TrafficMeter extends Looks<number, Map<number, Measurement>> {
  /** Whether anything is known of a service or of its destinations, by their place in the look before. */
  knowsOf(service: number): boolean {
    return this.before.has(service)
  }

  /** Whether anything is known of an entry, by its place in the look before. */
  knows({ service, destination }: Place): boolean {
    return this.before.get(service)?.has(destination) === true
  }

  /**
   * Measures an entry by what the look before and this one listed of it; `undefined` for one without traffic.
   *
   * @param was its place in the look before
   * @param is its place in this look
   */
  compare(was: Place, before: Counted, is: Place, after: Counted): Pick<Measurement, 'difference' | 'perSecond'> | undefined {
    let known = this.before.get(was.service)?.get(was.destination)
    if (known === undefined) {
      const idle = isNothing(before.rates) && isNothing(after.rates) && COUNTERS.every((name) => before.stats[name] === after.stats[name])
      if (idle) return undefined
      known = measure(undefined, before, 0)
    }
    const measurement = measure(known, after, this.elapsed)
    const { difference, perSecond } = measurement
    const moves = !isNothing(perSecond)
    // The kernel's average falls to 0 within some periods. Until then it must not be taken for traffic.
    if (moves || !isNothing(after.rates)) this.#keep(is, measurement)
    if (!moves && COUNTERS.every((name) => difference[name] === 0n)) return undefined
    // Copies: the measurement has what is still true at the next look.
    return { difference: statisticsOf((name) => difference[name]), perSecond: { ...perSecond } }
  }

  #keep({ service, destination }: Place, measurement: Measurement): void {
    const kept = this.now.get(service)
    if (kept === undefined) this.now.set(service, new Map([[destination, measurement]]))
    else kept.set(destination, measurement)
  }
}
