/**
 * Switches a service from one set of backends to the other without losing a connection:
 *
 *     node examples/blue-green.mjs blue
 *     node examples/blue-green.mjs green
 *
 * New connections go to the new backends at once. The old backends keep their connections and are removed when the last one has ended.
 */
import { formatPlan, Ipvs } from 'ipvs'

const service = { protocol: 'tcp', address: '10.10.10.100', port: 80, scheduler: 'rr' }
const backends = {
  blue: ['10.10.20.1', '10.10.20.2'],
  green: ['10.10.30.1', '10.10.30.2'],
}

const colour = process.argv[2]
if (!Object.hasOwn(backends, colour)) {
  console.error('usage: node blue-green.mjs blue|green')
  process.exit(2)
}

const ipvs = await Ipvs.open()
const desired = [{ ...service, destinations: backends[colour].map((address) => ({ address, port: 80, forward: 'nat' })) }]
// The part of the table that this program owns. The rest is not changed.
const options = { prune: 'owned', owns: { protocol: 'tcp', address: service.address, port: service.port }, drain: { timeout: 600 } }

console.log(formatPlan(await ipvs.plan(desired, options)))
const { refused, unknown, withheld, notSent } = await ipvs.apply(desired, {
  ...options,
  onProgress({ phase, draining }) {
    for (const { destination, activeConnections } of draining) {
      console.log(`${phase}: ${destination.address} has ${activeConnections} active connections`)
    }
  },
})
await ipvs.close()

for (const { operation, error } of refused) console.error(`${operation.type} was refused: ${error.message}`)
if (refused.length + unknown.length + withheld.length + notSent > 0) process.exit(1)
console.log(`${colour} serves ${service.address}:${service.port}`)
