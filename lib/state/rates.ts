import { COUNTERS, ratesOf, statisticsOf } from '../model/statistics.js'
import type { Rates, Statistics } from '../model/types.js'

/**
 * Measures the rates of services and destinations from successive listings.
 *
 * The kernel adds up the counters of a service or a destination every two seconds (net/netfilter/ipvs/ip_vs_est.c), since Linux 6.2 each at
 * a time of its own, and lists nothing newer in between. So the difference between two looks, divided by the time between them, is not the
 * rate: it may be that of one period too many or too few. Each time it adds up, the kernel also moves its own average a quarter of the way
 * towards the rate of the period that has ended. From this average follow two things that the counters alone do not tell: how many periods
 * there were between two looks, and whether somebody zeroed the counters.
 */

/** Seconds after which the kernel adds up the counters of an entry again. */
export const PERIOD = 2

/** The part of the kernel's average that remains when it has taken in one more period. */
const KEPT = 3 / 4

/**
 * After this many seconds without a change of an entry, a period has ended without traffic. It is more than one period, because the kernel
 * can be late.
 */
const QUIET = 1.25 * PERIOD

/**
 * From this many seconds between two looks on, the time itself gives the number of periods well enough: to three parts in a hundred, or
 * better.
 */
const LONG = 60

/** After this many periods the kernel's average has forgotten what was before, to one part in a hundred. */
const FORGOTTEN = 16

/** The counters and averages that are listed for a service or a destination. */
export interface Counted {
  stats: Statistics
  /** The kernel's average. */
  rates: Rates
}

/** What is known of an entry after a look. */
export interface Measurement {
  /** What was listed. */
  listed: Counted
  /** By how much the counters grew since the look before. If they were zeroed in between, what they have counted since then. */
  difference: Statistics
  /**
   * The rate of the last whole periods. It is the kernel's own average if no period has been seen yet, and 0 if one has passed without
   * traffic.
   */
  perSecond: Rates
  /** Seconds since the end of a period was last seen. */
  since: number
}

const NO_GROWTH = Object.freeze(statisticsOf(() => 0n))
const NO_TRAFFIC = Object.freeze(ratesOf(() => 0))

/** A story of what may have happened between two looks. */
interface Story {
  growth: Statistics
  /** The kernel's average at the beginning. */
  from: Rates
  periods: number
}

/**
 * How far the average at a story's end is from the one that the kernel lists: 0 if they are the same. The distance is relative for each
 * counter, so that large counters do not outweigh small ones.
 */
function distance({ growth, from, periods }: Story, listed: Rates): number {
  const kept = KEPT ** periods
  let sum = 0
  for (const name of COUNTERS) {
    const rate = Number(growth[name]) / (periods * PERIOD)
    const expected = rate + (from[name] - rate) * kept
    // 1 is added because the kernel's average is rounded to a whole number.
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

/** The most periods that can have ended in this many seconds. */
const most = (elapsed: number): number => Math.floor((elapsed + slack(elapsed)) / PERIOD) + 1

/**
 * The seconds by which the periods can differ from the clock. The kernel's clock is coarse, so its periods are up to two parts in a hundred
 * too long, and it can be late.
 */
const slack = (elapsed: number): number => 0.1 + 0.02 * elapsed

/** Stories in which the counters went on from where they were. */
function wentOn(before: Counted, after: Statistics, elapsed: number): Story[] {
  const growth = statisticsOf((name) => after[name] - before.stats[name])
  const from = before.rates
  if (elapsed > LONG) return [{ growth, from, periods: elapsed / PERIOD }]
  const stories: Story[] = []
  for (let periods = Math.max(1, Math.floor((elapsed - slack(elapsed)) / PERIOD)); periods <= most(elapsed); periods++)
    stories.push({ growth, from, periods })
  return stories
}

/**
 * Stories in which the counters were zeroed, or the entry is another one with the same name. They differ in the number of periods since
 * then.
 */
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
 * Measures an entry at another look.
 *
 * @param before What is known from the look before; `undefined` if the entry was not there. The kernel revives a removed destination with
 * its old counters, so these are no traffic, and only the kernel's own average is known.
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
  // The counters were zeroed, and nothing was added up since. So nothing new is known of the traffic.
  if (fell && COUNTERS.every((name) => listed.stats[name] === 0n))
    return { listed, difference: NO_GROWTH, perSecond: before.perSecond, since: 0 }
  const { growth, periods } = chosen(before.listed, listed, elapsed, fell)
  return { listed, difference: growth, perSecond: ratesOf((name) => Number(growth[name]) / (periods * PERIOD)), since: 0 }
}

/** Up to this distance the counters are taken to have gone on. Stories in which they were zeroed are not considered. */
const DOUBT = 0.25

/**
 * Chooses the story that explains the listing best. Counters that fell were zeroed. Other counters count as zeroed only if that explains
 * the kernel's average far better.
 */
function chosen(before: Counted, after: Counted, elapsed: number, fell: boolean): Story {
  if (fell) return nearest(beganAnew(after, elapsed), after.rates).story
  const on = nearest(wentOn(before, after.stats, elapsed), after.rates)
  if (on.distance <= DOUBT) return on.story
  const anew = nearest(beganAnew(after, elapsed), after.rates)
  return 2 * anew.distance + DOUBT < on.distance ? anew.story : on.story
}

/** Keeps what is known after a look at the table until the look after it, and the time between them. */
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

/** Measures every entry that is listed, by name. Forgets an entry that a look does not find. */
export class RateMeter extends Looks<string, Measurement> {
  /** Measures an entry at this look. */
  measure(name: string, listed: Counted): Measurement {
    const measurement = measure(this.before.get(name), listed, this.elapsed)
    this.now.set(name, measurement)
    return measurement
  }
}

const isNothing = (rates: Rates): boolean => COUNTERS.every((name) => rates[name] === 0)

/** Where a look lists an entry: the number of the service, and that of the destination, which is -1 for the service itself. */
export interface Place {
  service: number
  destination: number
}

/**
 * Measures entries with traffic, by their place in the listing. Most of a large table is idle, and nothing is made or kept for idle
 * entries, not even a name.
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
   * Measures an entry by what the look before and this one listed of it. Returns `undefined` if it has no traffic.
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
    // The kernel's average takes some periods to fall to 0. Until then it must not be taken for traffic.
    if (moves || !isNothing(after.rates)) this.#keep(is, measurement)
    if (!moves && COUNTERS.every((name) => difference[name] === 0n)) return undefined
    // These are copies, because the measurement is needed again at the next look.
    return { difference: statisticsOf((name) => difference[name]), perSecond: { ...perSecond } }
  }

  #keep({ service, destination }: Place, measurement: Measurement): void {
    const kept = this.now.get(service)
    if (kept === undefined) this.now.set(service, new Map([[destination, measurement]]))
    else kept.set(destination, measurement)
  }
}
