/**
 * The benchmark itself, as it runs on the kernel that is measured: `node build/scripts/bench/main.js OPTION…`, with bench's own options.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { dirname } from 'node:path'
import { clockCost, median, systemCallCost } from 'ipvs/bench'
import { parseBenchArguments } from './arguments.js'
import { runProgram } from './child.js'
import { describePlace, place } from './place.js'
import { reference } from './reference.js'
import { formatTable } from './report.js'
import { isMet, type Row } from './row.js'
import type { Run } from './suite.js'
import { suites } from './suites.js'
import { empty } from './workload.js'

const { only, shape, rounds, large, json } = parseBenchArguments(process.argv.slice(2))

const systemCalls: number[] = []
for (let i = 0; i < 9; i++) systemCalls.push((await reference({ run: runProgram }, empty, ['getppid'])).getppid / 1000)
const systemCallInC = median(systemCalls)
const run: Run = { place: place(), rounds, shape, large, systemCall: systemCallInC }
const spread = `${Math.min(...systemCalls).toFixed(2)} to ${Math.max(...systemCalls).toFixed(2)}`
console.log(
  `${describePlace()}\ngetppid ${systemCallInC.toFixed(2)} µs (${spread}; from JavaScript ${systemCallCost().toFixed(2)} µs), `
  + `reading the clock ${clockCost().toFixed(2)} µs, medians of ${rounds} rounds\n`,
)

const results: Record<string, Row[]> = {}
for (const name of only) {
  results[name] = await suites[name].measure(run)
  console.log([...formatTable(suites[name].title, results[name], suites[name].beside), ''].join('\n'))
}

const goals = Object.values(results).flat().map(isMet).filter(met => met !== undefined)
if (goals.length > 0) console.log(`${goals.filter(met => met).length} of ${goals.length} goals met`)
mkdirSync(dirname(json), { recursive: true })
writeFileSync(json, JSON.stringify({
  measuredAt: new Date().toISOString(), kernel: release(), place: run.place, node: process.version, processors: cpus().length, rounds,
  systemCall: systemCallInC, clock: clockCost(), unit: 'microseconds, unless a row says otherwise', results,
}, null, 2) + '\n')
console.log(`written to ${json}`)
