/* global console, process */
// The same package by require().
const assert = require('node:assert/strict')
const { Ipvs, IpvsError } = require('ipvs')
const { formatRules, parseRules } = require('ipvs/rules')
const { Director } = require('ipvs/director')
for (const name of ['bench', 'doctor', 'etcd', 'keepalived', 'metrics', 'network', 'package.json']) assert.equal(typeof require(`ipvs/${name}`), 'object')

const rules = '-A -t 192.0.2.1:80 -s rr\n'
assert.equal(formatRules(parseRules(rules)), rules)
assert.equal(typeof Director, 'function')
Ipvs.open().then((ipvs) => ipvs.close().then(() => 'opens'), (error) => {
  assert.ok(error instanceof IpvsError, error.stack)
  return error.code
}).then((open) => console.log(JSON.stringify({ runtime: `Node ${process.versions.node}`, open })))
