import { roomFor, sortOrders, type SortOrder } from './top-screen.js'
import type { TopRow, TopService } from './top-rates.js'

/** Seconds between two looks. */
export const SHORTEST = 0.1
export const LONGEST = 3600

/** What + and - lead through. */
const INTERVALS = [SHORTEST, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, LONGEST]

const orderOfKey = new Map(Object.entries(sortOrders).map(([name, { key }]) => [key as string, name as SortOrder]))

/** Whether nothing goes through it. */
export const isIdle = ({ rates, active }: TopRow): boolean => active === 0 && Object.values(rates).every((rate) => rate === 0)

/** What a filter lets through: services whose line has the text, with all destinations; of other services destinations that have it. */
export function filtered(services: readonly TopService[], filter: string, busy: boolean): TopService[] {
  const text = filter.toLowerCase()
  const has = (line: string): boolean => line.toLowerCase().includes(text)
  return services.flatMap((service) => {
    const isNamed = has(`${service.name} ${service.scheduler}`)
    const named = service.destinations.filter(({ name, forward }) => isNamed || has(`${name} ${forward}`))
    const destinations = busy ? named.filter((destination) => !isIdle(destination)) : named
    const isShown = (isNamed || named.length > 0) && (!busy || !isIdle(service) || destinations.length > 0)
    return isShown ? [{ ...service, destinations }] : []
  })
}

/** What is to be done about a key that the view does not know what to do with by itself. */
export type TopAction = 'quit' | 'suspend' | 'interval' | undefined

/** What the user has chosen to see, by keys. */
export class TopView {
  scroll = 0
  isPaused = false
  showsHelp = false
  /** Whether the filter is being typed. */
  isTyping = false

  constructor(public order: SortOrder, public interval: number, public filter = '', public busy = false) {}

  #type(key: string): void {
    if (key === 'return' || key === 'enter') this.isTyping = false
    else if (key === 'escape') {
      this.isTyping = false
      this.filter = ''
    } else if (key === 'backspace') this.filter = this.filter.slice(0, -1)
    else if (key === 'ctrl-u') this.filter = ''
    else if (key === 'space') this.filter += ' '
    else if (key.length === 1 && key > ' ') this.filter += key
  }

  /** @param rows height of the screen */
  press(key: string, rows: number): TopAction {
    if (key === 'ctrl-c' || key === 'ctrl-d') return 'quit'
    if (key === 'ctrl-z') return 'suspend'
    if (this.isTyping) return void this.#type(key)
    if (this.showsHelp) {
      this.showsHelp = false
      return key === 'q' ? 'quit' : undefined
    }
    this.order = orderOfKey.get(key) ?? this.order
    const page = roomFor(rows)
    const steps: Partial<Record<string, number>> = {
      up: -1, k: -1, down: 1, j: 1, pageup: -page, pagedown: page, home: -Infinity, end: Infinity,
    }
    this.scroll = Math.min(Math.max(this.scroll + (steps[key] ?? 0), 0), Number.MAX_SAFE_INTEGER)
    switch (key) {
      case 'q': return 'quit'
      case '?': case 'h': this.showsHelp = true; break
      case '/': this.isTyping = true; break
      case 'escape': this.filter = ''; break
      case 'i': this.busy = !this.busy; break
      case 'space': this.isPaused = !this.isPaused; break
      case '+': case '=': return this.#change(INTERVALS.find((seconds) => seconds > this.interval))
      case '-': return this.#change(INTERVALS.findLast((seconds) => seconds < this.interval))
    }
    return undefined
  }

  #change(interval: number | undefined): TopAction {
    this.interval = interval ?? this.interval
    return 'interval'
  }
}
