/**
 * memory SERVICES DESTINATIONS: fills a table from a generator and lists it. Prints, as JSON, the process's memory in bytes after each
 * step.
 */
import { Ipvs } from 'ipvs'
import { operations, rulesOf } from '../workload.js'

const [services, destinations] = process.argv.slice(2).map(Number)
const start = process.memoryUsage.rss()
const ipvs = await Ipvs.open()
const open = process.memoryUsage.rss()
await ipvs.batch(operations('add', { services, destinations }))
const peakOfBatch = process.resourceUsage().maxRSS * 1024
const listed = await ipvs.snapshot()
const peakOfSnapshot = process.resourceUsage().maxRSS * 1024
const objects = listed.services.reduce((sum, service) => sum + 1 + service.destinations.length, 0)
await ipvs.close()
if (objects !== rulesOf({ services, destinations })) {
  throw new Error(`${objects} objects are listed, ${rulesOf({ services, destinations })} rules were added`)
}
console.log(JSON.stringify({ start, open, peakOfBatch, peakOfSnapshot }))
