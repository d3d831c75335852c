/**
 * script SERVICES DESTINATIONS: what a user's script looks like that fills a table. It is timed from the outside, Node's start included.
 */
import { Ipvs } from 'ipvs'
import { operations } from '../workload.js'

const [services, destinations] = process.argv.slice(2).map(Number)
const ipvs = await Ipvs.open()
await ipvs.batch(operations('add', { services, destinations }))
await ipvs.close()
