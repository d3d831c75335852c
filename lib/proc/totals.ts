import type { NativeHandle } from '../wire/addon.js'
import { COUNTERS, ratesOf, statisticsOf } from '../model/statistics.js'
import type { Rates, Statistics } from '../model/types.js'
import { readText, readTextSync, type NamespaceFile } from './namespace-file.js'
import type { ProcessorTotals, Totals } from './types.js'

const totalsFile: NamespaceFile = { path: '/proc/thread-self/net/ip_vs_stats', operation: { type: 'totals' } }
const processorsFile: NamespaceFile = { path: '/proc/thread-self/net/ip_vs_stats_percpu', operation: { type: 'processorTotals' } }

/** Reads the counters and rates of all services together. */
export const totals = async (handle: NativeHandle): Promise<Totals> => parseTotals(await readText(handle, totalsFile))
export const totalsSync = (handle: NativeHandle): Totals => parseTotals(readTextSync(handle, totalsFile))

/** Reads the counters of all services together, for each processor. */
export const processorTotals = async (handle: NativeHandle): Promise<ProcessorTotals[]> =>
  parseProcessorTotals(await readText(handle, processorsFile))
export const processorTotalsSync = (handle: NativeHandle): ProcessorTotals[] => parseProcessorTotals(readTextSync(handle, processorsFile))

/** The lines that consist of hexadecimal numbers. */
const rows = (text: string): string[][] =>
  text.split('\n').filter((line) => /^[ 0-9A-F]*[0-9A-F][ 0-9A-F]*$/.test(line)).map((line) => line.trim().split(/ +/))

const statistics = (numbers: string[]): Statistics => statisticsOf((name) => BigInt(`0x${numbers[COUNTERS.indexOf(name)]}`))

const rates = (numbers: string[]): Rates => ratesOf((name) => parseInt(numbers[COUNTERS.indexOf(name)], 16))

/** Parses `ip_vs_stats`: a row of counters, then a row of rates, each below a title. */
export function parseTotals(text: string): Totals {
  const [counted, perSecond] = rows(text)
  return { stats: statistics(counted), rates: rates(perSecond) }
}

/** Parses `ip_vs_stats_percpu`: a row for each processor, beginning with its number. The row of sums has no such number. */
export function parseProcessorTotals(text: string): ProcessorTotals[] {
  return rows(text)
    .filter((row) => row.length === 6)
    .map(([processor, ...numbers]) => ({ processor: parseInt(processor, 16), stats: statistics(numbers) }))
}
