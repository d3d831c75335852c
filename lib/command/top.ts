import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { IpvsSync } from '../ipvs-sync.js'
import { RateMeter } from '../state/rates.js'
import { inAddressOrder } from './address-order.js'
import { status, withHandle } from './handle.js'
import { complain, print } from './output.js'
import { refusal } from './refusals.js'
import { hasScreen, Terminal } from './terminal.js'
import { measured, type TopService } from './top-rates.js'
import { lastScroll, roomFor, screen, sortOrders, tableLines, titleLine, type SortOrder } from './top-screen.js'

const sortKeys = Object.entries(sortOrders).map(([name, { key }]) => [name as SortOrder, key] as const)

const help = `Usage: ipvs top [--interval SECONDS] [--sort ORDER] [--count N] [--netns NAME]

Shows the traffic of services and destinations in a second, the busiest first. The kernel adds up its counters every two seconds. A rate is
that of the last two seconds that it has added up, whatever the interval, and the kernel's own average until then.

  --interval SECONDS   time between two looks, 0.1 to 3600 (default: 1)
  --sort ORDER         ${Object.keys(sortOrders).join(', ')} (default: bytes)
  --count N            end after N looks; the default is 1 without a terminal, or with TERM=dumb
  --netns NAME         in another network namespace

Keys: q quits; ${sortKeys.map(([name, key]) => `${key} sorts by ${name}`).join(', ')};
the arrows, Page Up, Page Down, Home and End scroll.
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
      await (hasScreen() ? live(ipvs, options) : plain(ipvs, options))
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
  if (!Object.hasOwn(sortOrders, values.sort)) {
    throw new UsageError(`--sort '${values.sort}'; expected ${Object.keys(sortOrders).join(', ')}`)
  }
  const count = values.count === undefined ? (hasScreen() ? Infinity : 1) : Number(values.count)
  if (!(count >= 1) || (Number.isFinite(count) && !Number.isInteger(count))) {
    throw new UsageError(`--count '${values.count}'; expected a number from 1 on`)
  }
  return { interval, order: values.sort as SortOrder, count, netns: values.netns }
}

/** Looks at the table again and again. */
function looksAt(ipvs: IpvsSync): () => TopService[] {
  const meter = new RateMeter()
  return () => {
    const table = inAddressOrder(ipvs.snapshot())
    meter.look(performance.now() / 1000)
    return measured(table, meter)
  }
}

/** Without a screen: prints the table as text, as often as was asked for. */
async function plain(ipvs: IpvsSync, { interval, order, count }: Options): Promise<void> {
  const columns = process.stdout.columns || 100
  const look = looksAt(ipvs)
  look()
  for (let looked = 0; looked < count; looked++) {
    await wait(interval * 1000)
    print([titleLine(order, columns), ...tableLines(look(), order, columns), ''].join('\n'))
  }
}

/** In a terminal: the table on the alternate screen, until the user quits. */
async function live(ipvs: IpvsSync, options: Options): Promise<void> {
  const quit = new AbortController()
  let { order } = options
  let scroll = 0
  let services: TopService[] = []
  const draw = (): void => {
    scroll = Math.min(Math.max(scroll, 0), lastScroll(services, terminal.rows))
    terminal.draw(screen(services, options.interval, { columns: terminal.columns, rows: terminal.rows, order, scroll }))
  }
  const byKey = new Map<string, SortOrder>(sortKeys.map(([name, key]) => [key, name]))
  const page = (): number => roomFor(terminal.rows)
  const scrolls: Partial<Record<string, () => number>> = {
    up: () => -1,
    k: () => -1,
    down: () => 1,
    j: () => 1,
    pageup: () => -page(),
    pagedown: () => page(),
    home: () => -Infinity,
    end: () => Infinity,
  }
  const quits = new Set(['q', 'ctrl-c', 'ctrl-d'])
  const terminal = new Terminal({
    key(key) {
      if (quits.has(key)) return quit.abort()
      if (key === 'ctrl-z') return suspend()
      order = byKey.get(key) ?? order
      scroll = Math.min(scroll + (scrolls[key]?.() ?? 0), Number.MAX_SAFE_INTEGER)
      draw()
    },
    resize: draw,
    gone: () => hangUp(),
  })
  /** Removes the handler first, because SIGTSTP stops a process only if there is none. */
  const suspend = (): void => {
    process.off('SIGTSTP', suspend)
    terminal.suspend()
    process.on('SIGTSTP', suspend)
    draw()
  }
  /** Ends the process by SIGHUP. If it exited, Node would try to reset the terminal, which is gone, and abort. */
  const hangUp = (): void => {
    process.off('SIGHUP', hangUp)
    terminal.close()
    process.kill(process.pid, 'SIGHUP')
  }
  const stop = (): void => quit.abort()
  const signals = ['SIGINT', 'SIGTERM'] as const
  for (const signal of signals) process.once(signal, stop)
  process.on('SIGTSTP', suspend)
  process.on('SIGHUP', hangUp)
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
    process.off('SIGTSTP', suspend)
    process.off('SIGHUP', hangUp)
    for (const signal of signals) process.off(signal, stop)
  }
}
