import { setTimeout as wait } from 'node:timers/promises'
import { IpvsSync } from '../ipvs-sync.js'
import { isArgumentError } from '../model/errors.js'
import { RateMeter } from '../state/rates.js'
import { inAddressOrder } from './address-order.js'
import { UsageError, withOptions } from './new-options.js'
import { newStatus } from './new-status.js'
import { complain, print } from './output.js'
import { netnsWords, refusal } from './refusals.js'
import { hasScreen, Terminal } from './terminal.js'
import { readTopOptions, topHelp, topKeys, type TopOptions } from './top-options.js'
import { jsonLine, measured, type TopService } from './top-rates.js'
import { helpScreen, lastScroll, screen, sorted, tableLines, titleLine, totalLine } from './top-screen.js'
import { filtered, TopView } from './top-view.js'

/** `ipvs top`. Returns the exit status. */
export const top = (args: readonly string[]): Promise<number> => withOptions('top', args, topHelp, async (given) => {
  const options = readTopOptions(given, hasScreen())
  let ipvs: IpvsSync | undefined
  try {
    ipvs = opened(options.netns)
    await (hasScreen() && !options.json ? live(ipvs, options) : plain(ipvs, options))
    return newStatus.done
  } catch (error) {
    if (!('errno' in (error as object))) throw error
    complain(`ipvs top: ${refusal(error)}`)
    return newStatus.unreachable
  } finally {
    ipvs?.close()
  }
})

function opened(netns: string | undefined): IpvsSync {
  try {
    return IpvsSync.open(netns === undefined ? {} : { netns })
  } catch (error) {
    if (isArgumentError(error)) throw new UsageError(netnsWords(netns))
    throw error
  }
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

/** Without a screen: prints the table, as text or as JSON, as often as was asked for. */
async function plain(ipvs: IpvsSync, { interval, order, filter, busy, count, json }: TopOptions): Promise<void> {
  const columns = process.stdout.columns || 100
  const look = looksAt(ipvs)
  look()
  for (let looked = 0; looked < count; looked++) {
    await wait(interval * 1000)
    const services = sorted(filtered(look(), filter, busy), order)
    if (json) print(jsonLine(new Date(), services.map((service) => ({ ...service, destinations: sorted(service.destinations, order) }))))
    else print([titleLine(order, columns), totalLine(services, order, columns), ...tableLines(services, order, columns), ''].join('\n'))
  }
}

/** In a terminal: the table on the alternate screen, until the user quits. */
async function live(ipvs: IpvsSync, options: TopOptions): Promise<void> {
  const quit = new AbortController()
  /** Ends the time until the next look, because the time between two looks is another one now. */
  let wake = new AbortController()
  const view = new TopView(options.order, options.interval, options.filter, options.busy)
  let services: TopService[] = []
  const draw = (): void => {
    const { columns, rows } = terminal
    if (view.showsHelp) return terminal.draw(helpScreen(topKeys, { columns, rows }))
    const shown = filtered(services, view.filter, view.busy)
    view.scroll = Math.min(view.scroll, lastScroll(shown, rows))
    terminal.draw(screen(shown, services, view, { columns, rows }))
  }
  const terminal = new Terminal({
    key(key) {
      switch (view.press(key, terminal.rows)) {
        case 'quit': return quit.abort()
        case 'suspend': return suspend()
        case 'interval': wake.abort()
      }
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
    for (let looked = 0; looked < options.count;) {
      const isDue = await elapsed(view.interval, AbortSignal.any([quit.signal, wake.signal]))
      if (quit.signal.aborted) return
      if (!isDue) {
        wake = new AbortController()
        continue
      }
      // It goes on looking while it is paused, so that the rates are right when it shows them again.
      const seen = look()
      if (!view.isPaused) services = seen
      looked++
      draw()
    }
  } finally {
    terminal.close()
    process.off('SIGTSTP', suspend)
    process.off('SIGHUP', hangUp)
    for (const signal of signals) process.off(signal, stop)
  }
}

/** Waits so many seconds, unless the signal comes before. */
async function elapsed(seconds: number, signal: AbortSignal): Promise<boolean> {
  try {
    await wait(seconds * 1000, undefined, { signal })
    return true
  } catch (error) {
    if (!signal.aborted) throw error
    return false
  }
}
