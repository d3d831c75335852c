/**
 * metrics SERVICES DESTINATIONS WAY LABELS: makes a table, then scrapes it. WAY is 'writer', 'collector' (prom-client writes the text) or
 * 'snapshot', which only reads. LABELS is 'all' or 'service'. Prints, as JSON: medians in microseconds of a snapshot and of a scrape, the
 * longest that a scrape, a snapshot and an idle run held the event loop, the text's length, and the most memory in bytes.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Ipvs } from 'ipvs'
import { median } from 'ipvs/bench'
import { IpvsCollector, MetricsWriter, type BackendLabel } from 'ipvs/metrics'
import { Registry } from 'prom-client'
import { collectGarbage } from '../garbage.js'
import { longestDelay } from '../longest-delay.js'
import { clocked } from '../suite.js'
import { operations } from '../workload.js'

const [services, destinations] = process.argv.slice(2, 4).map(Number)
const [way, cut] = process.argv.slice(4)
const RUNS = 3

const ofService: BackendLabel[] = ['local_address', 'local_port', 'proto', 'local_mark']
const labels = cut === 'service' ? { labels: ofService } : {}

const ipvs = await Ipvs.open()
await ipvs.batch(operations('add', { services, destinations }))

/** The text is taken as a socket would take it: a piece at a time. Returns its length. */
async function write(): Promise<number> {
  let length = 0
  for await (const piece of new MetricsWriter({ ipvs, ...labels }).pieces()) length += piece.length
  return length
}

/** What the collector has to do for a scrape: every metric gets its values, and nothing is written. */
async function collect(): Promise<number> {
  const registry = new Registry()
  new IpvsCollector({ ipvs, registers: [registry], ...labels })
  const metrics = registry.getMetricsAsArray() as unknown as { get(): Promise<unknown> }[]
  await Promise.all(metrics.map(async (metric) => void await metric.get()))
  return 0
}

async function collectAndWrite(): Promise<number> {
  const registry = new Registry()
  new IpvsCollector({ ipvs, registers: [registry], ...labels })
  return (await registry.metrics()).length
}

async function read(): Promise<number> {
  return (await ipvs.snapshot()).services.length
}

const scrape = { writer: write, collector: collectAndWrite, share: collect, snapshot: read }[way]!

const times: Record<'snapshot' | 'scrape', number[]> = { snapshot: [], scrape: [] }
const held: Record<'snapshot' | 'scrape' | 'idle', number[]> = { snapshot: [], scrape: [], idle: [] }
let length = 0
for (let i = 0; i < RUNS; i++) {
  collectGarbage()
  times.snapshot.push(await clocked(() => ipvs.snapshot()))
  collectGarbage()
  times.scrape.push(await clocked(async () => { length = await scrape() }))
  collectGarbage()
  held.snapshot.push(await longestDelay(() => ipvs.snapshot()))
  collectGarbage()
  held.scrape.push(await longestDelay(scrape))
  collectGarbage()
  held.idle.push(await longestDelay(() => sleep(median(times.scrape) / 1000)))
}
await ipvs.close()
console.log(JSON.stringify({
  snapshot: median(times.snapshot), scrape: median(times.scrape), idle: median(held.idle), heldBySnapshot: median(held.snapshot),
  held: median(held.scrape),
  length, peak: process.resourceUsage().maxRSS * 1024,
}))
