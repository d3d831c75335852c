// A batch of which the test has strace lose something. Arguments: a form, a namespace, how many services. Prints its result.
import { Ipvs, IpvsSync } from 'ipvs'

const [form, netns, count] = process.argv.slice(2)
const services = Array.from({ length: Number(count) }, (_, n) => ({ protocol: 'tcp', address: `10.20.${n >> 8}.${n & 255}`, port: 80 }))
const operations = services.map(service => ({ type: 'addService', service }))
const ipvs = await (form === 'sync' ? IpvsSync : Ipvs).open({ netns })
const { total, done, refused, unknown, notSent, cause } = await ipvs.batch(form === 'iterable' ? operations.values() : operations, {
  refusals: 'return',
})
const told = error => error && { code: error.code, message: error.message }
const places = unknown.map(({ index }) => index)
// Only of that batch: the handle goes on.
await ipvs.addService({ fwmark: 7, family: 4 })
await ipvs.close()
console.log(
  JSON.stringify({
    total,
    done,
    refused: refused.length,
    unknown: unknown.length,
    places: [places[0], places.at(-1)],
    notSent,
    lost: told(unknown[0]?.error),
    cause: told(cause),
  }),
)
