import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { IpvsSync } from '../ipvs-sync.js'
import { RateMeter } from '../state/rates.js'
import { status, withHandle } from './handle.js'
import { complain, print } from './output.js'
import { refusal } from './refusals.js'
import { Terminal } from './terminal.js'
import { measured, type TopService } from './top-rates.js'
import { lastScroll, roomFor, screen, sortOrders, tableLines, titleLine, type SortOrder } from './top-screen.js'

const help = `Usage: ipvs top [--interval SECONDS] [--sort ORDER] [--count N] [--netns NAME]

Services and destinations with what goes through them in a second, the busiest first. The kernel adds its counters up every two seconds: a rate is that of
the last two seconds that it has added up, whatever the interval, and the kernel's own average until then.

  --interval SECONDS   time between two looks, 0.1 to 3600 (default: 1)
  --sort ORDER         ${Object.keys(sortOrders).join(', ')} (default: bytes)
  --count N            end after N looks; without a terminal the default is 1
  --netns NAME         in another network namespace

Keys: q quits, ${Object.entries(sortOrders).map(([name, { key }]) => `${key} sorts by ${name}`).join(', ')}, arrows scroll.
`

interface Options {
  interval: number
  order: SortOrder
  count: number
  netns?: string
}

class UsageError extends Error {}

/** `ipvs top`. Returns the exit status. */
export async function top(args: readonly string[]): Promise<number> {
  let options: Options | undefined
  try {
    options = readOptions(args)
  } catch (error) {
    if (!(error instanceof UsageError) && !('code' in (error as object))) throw error
    complain(`ipvs top: ${(error as Error).message}`)
    return status.misused
  }
  if (!options) {
    print(help)
    return status.done
  }
  const { netns } = options
  return withHandle({ netns }, async (ipvs) => {
    try {
      await (process.stdout.isTTY ? live(ipvs, options) : plain(ipvs, options))
      return status.done
    } catch (error) {
      if (!('errno' in (error as object))) throw error
      complain(refusal(error))
      return status.listing
    }
  })
}

function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      interval: { type: 'string', default: '1' },
      sort: { type: 'string', default: 'bytes' },
      count: { type: 'string' },
      netns: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
      numeric: { type: 'boolean', short: 'n' },
    },
  })
  if (values.help) return undefined
  const interval = Number(values.interval)
  if (!(interval >= 0.1 && interval <= 3600)) throw new UsageError(`--interval '${values.interval}'; expected seconds from 0.1 to 3600`)
  if (!Object.hasOwn(sortOrders, values.sort)) throw new UsageError(`--sort '${values.sort}'; expected ${Object.keys(sortOrders).join(', ')}`)
  const count = values.count === undefined ? (process.stdout.isTTY ? Infinity : 1) : Number(values.count)
  if (!(count >= 1) || (Number.isFinite(count) && !Number.isInteger(count))) throw new UsageError(`--count '${values.count}'; expected a number from 1 on`)
  return { interval, order: values.sort as SortOrder, count, netns: values.netns }
}

/** Looks at the table again and again. */
function looksAt(ipvs: IpvsSync): () => TopService[] {
  const meter = new RateMeter()
  return () => {
    const table = ipvs.snapshot()
    meter.look(performance.now() / 1000)
    return measured(table, meter)
  }
}

/** Without a terminal: the table as text, as often as was asked for. */
async function plain(ipvs: IpvsSync, { interval, order, count }: Options): Promise<void> {
  const columns = 100
  const look = looksAt(ipvs)
  look()
  for (let looked = 0; looked < count; looked++) {
    await wait(interval * 1000)
    print([titleLine(columns), ...tableLines(look(), order, columns), ''].join('\n'))
  }
}

/** In a terminal: the table on a screen of its own, until somebody quits. */
async function live(ipvs: IpvsSync, options: Options): Promise<void> {
  const quit = new AbortController()
  let { order } = options
  let scroll = 0
  let services: TopService[] = []
  const draw = (): void => {
    scroll = Math.min(Math.max(scroll, 0), lastScroll(services, terminal.rows))
    terminal.draw(screen(services, options.interval, { columns: terminal.columns, rows: terminal.rows, order, scroll }))
  }
  const byKey = new Map(Object.entries(sortOrders).map(([name, { key }]) => [key as string, name as SortOrder]))
  const page = (): number => roomFor(terminal.rows)
  const scrolls: Partial<Record<string, () => number>> = {
    '\x1b[A': () => -1, k: () => -1, '\x1b[B': () => 1, j: () => 1, '\x1b[5~': () => -page(), '\x1b[6~': () => page(), '\x1b[H': () => -Infinity, '\x1b[F': () => Infinity,
  }
  const terminal = new Terminal({
    key(key) {
      if (key === 'q' || key === 'Q' || key === '\x03' || key === '\x04') return quit.abort()
      if (key === '\x1a') return suspend(terminal, draw)
      order = byKey.get(key) ?? order
      scroll = Math.min(scroll + (scrolls[key]?.() ?? 0), Number.MAX_SAFE_INTEGER)
      draw()
    },
    resize: draw,
  })
  const stop = (): void => quit.abort()
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.once(signal, stop)
  const look = looksAt(ipvs)
  services = look()
  terminal.open()
  try {
    draw()
    for (let looked = 0; looked < options.count; looked++) {
      await wait(options.interval * 1000, undefined, { signal: quit.signal })
      services = look()
      draw()
    }
  } catch (error) {
    if (!quit.signal.aborted) throw error
  } finally {
    terminal.close()
    for (const signal of signals) process.off(signal, stop)
  }
}

/** Gives the terminal back to the shell, until that continues the program. */
function suspend(terminal: Terminal, draw: () => void): void {
  terminal.close()
  process.once('SIGCONT', () => {
    terminal.open()
    draw()
  })
  process.kill(process.pid, 'SIGTSTP')
}
