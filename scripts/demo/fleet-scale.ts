/**
 * How far one etcd goes: many readers of a large prefix, as directors are, on this machine. Prints the measured inputs of the arithmetic in
 * docs/fleet.md. Needs no IPVS.
 */
import { spawn } from 'node:child_process'
import { once, setMaxListeners } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { followEtcd } from 'ipvs/etcd'
import type { DirectorConfiguration } from 'ipvs/director'
import type * as clients from '../../lib/sources/etcd/client.js'
import type * as everyKey from '../../lib/sources/etcd/keys.js'
import type * as leased from '../../lib/sources/etcd/leased.js'
import type * as lists from '../../lib/sources/etcd/list.js'
import type * as options from '../../lib/sources/etcd/options.js'
import type * as writing from '../../lib/sources/etcd/write.js'
import { checkout } from '../setup/checkout.js'
import { ensure } from '../setup/programs.js'

const SERVICES = 10_000
const READERS = 100
const PUTS = 100
const PREFIX = '/scale'
const URL = 'http://127.77.0.1:2379'

/** What the package does not hand out is loaded from where it was compiled to. */
const load = async <Module>(name: string): Promise<Module> =>
  await import(pathToFileURL(join(checkout, `dist/sources/etcd/${name}.js`)).href) as Module
const { EtcdClient } = await load<typeof clients>('client')
const { keysBelow, servicesBelow } = await load<typeof everyKey>('keys')
const { LeasedKeys } = await load<typeof leased>('leased')
const { listPages } = await load<typeof lists>('list')
const { etcdSettings } = await load<typeof options>('options')
const { planWrite, write } = await load<typeof writing>('write')

await ensure('etcd')
const folder = await mkdtemp(join(tmpdir(), 'fleet-scale-'))
const etcd = spawn('etcd', [
  `--data-dir=${folder}`, `--listen-client-urls=${URL}`, `--advertise-client-urls=${URL}`, '--listen-peer-urls=http://127.77.0.1:2380', '--log-level=error',
  '--logger=zap', '--initial-advertise-peer-urls=http://127.77.0.1:2380', '--initial-cluster=default=http://127.77.0.1:2380',
], { stdio: 'ignore' })
const ended = once(etcd, 'exit')
const settings = etcdSettings({ endpoints: URL, timeout: 60 }, 'the options')
const client = new EtcdClient(settings)
const below = servicesBelow(PREFIX)

/** Processor seconds and resident megabytes of etcd. */
async function usage(): Promise<{ seconds: number, megabytes: number }> {
  const fields = (await readFile(`/proc/${etcd.pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ')
  return { seconds: (Number(fields[11]) + Number(fields[12])) / 100, megabytes: Number(fields[21]) * 4_096 / 1e6 }
}

const median = (values: readonly number[]): string => [...values].sort((a, b) => a - b)[values.length >> 1].toFixed(1)
const worst = (values: readonly number[]): string => Math.max(...values).toFixed(1)
const print = (line: string): void => { process.stdout.write(`${line}\n`) }

const service = (index: number, weight: number) => ({
  protocol: 'tcp' as const, address: `10.${index >> 8}.${index & 255}.1`, port: 80, scheduler: 'mh',
  destinations: [1, 2, 3].map((host) => ({ address: `10.200.${index & 255}.${host}`, port: 80, weight, checks: [{ type: 'tcp' as const }] })),
})

try {
  for (;;) {
    const is = await client.call('kv/range', { key: 'AA==' }).then(() => true, () => false)
    if (is) break
    await wait(50)
  }
  const services = Array.from({ length: SERVICES }, (_, index) => service(index, 1))
  let begun = performance.now()
  const plan = await planWrite(client, PREFIX, services)
  await write(client, PREFIX, plan)
  print(`written: ${SERVICES} services of ${JSON.stringify(services[0]).length} bytes in ${((performance.now() - begun) / 1_000).toFixed(1)} s`)

  begun = performance.now()
  const follower = followEtcd({ endpoints: URL, prefix: PREFIX, timeout: 60 })
  const iterator = follower[Symbol.asyncIterator]() as AsyncIterator<DirectorConfiguration>
  await iterator.next()
  print(`one follower: listed and validated in ${((performance.now() - begun) / 1_000).toFixed(2)} s`)

  let before = await usage()
  begun = performance.now()
  let bytes = 0
  await Promise.all(Array.from({ length: READERS }, async () => {
    const one = new EtcdClient(settings)
    for await (const { keys } of listPages(one, keysBelow(below))) for (const { key, value = '' } of keys) bytes += key.length + value.length
    one.close()
  }))
  let after = await usage()
  print(`${READERS} lists at once: ${((performance.now() - begun) / 1_000).toFixed(1)} s, ${(bytes / READERS / 1e6).toFixed(1)} MB each, `
    + `${((after.seconds - before.seconds) / READERS).toFixed(2)} s of etcd's processor each, etcd has ${after.megabytes.toFixed(0)} MB`)

  const stop = new AbortController()
  setMaxListeners(0, stop.signal)
  const arrived: number[] = []
  let created = 0
  const watchers = Array.from({ length: READERS }, async () => {
    const one = new EtcdClient(settings)
    try {
      for await (const { created: isNew, events = [] } of one.watch(keysBelow(below), follower.status().revision! + 1, stop.signal)) {
        if (isNew === true) created++
        if (events.length > 0) arrived.push(performance.now())
      }
    } catch (error) {
      if (!stop.signal.aborted) throw error
    } finally {
      one.close()
    }
  })
  while (created < READERS) await wait(10)
  const [puts, first, last, followed]: number[][] = [[], [], [], []]
  before = await usage()
  for (let number = 0; number < PUTS; number++) {
    arrived.length = 0
    const next = iterator.next().then(() => performance.now())
    const key = Buffer.from(`${below}tcp-${service(number, 1).address}-80`).toString('base64')
    const at = performance.now()
    await client.call('kv/put', { key, value: Buffer.from(JSON.stringify(service(number, 2))).toString('base64') })
    puts.push(performance.now() - at)
    followed.push(await next - at)
    while (arrived.length < READERS) await wait(1)
    first.push(arrived[0] - at)
    last.push(arrived[READERS - 1] - at)
  }
  after = await usage()
  print(`a put with ${READERS} watchers, ms, median / worst of ${PUTS}: answered ${median(puts)} / ${worst(puts)}, first event ${median(first)} / ${worst(first)}, `
    + `last event ${median(last)} / ${worst(last)}, new configuration of the follower ${median(followed)} / ${worst(followed)}; `
    + `${((after.seconds - before.seconds) / PUTS / READERS * 1e6).toFixed(0)} µs of etcd's processor for each event`)
  stop.abort()
  await Promise.all(watchers)
  await follower.close()

  const leases = Array.from({ length: READERS }, (_, index) => {
    const keys = new LeasedKeys(settings, 10)
    keys.set(`${PREFIX}/v1/health/${index}`, '{"down":{}}')
    return keys
  })
  await Promise.all(leases.map((keys) => once(keys, 'there')))
  before = await usage()
  begun = performance.now()
  await wait(10_000)
  after = await usage()
  print(`${READERS} leases of 10 s kept alive: ${((after.seconds - before.seconds) / ((performance.now() - begun) / 1_000) / READERS * 1e6).toFixed(0)} µs of etcd's processor a second for each`)
  for (const keys of leases) await keys.close()
} finally {
  client.close()
  etcd.kill('SIGKILL')
  await ended
  await rm(folder, { recursive: true, force: true })
}
