// Uses every export of the installed package as far as that goes without IPVS. Prints a line; what does not work is an exception.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { IpvsError, Ipvs, IpvsSync, BatchError, formatPlan } from 'ipvs'
import { measureSync } from 'ipvs/bench'
import { check, ConfigurationError, Director } from 'ipvs/director'
import { examineDirector } from 'ipvs/doctor'
import { followEtcd } from 'ipvs/etcd'
import { parseKeepalived } from 'ipvs/keepalived'
import { IpvsCollector, MetricsWriter } from 'ipvs/metrics'
import { Network } from 'ipvs/network'
import { formatRules, parseRules } from 'ipvs/rules'

const functions = [
  Ipvs, IpvsSync, BatchError, formatPlan, measureSync, ConfigurationError, Director, examineDirector, followEtcd, MetricsWriter,
  IpvsCollector, Network,
]
for (const value of functions) assert.equal(typeof value, 'function')
const { resolve } = createRequire(import.meta.url)
for (const name of ['configuration.schema.json', 'output.schema.json', 'package.json']) {
  assert.equal(typeof JSON.parse(readFileSync(resolve(`ipvs/${name}`), 'utf8')), 'object')
}
const rules = '-A -t 192.0.2.1:80 -s rr\n-a -t 192.0.2.1:80 -r 192.0.2.2:80 -g -w 1\n'
assert.equal(formatRules(parseRules(rules)), rules)
assert.equal(parseKeepalived('virtual_server 192.0.2.1 80 {\n  real_server 192.0.2.2 80 {\n  }\n}\n').configuration.services.length, 1)
assert.equal((await check({ address: '127.0.0.1', port: 1 }, { type: 'tcp' })).outcome, 'bad')

// The addon's thread talks to the kernel, which has IPVS or not, and permits it or not.
const tried = async (open) => {
  try {
    const handle = await open()
    await handle.close()
    return 'opens'
  } catch (error) {
    assert.ok(error instanceof IpvsError, error.stack)
    return error.code
  }
}
const outcomes = [await tried(() => Ipvs.open()), await tried(() => IpvsSync.open())]
assert.equal(outcomes[0], outcomes[1])
await assert.rejects(Ipvs.open({ netns: '/nowhere' }), { name: 'IpvsError' })

const addon = /\S*\/ipvs\.node$/m.exec(readFileSync('/proc/self/maps', 'utf8'))?.[0]
const { bun, deno, node } = process.versions
const runtime = bun !== undefined ? `Bun ${bun}` : deno !== undefined ? `Deno ${deno}` : `Node ${node}`
const code = createHash('sha256')
const folder = dirname(resolve('ipvs'))
for (const name of readdirSync(folder).sort()) code.update(readFileSync(join(folder, name)))
console.log(JSON.stringify({ runtime, addon, open: outcomes[0], code: code.digest('hex') }))
