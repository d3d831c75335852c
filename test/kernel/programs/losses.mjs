// A batch, or single calls, of which the test has strace lose something. Arguments: a form, a namespace, how many services. Prints how they ended, in runs.
import { Ipvs, IpvsSync } from 'ipvs'

const [form, netns, count] = process.argv.slice(2)
const services = Array.from({ length: Number(count) }, (_, n) => ({ protocol: 'tcp', address: `10.20.${n >> 8}.${n & 255}`, port: 80 }))
const operations = services.map(service => ({ type: 'addService', service }))
const ipvs = await (form === 'sync' ? IpvsSync : Ipvs).open({ netns })
const outcomes = await ipvs.batch(form === 'iterable' ? operations.values() : operations, { refusals: 'return' })
const runs = []
for (const { outcome, error } of outcomes) {
  const last = runs.at(-1)
  if (last?.outcome === outcome) last.count++
  else runs.push({ outcome, count: 1, code: error?.code, message: error?.message })
}
// Only of that batch: the handle goes on.
await ipvs.addService({ fwmark: 7, family: 4 })
await ipvs.close()
console.log(JSON.stringify(runs))
