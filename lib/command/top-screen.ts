import { totalOf, type TopRow, type TopService } from './top-rates.js'

/** What the live table can be sorted by, and the key for it. Numbers go from large to small. By name means in the order given. */
export const sortOrders = {
  conns: { key: 'c', value: (row: TopRow) => row.rates.connections },
  packets: { key: 'p', value: (row: TopRow) => row.rates.inPackets + row.rates.outPackets },
  bytes: { key: 'b', value: (row: TopRow) => row.rates.inBytes + row.rates.outBytes },
  active: { key: 'a', value: (row: TopRow) => row.active },
  name: { key: 'n', value: undefined },
} as const

export type SortOrder = keyof typeof sortOrders

/** What the user has chosen to see. */
export interface View {
  order: SortOrder
  /** The first line of the table that is shown. */
  scroll: number
  /** Seconds between two looks. */
  interval: number
  filter: string
  /** Whether what is idle is hidden. */
  busy: boolean
  isPaused: boolean
  /** Whether the filter is being typed. */
  isTyping: boolean
}

/** Size of a screen. */
export interface Size { columns: number, rows: number }

interface Column {
  title: string
  width: number
  /** The order that goes by it. */
  order?: SortOrder
  text(row: TopRow): string
}

const numbers: readonly Column[] = [
  { title: 'Conns/s', width: 9, order: 'conns', text: ({ rates }) => scaled(rates.connections) },
  { title: 'InPkts/s', width: 9, order: 'packets', text: ({ rates }) => scaled(rates.inPackets) },
  { title: 'OutPkts/s', width: 10, order: 'packets', text: ({ rates }) => scaled(rates.outPackets) },
  { title: 'In B/s', width: 8, order: 'bytes', text: ({ rates }) => scaled(rates.inBytes) },
  { title: 'Out B/s', width: 8, order: 'bytes', text: ({ rates }) => scaled(rates.outBytes) },
  { title: 'Active', width: 8, order: 'active', text: ({ active }) => String(active) },
  { title: 'Inact', width: 8, text: ({ inactive }) => String(inactive) },
]

/** A rate in at most six characters. */
export function scaled(rate: number): string {
  for (const [factor, letter] of [[1e15, 'P'], [1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e3, 'K']] as const) {
    if (rate >= 0.9995 * factor) return `${digits(rate / factor)}${letter}`
  }
  return rate === 0 ? '0' : digits(rate)
}

const digits = (value: number): string => (value >= 99.95 ? value.toFixed(0) : value.toFixed(1))

/** Rows in an order. Equal ones stay in the order given. */
export function sorted<Row extends TopRow>(rows: readonly Row[], order: SortOrder): Row[] {
  const { value } = sortOrders[order]
  return value ? [...rows].sort((a, b) => value(b) - value(a)) : [...rows]
}

/** All lines of the table, without titles, each as wide as the screen. */
export function tableLines(services: readonly TopService[], order: SortOrder, columns: number): string[] {
  const layout = layoutFor(order, columns)
  const lines: string[] = []
  for (const service of sorted(services, order)) {
    lines.push(lineOf(`${service.name} ${service.scheduler}`, service, layout))
    for (const destination of sorted(service.destinations, order)) {
      lines.push(lineOf(`  -> ${destination.name} ${destination.forward} ${destination.weight}`, destination, layout))
    }
  }
  return lines
}

/** The titles above the lines. */
export function titleLine(order: SortOrder, columns: number): string {
  const { name, shown } = layoutFor(order, columns)
  const titles = shown.map((column) => `${column.order === order ? SORTED : ''}${column.title}`.padStart(column.width))
  return fit(`${order === 'name' ? SORTED : ''}Service, scheduler / destination, method, weight`, name) + titles.join('')
}

/** The mark on the columns that the table is sorted by. */
const SORTED = '↓'

/** The sum of all services. */
export const totalLine = (services: readonly TopService[], order: SortOrder, columns: number): string =>
  lineOf('Total', { name: 'Total', ...totalOf(services) }, layoutFor(order, columns))

interface Layout {
  /** Width of the names. */
  name: number
  shown: readonly Column[]
}

const narrowest = 28

/** As many columns as leave room for the names. Those that the table is sorted by stay longest. */
function layoutFor(order: SortOrder, columns: number): Layout {
  let shown = numbers
  const width = (): number => shown.reduce((total, column) => total + column.width, 0)
  while (shown.length > 1 && columns - width() < narrowest) {
    const least = shown.findLast((column) => column.order !== order) ?? shown.at(-1)
    shown = shown.filter((column) => column !== least)
  }
  return { name: Math.max(columns - width(), 1), shown }
}

const fit = (text: string, width: number): string =>
  (text.length > width ? `${text.slice(0, Math.max(width - 1, 0))}…`.slice(0, width) : text.padEnd(width))

const lineOf = (name: string, row: TopRow, { name: width, shown }: Layout): string =>
  fit(name, width) + shown.map((column) => column.text(row).padStart(column.width)).join('')

/** All lines of the screen: a heading, the titles, the sum, as much of the table as fits, and the keys. */
export function screen(services: readonly TopService[], all: readonly TopService[], view: View, { columns, rows }: Size): string[] {
  const { order, scroll, interval } = view
  const lines = tableLines(services, order, columns)
  const room = roomFor(rows)
  const shown = lines.slice(scroll, scroll + room)
  const count = (those: readonly TopService[]): number => those.reduce((total, service) => total + service.destinations.length, 0)
  const of = (some: number, whole: number, what: string): string => (some === whole ? several(whole, what) : `${some} of ${several(whole, what)}`)
  const counts = `${of(services.length, all.length, 'service')}, ${of(count(services), count(all), 'destination')}`
  const heading = `ipvs top: ${counts}, by ${order}, every ${interval} s${view.isPaused ? ', PAUSED' : ''}${view.busy ? ', without idle ones' : ''}`
  const rest = lines.length > room ? `, lines ${scroll + 1}-${scroll + shown.length} of ${lines.length}: arrows` : ''
  const keys = Object.entries(sortOrders).map(([name, { key }]) => `${key} ${name}`).join('  ')
  const filter = view.filter === '' ? '' : `  filter: ${view.filter}`
  const last = view.isTyping ? `/${view.filter}_   Enter keeps it, Escape removes it` : `q quit  ? keys${filter}  sort: ${keys}`
  const empty = new Array<string>(Math.max(room - shown.length, 0)).fill('')
  const top = [fit(heading + rest, columns), titleLine(order, columns), totalLine(services, order, columns)]
  // On a screen that is too low for all, the keys go first, then the sum.
  return [...top, ...shown, ...empty, fit(last, columns)].slice(0, rows).map((line) => line.slice(0, columns))
}

/** The keys, and what they do. */
export function helpScreen(keys: readonly (readonly [string, string])[], { columns, rows }: Size): string[] {
  const width = Math.max(...keys.map(([names]) => names.length))
  const lines = ['ipvs top: keys', '', ...keys.map(([names, words]) => `  ${names.padEnd(width)}   ${words}`), '', 'Any key goes back.']
  return lines.slice(0, rows).map((line) => fit(line, columns))
}

const several = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`

/** Lines of the table that fit a screen. */
export const roomFor = (rows: number): number => Math.max(rows - 4, 1)

/** How far the table can be scrolled. */
export const lastScroll = (services: readonly TopService[], rows: number): number =>
  Math.max(services.reduce((total, { destinations }) => total + 1 + destinations.length, 0) - roomFor(rows), 0)
