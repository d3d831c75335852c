import { formatDuration, formatHistogram } from 'ipvs/bench'
import { isMet, type Row } from './row.js'

const formatValue = (value: number, unit: Row['unit']): string => {
  if (unit === '×') return `${value.toFixed(2)} ×`
  if (unit === 'MB') return `${value.toFixed(0)} MB`
  return formatDuration(value) + unit.slice('µs'.length)
}

function goalOf(row: Row): string {
  if (row.goal === undefined) return ''
  const bound = row.ratio === undefined ? formatValue(row.goal, row.unit) : `${row.goal} ×`
  return `${row.atLeast ? '≥' : '≤'} ${bound} ${isMet(row) ? 'met' : 'MISSED'}`
}

/**
 * The rows of one suite as lines of a table under its title.
 *
 * @param beside what the reference is
 */
export function formatTable(title: string, rows: readonly Row[], beside = 'C reference'): string[] {
  const cells = rows.map(row => [
    row.what,
    formatValue(row.value, row.unit),
    row.reference === undefined ? '' : formatValue(row.reference, row.unit),
    row.ratio === undefined ? '' : `${row.ratio.toFixed(2)} ×`,
    goalOf(row),
    row.note ?? '',
  ])
  cells.unshift(['', 'measured', beside, 'ratio', 'goal', ''])
  const widths = cells[0].map((_, column) => Math.max(...cells.map(line => line[column].length)))
  const table = cells.map(line => line.map(
    (cell, column) => column === 0 || column >= 4 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]),
  ).join('  ').trimEnd())
  return [title, ...table.map(line => `  ${line}`), ...rows.flatMap(formatDistribution)]
}

function formatDistribution({ what, distribution }: Row): string[] {
  if (distribution === undefined) return []
  const { count, median, p99, p999, maximum, histogram } = distribution
  const summary = `${count.toLocaleString('en')} calls, median ${formatDuration(median)}, p99 ${formatDuration(p99)}, p99.9 ${formatDuration(p999)}, longest ${formatDuration(maximum)}`
  const tail = histogram.findIndex(bar => bar.from >= p999)
  const shown = tail === -1 ? histogram : histogram.slice(0, tail)
  const longer = count - shown.reduce((sum, bar) => sum + bar.count, 0)
  return [
    '', `  ${what}: ${summary}`, ...formatHistogram(shown).map(line => `    ${line}`), ...(longer > 0 ? [`    ${longer} took longer`] : []),
  ]
}
