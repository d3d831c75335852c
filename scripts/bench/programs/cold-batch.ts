/**
 * cold-batch SERVICES DESTINATIONS: in a process that has done nothing yet but import the package, opens a handle and adds a
 * table in one batch. Prints the microseconds from before the handle is opened until every rule is in force.
 */
import { Ipvs } from 'ipvs'
import { operations } from '../workload.js'

const [services, destinations] = process.argv.slice(2).map(Number)
const rules = [...operations('add', { services, destinations })]
const start = performance.now()
const ipvs = await Ipvs.open()
await ipvs.batch(rules)
console.log((performance.now() - start) * 1000)
await ipvs.close()
