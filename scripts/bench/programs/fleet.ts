/**
 * fleet SERVICES PUTS: a director follows as many services in an etcd of its own, in which one after the other is changed. Prints how long
 * a put takes to be answered, how long from its event until the kernel has what it says, and both: milliseconds, as JSON.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { Ipvs } from 'ipvs'
import { Director } from 'ipvs/director'
import type * as members from '../../../lib/command/director/fleet-member.js'
import type * as clients from '../../../lib/sources/etcd/client.js'
import type * as everyKey from '../../../lib/sources/etcd/keys.js'
import type * as options from '../../../lib/sources/etcd/options.js'
import type * as writing from '../../../lib/sources/etcd/write.js'
import { checkout } from '../../setup/checkout.js'
import { ensure } from '../../setup/programs.js'

const [services, puts] = process.argv.slice(2).map(Number)
const [PREFIX, URL, PEER] = ['/bench', 'http://127.78.0.1:2379', 'http://127.78.0.1:2380']
/** Puts until the code is compiled. */
const WARM = 20

/** What the package does not hand out is loaded from where it was compiled to. */
const load = async <Module>(name: string): Promise<Module> =>
  await import(pathToFileURL(join(checkout, `dist/${name}.js`)).href) as Module
const { FleetMember } = await load<typeof members>('command/director/fleet-member')
const { EtcdClient } = await load<typeof clients>('sources/etcd/client')
const { encoded, keysBelow, servicesBelow } = await load<typeof everyKey>('sources/etcd/keys')
const { etcdSettings } = await load<typeof options>('sources/etcd/options')
const { planWrite, write } = await load<typeof writing>('sources/etcd/write')

const service = (index: number, weight: number) => ({
  protocol: 'tcp' as const, address: `10.${index >> 8}.${index & 255}.1`, port: 80, scheduler: 'mh',
  destinations: [1, 2].map((host) => ({ address: `10.200.${index & 255}.${host}`, port: 80, forward: 'nat' as const, weight })),
})

await ensure('etcd')
const folder = await mkdtemp(join(tmpdir(), 'fleet-bench-'))
const etcd = spawn('etcd', [
  `--data-dir=${folder}`, `--listen-client-urls=${URL}`, `--advertise-client-urls=${URL}`, `--listen-peer-urls=${PEER}`,
  '--log-level=error', '--logger=zap', `--initial-advertise-peer-urls=${PEER}`, `--initial-cluster=default=${PEER}`,
], { stdio: 'ignore' })
const ended = once(etcd, 'exit')
const cluster = { endpoints: URL, timeout: 60 }
const client = new EtcdClient(etcdSettings(cluster, 'the options'))
const stop = new AbortController()
const ipvs = await Ipvs.open()
const director = new Director({ ipvs, interval: 3_600, drain: false })
try {
  while (!await client.call('kv/range', { key: 'AA==' }).then(() => true, () => false)) await wait(50)
  const all = Array.from({ length: services }, (_, index) => service(index, 1))
  await write(client, PREFIX, await planWrite(client, PREFIX, all))

  let inForce = (_at: number): void => {}
  const log = ({ event }: { event: string }): void => {
    if (event === 'configuration') inForce(performance.now())
  }
  const member = new FleetMember({ type: 'etcd', cluster, prefix: PREFIX, id: 'bench', rule: 'majority' }, undefined, log)
  const begun = performance.now()
  await member.lead(director, ipvs, (configuration) => configuration)
  const first = performance.now() - begun

  let event = (_at: number): void => {}
  const below = keysBelow(servicesBelow(PREFIX))
  let begin = (): void => {}
  const watches = new Promise<void>((resolve) => { begin = resolve })
  const watching = (async () => {
    for await (const { created, events = [] } of client.watch(below, 0, stop.signal)) {
      if (created === true) begin()
      if (events.length > 0) event(performance.now())
    }
  })().catch(() => {})
  await watches

  const moments: { put: number, event: number, inForce: number }[] = []
  for (let number = 0; number < WARM + puts; number++) {
    const index = number * 7919 % services
    const arrived = new Promise<number>((resolve) => { event = resolve })
    const done = new Promise<number>((resolve) => { inForce = resolve })
    const changed = service(index, 2 + Math.floor(number / services) % 100)
    const key = encoded(`${servicesBelow(PREFIX)}tcp-${changed.address}-80`)
    const at = performance.now()
    await client.call('kv/put', { key, value: encoded(JSON.stringify(changed)) })
    const answered = performance.now()
    const [seen, applied] = await Promise.all([arrived, done])
    if (number >= WARM) moments.push({ put: answered - at, event: applied - seen, inForce: applied - at })
  }
  const figures = (name: keyof typeof moments[number]): number[] => {
    const sorted = moments.map((moment) => moment[name]).sort((a, b) => a - b)
    return [0.1, 0.5, 0.9].map((share) => Math.round(sorted[Math.floor(share * sorted.length)] * 100) / 100)
  }
  process.stdout.write(`${JSON.stringify({
    services, puts, 'first in force, s': Math.round(first) / 1_000, 'put, 10 % 50 % 90 %': figures('put'),
    'event to in force': figures('event'), 'put to in force': figures('inForce'),
  })}\n`)
  stop.abort()
  await watching
  await member[Symbol.asyncDispose]()
} finally {
  stop.abort()
  await director.close()
  await ipvs.close()
  client.close()
  etcd.kill('SIGKILL')
  await ended
  await rm(folder, { recursive: true, force: true })
}
