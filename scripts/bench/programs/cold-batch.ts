/**
 * cold-batch NAMESPACE SERVICES DESTINATIONS: in a process that has done nothing yet but import the package, opens a handle and adds a
 * table in one batch, and then another in that namespace. Prints, as JSON, the microseconds from before each handle is opened until every
 * rule is in force.
 */
import { Ipvs } from 'ipvs'
import { operations } from '../workload.js'

const [services, destinations] = process.argv.slice(3).map(Number)
const rules = [...operations('add', { services, destinations })]

async function fill(netns?: string): Promise<number> {
  const start = performance.now()
  const ipvs = await Ipvs.open({ netns })
  await ipvs.batch(rules)
  const took = performance.now() - start
  await ipvs.close()
  return took * 1000
}

console.log(JSON.stringify([await fill(), await fill(process.argv[2])]))
