import { readOptions, UsageError, type NewOptions } from './new-options.js'
import { LONGEST, SHORTEST } from './top-view.js'
import { sortOrders, type SortOrder } from './top-screen.js'

const OPTIONS = {
  interval: { argument: 'text' },
  sort: { argument: 'text' },
  filter: { argument: 'text' },
  busy: { argument: 'none' },
  count: { argument: 'text' },
  json: { argument: 'none' },
  netns: { argument: 'text' },
  numeric: { argument: 'none', short: 'n' },
} as const satisfies NewOptions

/** The keys, and what they do: the last line of the screen has the first few, `?` shows all. */
export const topKeys: readonly (readonly [keys: string, words: string])[] = [
  ['q', 'ends'],
  ['?', 'shows these keys'],
  [Object.values(sortOrders).map(({ key }) => key).join(' '), `sort by ${Object.keys(sortOrders).join(', ')}`],
  ['/', 'shows only what has a text in its line; Enter keeps it, Escape removes it'],
  ['i', 'hides what is idle: no traffic and no active connections; again shows it'],
  ['Space', 'pauses; again goes on'],
  ['+ -', 'more or less time between two looks'],
  ['arrows, Page Up, Page Down, Home, End', 'scroll'],
  ['Ctrl-Z', 'stops it until fg'],
]

export const topHelp = `Usage: ipvs top [--interval SECONDS] [--sort ORDER] [--filter TEXT] [--busy] [--count N] [--json] [--netns NAME]

Shows the traffic of services and destinations in a second, the busiest first. The kernel adds up its counters every two seconds. A rate is
that of the last two seconds that it has added up, whatever the interval, and the kernel's own average until then.

  --interval SECONDS   time between two looks, ${SHORTEST} to ${LONGEST} (default: 1)
  --sort ORDER         ${Object.keys(sortOrders).join(', ')} (default: bytes)
  --filter TEXT        only services and destinations with this text in their line, in capitals or not
  --busy               without what is idle: no traffic and no active connections
  --count N            end after N looks; the default is 1 without a terminal, or with TERM=dumb, and no end with --json
  --json               one line of JSON for each look
  --netns NAME         in another network namespace
  -h, --help           this text

Keys
${topKeys.map(([keys, words]) => `  ${keys.padEnd(37)}   ${words}`).join('\n')}

Exit status: 0 it was told to end, 2 the command line was not understood, 3 no IPVS, no permission, or the table cannot be listed.
`

export interface TopOptions {
  interval: number
  order: SortOrder
  filter: string
  busy: boolean
  count: number
  json: boolean
  netns?: string
}

/**
 * @param hasScreen whether there is a terminal to be drawn on
 * @throws UsageError
 */
export function readTopOptions(args: readonly string[], hasScreen: boolean): TopOptions {
  const given = readOptions(args, OPTIONS)
  const { interval = '1', sort = 'bytes', filter = '', netns } = given
  const seconds = Number(interval)
  if (!(seconds >= SHORTEST && seconds <= LONGEST)) throw new UsageError(`--interval '${interval}'; expected seconds from ${SHORTEST} to ${LONGEST}`)
  if (!Object.hasOwn(sortOrders, sort)) throw new UsageError(`--sort '${sort}'; expected ${Object.keys(sortOrders).join(', ')}`)
  const isLive = given.json === true || hasScreen
  const count = given.count === undefined ? (isLive ? Infinity : 1) : /^\d+$/.test(given.count) ? Number(given.count) : NaN
  if (!(count >= 1)) throw new UsageError(`--count '${given.count}'; expected a number from 1 on`)
  return {
    interval: seconds, order: sort as SortOrder, filter, busy: given.busy === true, count, json: given.json === true,
    ...netns !== undefined && { netns },
  }
}
