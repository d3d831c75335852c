import { parseArgs } from 'node:util'
import { groups, suites, suitesByDefault, suitesOfAShape } from './suites.js'
import type { Shape } from './workload.js'

/** What `npm run bench` was asked for. */
export interface BenchArguments {
  /** Names of the parts to run, in their order. */
  only: string[]
  shape?: Shape
  rounds: number
  large: boolean
  /** Where the figures are written as JSON, relative to the working directory. */
  json: string
  /** What the lab is to be told: where to run. */
  lab: string[]
  help: boolean
}

export const usage = `npm run bench [-- OPTION…]

Measures what the kernel's load balancer takes from this package, beside a C program that sends prepared requests, and
beside ipvsadm. It runs in the lab: in a network namespace of its own on a kernel with IPVS, or in a guest.
Parts that need no IPVS (${Object.keys(suites)
  .filter((name) => suites[name].anywhere)
  .join(', ')}) are measured on this machine itself, unless a place is named.

  --services N        measure tables of N services ...
  --destinations M    ... of M destinations each (10 by default), instead of the standard ones
  --only NAME         one part only; may be given several times: ${Object.keys(suites).join(', ')};
                      director and fleet stand for all that is about them: ${groups.director.join(', ')}; ${groups.fleet.join(', ')}.
                      ${Object.keys(suites).filter((name) => suites[name].onRequest).join(' and ')} run only if they are named
  --rounds N          turns of each contender, 5 by default; the medians count
  --large             tables of 550,000 rules as well, which take minutes
  --json FILE         where the figures are written (build/bench/results.json)
  --on PLACE          host, uml or qemu
  --suite SUITE       Debian suite of the guest's kernel: bullseye, bookworm, trixie, sid
  --timeout SECONDS   when the lab ends a guest that hangs, 7200 by default
  --help
`

function count(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < 1 || value > 1_000_000) {
    throw new RangeError(`--${option}: '${text}' is not a whole number from 1 to 1,000,000`)
  }
  return value
}

/**
 * @throws TypeError for an unknown option, RangeError for a value that makes no sense; the message names the option
 */
export function parseBenchArguments(args: readonly string[]): BenchArguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      services: { type: 'string' }, destinations: { type: 'string' }, only: { type: 'string', multiple: true }, rounds: { type: 'string' },
      large: { type: 'boolean', default: false }, json: { type: 'string', default: 'build/bench/results.json' },
      help: { type: 'boolean', default: false },
      on: { type: 'string' }, suite: { type: 'string' }, timeout: { type: 'string' },
    },
  })
  const asked = values.only?.flatMap(name => groups[name] ?? [name])
  const unknown = asked?.find(name => !(name in suites))
  if (unknown !== undefined) throw new RangeError(`--only: '${unknown}' is none of ${Object.keys(suites).join(', ')}`)
  const services = count(values.services, 'services')
  const destinations = count(values.destinations, 'destinations')
  const shape = services === undefined && destinations === undefined ? undefined : {
    services: services ?? 1, destinations: destinations ?? 10,
  }
  const chosen = asked ?? (shape ? suitesOfAShape : suitesByDefault)
  const { on, suite, timeout } = values
  return {
    only: Object.keys(suites).filter(name => chosen.includes(name)),
    shape,
    rounds: count(values.rounds, 'rounds') ?? 5,
    large: values.large,
    json: values.json,
    lab: Object.entries({ on, suite, timeout: timeout ?? '7200' }).flatMap(
      ([name, value]) => value === undefined ? [] : [`--${name}`, value],
    ),
    help: values.help,
  }
}

/** The words that ask for these parts alone, with the other options as they were given. */
export function argumentsFor({ shape, rounds, large, json }: BenchArguments, only: readonly string[], results = json): string[] {
  return [
    ...only.flatMap(name => ['--only', name]), '--rounds', String(rounds), '--json', results, ...large ? ['--large'] : [],
    ...shape === undefined ? [] : ['--services', String(shape.services), '--destinations', String(shape.destinations)],
  ]
}
