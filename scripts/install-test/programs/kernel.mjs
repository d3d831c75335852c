// The installed package on a kernel with IPVS: rules, a batch, refusals, and a director whose checks run in a thread.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { BatchError, Ipvs, IpvsSync } from 'ipvs'
import { Director } from 'ipvs/director'
import { MetricsWriter } from 'ipvs/metrics'

const ipvs = await Ipvs.open()
await ipvs.flush()
const web = { protocol: 'tcp', address: '192.0.2.1', port: 80 }
await ipvs.addService({ ...web, scheduler: 'rr' })
await ipvs.batch((b) => {
  for (let i = 0; i < 500; i++) b.addDestination(web, { address: `198.51.${100 + (i >> 8)}.${i & 255}`, port: 80, forward: 'nat' })
})
assert.equal((await ipvs.destinations(web)).length, 500)
await assert.rejects(ipvs.addService({ ...web, scheduler: 'rr' }), { code: 'EEXIST' })
const refused = await ipvs.batch([{ type: 'removeService', service: { ...web, port: 81 } }]).catch((error) => error)
assert.ok(refused instanceof BatchError && refused.result.refused.length === 1)
const direct = IpvsSync.open()
assert.equal(direct.destinations(web).length, 500)
direct.close()

const server = createServer((socket) => socket.on('error', () => undefined).end()).listen(0, '127.0.0.1')
await once(server, 'listening')
const checked = { protocol: 'tcp', address: '192.0.2.2', port: 80 }
const destination = { address: '127.0.0.1', port: server.address().port, forward: 'nat', checks: [{ type: 'tcp' }] }
const director = new Director({ ipvs, configuration: { services: [{ ...checked, scheduler: 'rr', destinations: [destination] }] } })
await director.inForce()
while ((await ipvs.destinations(checked).catch(() => [])).length === 0) await turn()
await director.close()
server.close()

assert.match(await new MetricsWriter({ ipvs }).text(), /^node_ipvs_backend_weight\{.*\} 1$/m)
await ipvs.flush()
await ipvs.close()
console.log(JSON.stringify({ runtime: `Node ${process.versions.node}`, open: 'rules, a batch, refusals, a director and metrics' }))
