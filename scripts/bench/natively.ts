/**
 * Measures what needs no IPVS on the machine itself, not in the lab: `npm run build && npx tsc -b && node build/scripts/bench/natively.js`.
 */
import { describePlace, place } from './place.js'
import { formatTable } from './report.js'
import { checks } from './suites/checks.js'

console.log(`${describePlace()}\n`)
const rows = await checks.measure({ place: place(), rounds: 3, large: false, systemCall: 0 })
console.log([...formatTable(checks.title, rows), ...rows.flatMap(({ note }) => note ?? [])].join('\n'))
